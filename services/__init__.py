"""What the product does: decide, store, route, deliver. Knows nothing of MQTT or HTTP."""
