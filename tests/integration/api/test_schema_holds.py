"""Requests made up from the description, by every role: no answer that it does not describe, and no 5xx."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.data_folder import open_folder
from gateway.web import create
from services.domain.actors import Role
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection
from tests.support.access_content import fill
from tests.support.access_walk import PLACES, UNKNOWN
from tests.support.access_world import CAST, Somebody, World
from tests.support.clock import FrozenClock
from tests.support.town import Town

EXAMPLES: Final = 2
SEED: Final = 4711
WITHIN_SECONDS: Final = 10.0

WAIT: Final = {"stream_events", "ping_subscription", "readyz"}
"""What waits for another process, or says with a 503 that there is none."""

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass(frozen=True, slots=True)
class Served:
    """The interface over a world, on a port."""

    world: World
    address: str
    document: dict[str, Any]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = open_folder(tmp_path_factory.mktemp("schema") / "data")
    with ExitStack() as stack:
        connection = stack.enter_context(closing(SqliteConnection(folder.database)))
        migrate(connection)
        migrate(stack.enter_context(closing(SqliteConnection(folder.readings))), READINGS)
        world = World(Town(connection, FrozenClock()))
        fill(world, folder)
        app = create(folder, world.town.clock)
        bound = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        yield Served(world, f"http://127.0.0.1:{bound.getsockname()[1]}", app.openapi())
        server.should_exit = True
        thread.join(WITHIN_SECONDS)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who asks whatever the description allows, with ids that they may know and others."""

    served: Served
    somebody: Somebody
    session: requests.Session
    counted: Counter[int] = field(default_factory=Counter)

    def tries(self, operation: Any) -> None:
        """Ask one operation in a few ways, the same in every run.

        Raises:
            Exception: An answer is not as described.
        """

        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.data())
        def ask(data: st.DataObject) -> None:
            case = data.draw(operation.as_strategy())
            for name in case.path_parameters or {}:
                kind = PLACES.get(name, "")
                own = (
                    [] if kind == "token" else self.served.world.own(kind, self.somebody)
                )  # the cast needs them
                ids = [*own, UNKNOWN.get(kind, "x")]
                case.path_parameters[name] = data.draw(st.sampled_from(ids))
            answer = case.call(
                base_url=self.served.address,
                session=self.session,
                headers={"Authorization": f"Bearer {self.somebody.token}"},
                timeout=WITHIN_SECONDS,
            )
            self.counted[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        ask()


@pytest.mark.parametrize(("organisation", "role"), CAST)
def test_every_answer_is_one_that_the_description_names(
    served: Served, organisation: str, role: Role
) -> None:
    schema = schemathesis.openapi.from_dict(served.document)
    operations = [found.ok() for found in schema.get_all_operations()]
    with requests.Session() as session:
        session.trust_env = False
        guest = Guest(served, served.world.one(role, organisation), session)
        for operation in operations:
            if operation.definition.raw["operationId"] not in WAIT:
                guest.tries(operation)
                guest.tries(operation)

    assert sum(guest.counted.values()) >= len(operations) - len(WAIT)
