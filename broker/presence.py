"""A hint that a partner has come online, read from Mosquitto's own log topic.

    $SYS/broker/log/N            … New client connected from … as x (p5, c0, k60, u'CN=acme').
    $SYS/broker/log/M/subscribe  … x 1 care/acme/event

c0 is a kept session, which has its subscription already. Only a hint: it makes a waiting event arrive
at once instead of at the next repeat. When a broker writes its log otherwise, nothing is lost but those
seconds.
"""

import re
from typing import Final

from broker.access_rules import PARTNER_USER_PREFIX
from devices.kinds import ID_PATTERN

LOG_FILTERS: Final = ("$SYS/broker/log/N", "$SYS/broker/log/M/subscribe")
DROPPED_TOPIC: Final = "$SYS/broker/publish/messages/dropped"
"""How many messages the broker has dropped since it started: more than none is a fault to be told."""

_CONNECTED: Final = re.compile(
    rf"New client connected from .*, c0, .* u'{PARTNER_USER_PREFIX}({ID_PATTERN.pattern})'\)"
)
_SUBSCRIBED: Final = re.compile(rf" [012] care/({ID_PATTERN.pattern})/event$")


def organisation_in(line: str) -> str | None:
    """The organisation that may be listening now, or None."""
    found = _SUBSCRIBED.search(line) or _CONNECTED.search(line)
    return found.group(1) if found else None
