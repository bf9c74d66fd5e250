"""Measured values as people see them: how far they went, where they lie, and where there is nothing.

plot        what is drawn, and the sentences beside it
ticks       where the time axis has its marks
terminal    with characters, for a terminal
pictures    PNG and SVG
"""
