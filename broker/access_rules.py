"""Who may say and hear what at the broker: one table, from which Mosquitto's access file is made.

    RULES  ──>  access_file()   what Mosquitto enforces, on what is sent and on what is delivered
           └──> may()           the same as a question, for tests and for the hub's own check

A client's *user name* decides, and the broker takes it from the certificate, never from the client:

    listener   user name     from
    homes      p7            the certificate's CN; an integration's too, so no device may have its id
    partners   CN=care-one   the certificate's whole subject, so that no home can have the same name
    internal   @hub          the password file; no id of a certificate can contain @

Mosquitto grants *every* subscription and filters what it delivers; so a home that subscribes to ``#``
is told yes and hears only its own. The three listeners share one file: with files per listener,
Mosquitto 2.0.12 to 2.0.22 drop what arrives for a client that is offline, alarms for the hub included.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.kinds import ID_PATTERN

HUB_USER: Final = "@hub"
PARTNER_USER_PREFIX: Final = "CN="
OWN_ID: Final = "{id}"


class Role(StrEnum):
    """The kinds of client."""

    HOME = "home"
    INTEGRATION = "integration"
    PARTNER = "partner"
    HUB = "hub"


class Access(StrEnum):
    """What a rule allows; the values are Mosquitto's words."""

    READ = "read"
    WRITE = "write"
    READ_AND_WRITE = "readwrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the table: ``{id}`` in a topic stands for the client's own id."""

    access: Access
    topic: str

    def for_client(self, client_id: str) -> str:
        """The topic filter of one client."""
        return self.topic.replace(OWN_ID, client_id)


RULES: Final[dict[Role, tuple[Rule, ...]]] = {
    Role.HOME: (
        Rule(access=Access.WRITE, topic="up/{id}/#"),
        Rule(access=Access.READ, topic="down/{id}/#"),
    ),
    Role.INTEGRATION: (Rule(access=Access.WRITE, topic="in/{id}/#"),),
    Role.PARTNER: (
        Rule(access=Access.WRITE, topic="care/{id}/action"),
        Rule(access=Access.READ, topic="care/{id}/event"),
        Rule(access=Access.READ, topic="care/{id}/reading"),
        Rule(access=Access.READ, topic="care/{id}/reply"),
    ),
    Role.HUB: (
        Rule(access=Access.READ_AND_WRITE, topic="up/#"),
        Rule(access=Access.READ_AND_WRITE, topic="down/#"),
        Rule(access=Access.READ_AND_WRITE, topic="care/#"),
        Rule(access=Access.READ, topic="in/#"),
        Rule(access=Access.READ_AND_WRITE, topic="probe/#"),
        Rule(access=Access.READ, topic="$SYS/#"),
    ),
}


class ClientIdError(ValueError):
    """The id could bring other rules into the access file."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        super().__init__(
            f"Cannot write access rules for {client_id[:80]!r}: "
            "expected 1 to 63 of a-z, 0-9 and -, not starting with -"
        )


def partner_user(organisation_id: str) -> str:
    """The user name under which the broker knows a partner."""
    return f"{PARTNER_USER_PREFIX}{organisation_id}"


def organisation_of(user_name: str) -> str | None:
    """The organisation behind a user name in the broker's log; None for a home or the hub."""
    if not user_name.startswith(PARTNER_USER_PREFIX):
        return None
    return user_name.removeprefix(PARTNER_USER_PREFIX)


def may(role: Role, client_id: str, access: Access, topic: str) -> bool:
    """Whether a client can read from, or write to, exactly ``topic`` (not a filter)."""
    return any(
        rule.access in (access, Access.READ_AND_WRITE) and _matches(rule.for_client(client_id), topic)
        for rule in RULES[role]
    )


def access_file(
    organisation_ids: Iterable[str], integration_ids: Iterable[str] = (), *, shut_out: Iterable[str] = ()
) -> str:
    """Mosquitto's access file.

    Args:
        organisation_ids: Partners. One that is not named can read and write nothing of ours.
        integration_ids: Integrations that are heard.
        shut_out: Integrations that are not heard. They must be named too: a stranger at the homes'
            listener has a home's rights, and the hub is what refuses him.

    Raises:
        ClientIdError: An id is not one that people may choose.
    """
    sections = [
        _user_section(HUB_USER, _topic_lines(Role.HUB, HUB_USER)),
        *(
            _section_apart(partner_user(id_), _topic_lines(Role.PARTNER, id_))
            for id_ in _checked(organisation_ids)
        ),
        *(_section_apart(id_, _topic_lines(Role.INTEGRATION, id_)) for id_ in _checked(integration_ids)),
        *(_section_apart(id_, []) for id_ in _checked(shut_out)),
        "# Homes: %u is the user name.\n" + _lines(_home_patterns()),
    ]
    return "# Written by Stadsnav from broker/access_rules.py; changes here are lost.\n\n" + "\n".join(
        sections
    )


def _checked(ids: Iterable[str]) -> list[str]:
    """Each id once, in order."""
    chosen = sorted(set(ids))
    for id_ in chosen:
        if ID_PATTERN.fullmatch(id_) is None:
            raise ClientIdError(id_)
    return chosen


def _section_apart(user_name: str, lines: list[str]) -> str:
    """The section of a user who is no home: the homes' patterns hold for everybody, so deny them by name."""
    denied = [f"topic deny {rule.topic.partition('/')[0]}/#" for rule in RULES[Role.HOME]]
    return _user_section(user_name, [*denied, *lines])


def _home_patterns() -> list[str]:
    return [f"pattern {rule.access} {rule.for_client('%u')}" for rule in RULES[Role.HOME]]


def _topic_lines(role: Role, client_id: str) -> list[str]:
    return [f"topic {rule.access} {rule.for_client(client_id)}" for rule in RULES[role]]


def _user_section(user_name: str, lines: list[str]) -> str:
    return _lines([f"user {user_name}", *lines])


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter of the table (``#`` only at its end, no ``+``) covers ``topic``."""
    stem, hash_sign, _ = topic_filter.partition("/#")
    if not hash_sign:
        return topic == topic_filter
    return topic == stem or topic.startswith(f"{stem}/")
