"""Do one thing of many so that its failure is its own.

For work that goes through rows by itself (timers, silent devices, findings): one row that this version
cannot read must not keep the others from their turn, and must not end the process again and again.
"""

from collections.abc import Callable

import structlog

from services.store.connection import Connection, StoreUnavailableError

_log = structlog.get_logger(__name__)


def apart(connection: Connection, what: str, subject: str, work: Callable[[], None]) -> bool:
    """Run ``work``, undone alone when it raises; returns whether it went well.

    Raises:
        StoreUnavailableError: That is everybody's failure.
    """
    try:
        with connection.savepoint():
            work()
    except StoreUnavailableError:
        raise
    except Exception:  # noqa: BLE001 - the guard around each row
        _log.exception("row_not_handled", what=what, subject=subject)
        return False
    return True
