"""What keeps the readings in shape beside the intake: flushed, merged, expired, erased.

Each works in small steps: reading, sorting and packing in a thread of its own, then a few pages in a
transaction of the process's one writer, where what has just arrived goes first.
"""
