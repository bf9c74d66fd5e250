"""A real Chromium without a window, driven over its own protocol (Chrome DevTools Protocol).

async with opened(folder) as page:
    await page.go("http://…")
    await page.run("1 + 1")     2
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support.product import POLL_SECONDS, eventually

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS: Final = 30.0


class PageError(Exception):
    """The browser refused a command, or a script of ours failed in it."""


def find_chromium() -> str | None:
    """The program, if this machine has it."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)

    async def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and return its answer."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                said = await self._socket.receive_json()
                if said.get("id") == number:
                    break
        if "error" in said:
            raise PageError(said["error"])
        answer: dict[str, Any] = said["result"]
        return answer

    async def go(self, url: str) -> None:
        """Show a page."""
        await self.tell("Page.navigate", url=url)
        await self.until("document.readyState + location.href", lambda found: found == f"complete{url}")

    async def until(self, script: str, is_so: Callable[[Any], bool]) -> Any:
        """Run a script again and again until its value is right; returns that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(found := await self.run(script)):  # noqa: ASYNC110 - it is another program's
                await asyncio.sleep(POLL_SECONDS)
        return found

    async def run(self, script: str) -> Any:
        """Run a script in the page; its value."""
        answer = await self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise PageError(answer["exceptionDetails"])
        return answer["result"].get("value")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Page]:
    """A browser of its own, with one empty page.

    Args:
        folder: For its profile.
    """
    program = find_chromium()
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await _port(folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        await process.wait()


async def _port(file: Path) -> int:
    return await asyncio.to_thread(lambda: int(eventually(lambda: _lines(file), "Chromium listens")[0]))


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
