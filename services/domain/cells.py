"""Text for a cell of a spreadsheet, which must stay text there.

Spreadsheets take what begins with one of ``= + - @`` for a formula, also in a CSV file and behind blanks; a
formula that somebody has put into a name would run at whoever opens the file.
"""

from typing import Final

_FORMULA_STARTS: Final = ("=", "+", "-", "@")


def cell(value: str | int | None) -> str | int:
    """A value as a cell: text that would be a formula begins with an apostrophe, nothing is empty."""
    match value:
        case None:
            return ""
        case int():
            return value
        case _:
            is_formula = value.lstrip().startswith(_FORMULA_STARTS) or value[:1] in {"\t", "\r", "\n"}
            return f"'{value}" if is_formula else value
