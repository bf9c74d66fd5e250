"""Bytes to messages and back, one module per dialect. Pure functions: no I/O, no clock."""
