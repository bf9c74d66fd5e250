"""How far each export target has come, in a file of its own: the export never waits for the intake's lock."""

from typing import Final

from gateway.data_folder import DataFolder

EVERYTHING: Final = 2**62


def exported_to(folder: DataFolder) -> int:
    """The newest row of the journal that every target has; ``EVERYTHING`` when there is no target."""
    return EVERYTHING
