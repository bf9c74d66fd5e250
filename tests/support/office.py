"""Who asks over HTTP in tests: organisations' machines and the city's people, each with a token of its roles.

office.ask("GET", "/homes", by=Role.CITY_ADMIN)         the city
office.ask("GET", "/homes", by="acme")                  a care provider's care administrator
"""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2

from services import tokens
from services.domain.actors import Role
from services.tokens import Limits
from tests.support.town import TESTER, Town

PREFIX = "/api/v1"
CITY = "the-city"


@dataclass(slots=True)
class Office:
    """Asks the application below ``/api/v1``."""

    client: httpx2.AsyncClient
    town: Town
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, by: Role | str) -> str:
        """A token of a role at the city, or of an organisation's machine; a second name is another principal.

        Args:
            by: ``Role``, an organisation's id, or ``role#2`` for somebody else of that role.
        """
        if by not in self._tokens:
            role = str(by).partition("#")[0]
            is_city = role in set(Role)
            issue = partial(
                tokens.issue,
                organisation_id=CITY if is_city else str(by),
                limits=Limits(roles=(role,)) if is_city else Limits(),
                actor=TESTER,
                now=self.town.now,
            )
            self._tokens[by] = self.town.write(issue).text
        return self._tokens[by]

    async def ask(
        self,
        method: str,
        path: str,
        *,
        by: Role | str,
        body: Any = None,
        key: str | None = None,
        **query: Any,
    ) -> httpx2.Response:
        """Ask, and hear whatever is answered."""
        headers = {"Authorization": f"Bearer {self.token(by)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None
        if body is not None:
            content = json.dumps(body)
            headers["Content-Type"] = "application/json"
        return await self.client.request(
            method, PREFIX + path, params=query, headers=headers, content=content
        )

    async def get(self, path: str, *, by: Role | str, **query: Any) -> Any:
        """Ask, when it is answered."""
        answer = await self.ask("GET", path, by=by, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(
        self, method: str, path: str, *, by: Role | str, body: Any = None, key: str | None = None
    ) -> Any:
        """Have something done."""
        answer = await self.ask(method, path, by=by, body=body, key=key)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()
