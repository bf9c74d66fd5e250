"""What leaves for the outside: webhooks, letters, the dead-man call; in a process of its own."""
