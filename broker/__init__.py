"""What carries messages: topics, access rules, certificates, Mosquitto and our sessions with it."""
