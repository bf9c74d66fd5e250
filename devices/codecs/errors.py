"""The one way in which bytes from outside fail to be a message."""


class PayloadError(ValueError):
    """A payload cannot be read.

    Attributes:
        reason: What is wrong and what would be right, fit to be sent back in a receipt.
        event_id: The home's id of the event, when it could be read, so that it can be told.
    """

    def __init__(self, reason: str, *, event_id: str | None = None) -> None:
        self.reason = reason
        self.event_id = event_id
        super().__init__(f"Cannot read payload: {reason}")


class NaiveTimeError(ValueError):
    """A time without an offset was given to be written: nobody could say when it was."""

    def __init__(self, moment: object) -> None:
        super().__init__(f"{moment!r} has no time zone; give an aware datetime")
