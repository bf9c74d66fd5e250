"""Sets of roles and permissions in one column: their names, sorted, with spaces between."""

from collections.abc import Iterable

from services.domain.actors import Permission, Role


def written(names: Iterable[str]) -> str:
    """A set as its column."""
    return " ".join(sorted(names))


def written_or_none(names: Iterable[str] | None) -> str | None:
    """A set that may be missing as its column."""
    return None if names is None else written(names)


def roles(column: str) -> frozenset[Role]:
    """Roles from their column."""
    return frozenset(map(Role, column.split()))


def permissions(column: str | None) -> frozenset[Permission] | None:
    """Permissions from their column."""
    return None if column is None else frozenset(map(Permission, column.split()))
