"""Every question that can be asked of the interface: each route, with ids that are own, foreign and unknown.

A route, a parameter or a filter that is not told of here is an error, not left out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.api.routes import Route
from tests.support.access_world import BETA, Somebody, World

NOBODY: Final = "00000000-0000-7000-8000-000000000000"
"""An id that was never given."""

PLACES: Final = {
    "account_id": "account",
    "alarm_id": "alarm",
    "consent_id": "consent",
    "delivery_id": "delivery",
    "device_id": "device",
    "draft_id": "draft",
    "emergency_id": "emergency",
    "event_id": "event",
    "grant_id": "grant",
    "home_id": "home",
    "name": "profile",
    "number": "sample",
    "organisation_id": "organisation",
    "resident_id": "resident",
    "session_id": "session",
    "subscription_id": "subscription",
    "template_id": "template",
    "token_id": "token",
}
"""Which kind of thing a route's address names."""

KIND_AT: Final = {"confirm_event": "notice"}
"""Where a name stands for something else."""

FILTERS: Final = {
    "account": "account",
    "actor": "actor",
    "alarm": "alarm",
    "device": "device",
    "event": "notice",
    "home": "home",
    "node": "node",
    "organisation": "organisation",
    "resident": "resident",
    "series": "series",
}
"""Which kind of thing a parameter names."""

PLAIN: Final = frozenset(
    {
        "channel",
        "class",
        "cursor",
        "format",
        "idempotency-key",
        "language",
        "last-event-id",
        "last_event_id",
        "limit",
        "month",
        "name",
        "points",
        "position",
        "since",
        "state",
        "unreviewed",
        "until",
    }
)
"""Parameters that name nothing of anybody's."""

UNKNOWN: Final = {"home": "home-of-nobody", "sample": "999999", "series": "999999", "organisation": "nobody"}

NEEDED: Final[dict[str, dict[str, str]]] = {
    "stream_events": {"last_event_id": "0"},
    "get_readings": {"series": "1", "since": "30d"},
    "extract_audit": {"home": "home-of-acme"},
    "list_last": {"home": "home-of-acme"},
    "list_sessions": {"account": NOBODY},
    "end_sessions": {"account": NOBODY},
}
"""What a route cannot be asked without."""

LATER: Final = frozenset({"ping_subscription"})
"""What another process answers, which does not run here."""

_GRANT: Final = {"class": "property", "purpose": "leaks", "basis": "decision", "reference": "4711"}
_PERSON: Final = {"name": "Bo"}

BODIES: Final[dict[str, dict[str, Any] | None]] = {
    "add_account": {"login": "bo", "organisation": "acme", "roles": ["care-operator"]},
    "change_account": {"name": "Bo"},
    "set_password": {"password": "a long one, quite a long one 7"},
    "set_totp": None,
    "acknowledge_alarm": {"by": "bo"},
    "close_alarm": {"by": "bo"},
    "comment_on_alarm": {"by": "bo", "note": "the door is open"},
    "draw_audit_sample": {"kind": "random", "size": 3, "since": "2026-11-01T00:00:00Z"},
    "review_audit_sample": {"outcome": "in-order"},
    "record_consent": {"resident": NOBODY, "class": "fire", "purpose": "smoke", "how": "oral"},
    "withdraw_consent": None,
    "replay_delivery": None,
    "add_device": {"id": "new-1", "home": "home-of-acme", "profile": "smoke-detector"},
    "resume_device": None,
    "retire_device": None,
    "suspend_device": None,
    "take_emergency": {"home": "home-of-acme", "classes": ["fire"], "reason": "smoke"},
    "review_emergency": {"outcome": "justified", "note": "there was a fire"},
    "confirm_event": None,
    "propose_grant": {"organisation": "acme", "home": "home-of-acme", **_GRANT},
    "approve_grant": None,
    "reject_grant": {"reason": "not needed"},
    "add_grant_template": {
        "id": "new-1",
        "title": "New",
        "organisation": "acme",
        "grants": [{"class": "safety", "purpose": "patrol", "basis": "decision"}],
    },
    "apply_grant_template": {"organisation": "acme", "home": "home-of-acme", "reference": "4711"},
    "end_grant": None,
    "add_home": {"id": "new-1", "address": "Storgatan 9"},
    "change_home": {"address": "Storgatan 9"},
    "put_home": {"address": "Storgatan 9"},
    "add_organisation": {"id": "new-1", "name": "New AB", "kind": "care"},
    "add_resident": {"home": "home-of-acme", **_PERSON, "ends_grants": True},
    "change_resident": _PERSON,
    "erase_resident": None,
    "move_out_resident": {},
    "add_subscription": {"channel": "mqtt", "organisation": "acme"},
    "change_subscription": {"after_seconds": 5},
    "pause_subscription": None,
    "ping_subscription": None,
    "resume_subscription": None,
    "rotate_secret": None,
    "add_token": {"name": "new", "organisation": "acme"},
    "remove_totp": None,
    "remove_grant_template": None,
    "remove_subscription": None,
    "end_session": None,
    "end_sessions": None,
    "revoke_token": None,
}
"""What is sent to each route that changes something; None: nothing."""

