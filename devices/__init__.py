"""What stands in homes and what it can say. No I/O beyond its own agent and simulator."""
