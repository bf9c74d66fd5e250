"""What other systems say about their devices, one module per dialect, in values of ours.

    in/{integration}/…  ──dialect──>  ForeignMessage   name, unit and alarm kind in our words
                                 └──> PayloadError     and nothing else, whatever the bytes

Each module opens with its table from foreign names and units to ours; ``docs/dialects.md`` shows them to
people. No I/O and no clock. A dialect may remember what earlier messages said: one instance per integration.
"""
