"""The command line: one module per noun, over the same use cases as every other way in.

    stadsnav home add … ──> program: which noun? ──> homes.add ──> desk: store, who, when ──> use case
                                └── refusal: one line, exit 1       └──> printing: a table, or JSON

Only the noun that is asked for is imported, so that a command is there before its typist looks up.
"""

from gateway.cli.program import main

__all__ = ["main"]
