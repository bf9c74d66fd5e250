"""What every part of a profile is made of: names, numbers and texts with their limits."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]
"""A name as ``lookup_name`` writes it: lower case, words joined by single hyphens."""

ReadingName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:./_-]*$", max_length=64)]
"""A SenML name (RFC 8428 section 4.5.1)."""

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=80)]


class Part(BaseModel):
    """A table of a profile; a key that it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Title(Part):
    """What people call it."""

    sv: Text
    en: Text
