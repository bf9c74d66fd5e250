"""Whose registration has changed: for a process that keeps a copy of the registry in memory.

    number = newest(…)      then read what is needed, then now and again:
    newest(…) != number?    changed_homes(…, after=number) are to be read again

Ask ``newest`` first: what is committed in between is then told twice, never missed. Triggers of the
schema fill the list. Writers follow one another, so numbers come in the order of the commits.
"""

from services.store.connection import Connection


def newest(connection: Connection) -> int:
    """The number of the newest change; 0 when nothing was ever registered."""
    row = connection.row("SELECT MAX(number) FROM registry_changes")
    return int(row[0] or 0) if row else 0


def changed_homes(connection: Connection, *, after: int) -> set[str] | None:
    """The homes that something has changed of since the change numbered ``after``.

    Returns:
        Home ids, and ``""`` for what belongs to no home (integrations). None: the list does not reach
        back that far, or is that of another, older database; everything must be read again.
    """
    row = connection.row("SELECT MIN(number) FROM registry_changes")
    oldest = int(row[0] or 0) if row else 0
    if not oldest - 1 <= after <= newest(connection):
        return None
    rows = connection.rows("SELECT DISTINCT home_id FROM registry_changes WHERE number > ?", after)
    return {str(row[0]) for row in rows}
