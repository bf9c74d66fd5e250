"""Lists, page by page."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")


class PageOf(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="May be fewer than `limit` also when there are more.")
    next: str | None = Field(description="`cursor` of the next page; null: there is none.")


def cut(rows: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """The rows of a page, and whether there are more behind it.

    Args:
        rows: One more than the page holds, if there are as many.
        limit: How many it holds.
    """
    return rows[:limit], len(rows) > limit
