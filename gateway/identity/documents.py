"""Short JSON documents from the city's identity provider: bounded in time and size, no redirects."""

import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

WITHIN_SECONDS: Final = 5.0
LARGEST_BYTES: Final = 262_144


class ProviderAwayError(Exception):
    """The identity provider does not answer, or not with what it should."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The identity provider cannot be used: {reason}")


class Documents(Protocol):
    """Where documents come from."""

    async def get(self, url: str) -> dict[str, Any]:
        """A document.

        Raises:
            ProviderAwayError: There is none.
        """

    async def post(self, url: str, form: Mapping[str, str], authorization: str | None) -> dict[str, Any]:
        """What is answered to a form, refused or not.

        Raises:
            ProviderAwayError: Nothing that can be read.
        """


class WebDocuments:
    """Over HTTP."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str) -> dict[str, Any]:
        """A document."""
        return await self._asked("GET", url, {HTTPStatus.OK})

    async def post(self, url: str, form: Mapping[str, str], authorization: str | None) -> dict[str, Any]:
        """What is answered to a form, refused or not."""
        answered = {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}
        headers = {} if authorization is None else {"Authorization": authorization}
        return await self._asked("POST", url, answered, data=dict(form), headers=headers)

    async def _asked(self, method: str, url: str, answered: set[HTTPStatus], **more: Any) -> dict[str, Any]:
        try:
            async with self._session.request(method, url, allow_redirects=False, **more) as response:
                if response.status not in answered:
                    raise ProviderAwayError(f"status {response.status}")
                return _document(await _body(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderAwayError(type(error).__name__) from error


@asynccontextmanager
async def open_documents(ca_file: Path | None) -> AsyncGenerator[WebDocuments]:
    """Documents over HTTP, trusting an authority of the city's, or the machine's."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=4),
        timeout=aiohttp.ClientTimeout(total=WITHIN_SECONDS),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=8_190,
    ) as session:
        yield WebDocuments(session)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_chunked(16_384):
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise ProviderAwayError(f"more than {LARGEST_BYTES} bytes")
    return body


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderAwayError("no JSON") from error
    if not isinstance(document, dict):
        raise ProviderAwayError("no JSON object")
    return document
