"""Watches that nothing falls silent: devices, timers, and the alarm path itself."""