NAMED: Final = ("home", "organisation", "resident")
"""Members of bodies that name something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request, and what it names."""

    route: Route
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    where: str = ""
    """The parameter or member whose id varies; empty: none does."""
    asked: str = ""
    """The id there."""
    whose: str = ""
    """``own``, ``foreign`` or ``unknown``."""

    @property
    def target(self) -> str:
        """Path and query, as in a request's first line."""
        return self.path + (
            "?" + "&".join(f"{name}={value}" for name, value in self.query.items()) if self.query else ""
        )

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return b"" if self.body is None else json.dumps(self.body).encode()

    def without_id(self, text: str) -> str:
        """An answer in which the id that was asked for has no part."""
        return text.replace(self.asked, "ID") if self.asked else text

    def __str__(self) -> str:
        return f"{self.route.method} {self.target} {self.body or ''} ({self.whose or 'plain'})"


class Walk:
    """Asks about one route after the other."""

    def __init__(self, world: World, document: dict[str, Any]) -> None:
        self._world = world
        self._document = document

    def questions(self, route: Route, somebody: Somebody) -> Iterator[Question]:
        """Everything that can be asked of a route with ids of each sort."""
        plain = Question(
            route=route, path=route.path, query=NEEDED.get(route.name, {}), body=self._body(route, somebody)
        )
        place = next((name for name in PLACES if f"{{{name}}}" in route.path), None)
        if place is None:
            yield plain
        else:
            kind = KIND_AT.get(route.name, PLACES[place])
            at_each = [
                replace(
                    plain, path=route.path.replace(f"{{{place}}}", id_), where=place, asked=id_, whose=whose
                )
                for whose, id_ in self._ids(kind, somebody)
                if whose != "own" or route.name not in LATER
            ]
            yield from at_each
            plain = replace(plain, path=at_each[0].path)
        yield from self._further(plain, somebody)

    def _further(self, plain: Question, somebody: Somebody) -> Iterator[Question]:
        """The same with each id in each filter, and in each member of the body that names something."""
        for name in self._filters(plain.route):
            for whose, id_ in self._ids(FILTERS[name], somebody):
                yield replace(plain, query={**plain.query, name: id_}, where=name, asked=id_, whose=whose)
        for name in NAMED:
            if plain.body and name in plain.body:
                for whose, id_ in self._ids(name, somebody):
                    yield replace(plain, body={**plain.body, name: id_}, where=name, asked=id_, whose=whose)

    def _body(self, route: Route, somebody: Somebody) -> dict[str, Any] | None:
        if route.method == "GET":
            return None
        body = BODIES[route.name]
        if body is None or somebody.organisation != BETA:
            return body
        return json.loads(json.dumps(body).replace("acme", "beta"))  # type: ignore[no-any-return]

    def has_pages(self, route: Route) -> bool:
        """Whether it is a list."""
        return "limit" in self._parameters(route)

    def _parameters(self, route: Route) -> list[str]:
        operation = self._document["paths"].get(route.path, {}).get(route.method.lower(), {})
        return [one["name"] for one in operation.get("parameters", ()) if one["in"] != "path"]

    def _filters(self, route: Route) -> list[str]:
        names = self._parameters(route)
        untold = set(names) - FILTERS.keys() - PLAIN
        if untold:
            raise UntoldError(route, f"its parameters {', '.join(sorted(untold))}")
        return [name for name in names if name in FILTERS]

    def _ids(self, kind: str, somebody: Somebody) -> Iterator[tuple[str, str]]:
        for id_ in self._world.own(kind, somebody)[:3]:
            yield "own", id_
        for id_ in self._world.foreign(kind, somebody):
            yield "foreign", id_
        yield "unknown", UNKNOWN.get(kind, NOBODY)


class UntoldError(Exception):
    """Something is in the interface that the walk does not know."""

    def __init__(self, route: Route, what: str) -> None:
        super().__init__(f"{route.method} {route.path}: say in access_walk what to ask about {what}")
