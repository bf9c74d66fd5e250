"""The values and rules that everything else speaks in. Pure: no I/O, no clock of its own."""
