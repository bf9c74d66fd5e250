"""A real identity provider (npm's ``oidc-provider``) for a test: installed once, started, left by a browser.

provider.mjs ──stdin closed──> gone        npm ci into a cached folder, from package-lock.json
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx2
import pytest

SOURCE: Final = Path(__file__).with_name("provider")
CACHE: Final = Path.home() / ".cache" / "stadsnav-tests"
INSTALL_SECONDS: Final = 120
OLDEST_NODE: Final = 20
AUDIENCE: Final = "urn:stadsnav:api"


@dataclass(frozen=True, slots=True)
class Provider:
    """One that answers."""

    issuer: str
    process: subprocess.Popen[str]

    @property
    def settings(self) -> str:
        """``stadsnav.toml`` of a hub that trusts it."""
        return (
            f'[identity]\nissuer = "{self.issuer}"\nclient_id = "hub"\nclient_secret = "hub-secret"\n'
            f'audience = "{AUDIENCE}"\n'
            '[identity.groups.nurses]\norg = "acme"\nroles = ["care-operator"]\n'
            '[identity.groups.leaders]\norg = "acme"\nroles = ["care-admin"]\n'
        )

    def machine_token(self) -> str:
        """What the machine ``acme-backend`` gets by its client credentials."""
        answer = httpx2.post(
            f"{self.issuer}/token",
            data={"grant_type": "client_credentials"},
            auth=("acme-backend", "acme-secret"),
        )
        token: str = answer.json()["access_token"]
        return token

    async def visit(self, url: str, login: str) -> str:
        """Sign in there as a person does; returns the address that the browser is sent back to.

        Args:
            url: Where the hub has sent the browser.
            login: ``anna+nurses+night``: Anna, who is in these groups.
        """
        login, *groups = login.split("+")
        async with httpx2.AsyncClient(base_url=self.issuer) as browser:
            await browser.put("/".join(["/groups", login, *groups]))
            for prompt in ("login", "consent"):
                page = await self._page(browser, url)
                action = unescape(_form_action(page))
                answer = await browser.post(action, data={"prompt": prompt, "login": login, "password": "x"})
                url = urljoin(self.issuer, answer.headers["location"])
            return await self._last(browser, url)

    async def _page(self, browser: httpx2.AsyncClient, url: str) -> str:
        while (answer := await browser.get(url)).is_redirect:
            url = urljoin(self.issuer, answer.headers["location"])
        return answer.text

    async def _last(self, browser: httpx2.AsyncClient, url: str) -> str:
        while url.startswith(self.issuer):
            url = urljoin(self.issuer, (await browser.get(url)).headers["location"])
        return url

    def stop(self) -> None:
        """It is away from here on."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


@contextmanager
def running_provider(redirect_uri: str) -> Iterator[Provider]:
    """Start one; skips the test, loudly, on a machine that cannot."""
    folder = _installed()
    process = subprocess.Popen(
        ["node", "provider.mjs", redirect_uri],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        issuer = json.loads(process.stdout.readline())["issuer"]
        yield Provider(issuer, process)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _installed() -> Path:
    """The provider with what it needs, installed when this version of it is not there yet."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs nodejs and npm, for the identity provider: make tools")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(
            f"needs Node.js {OLDEST_NODE} or newer for the identity provider, here is {version.strip()}"
        )
    files = sorted(SOURCE.iterdir())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = CACHE / f"provider-{digest}"
    if not (folder / ".ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"npm could not install the identity provider: {done.stderr.strip()[-300:]}")
        (folder / ".ready").touch()
    return folder


def _form_action(page: str) -> str:
    found = re.search(r'<form[^>]*action="([^"]+)"', page)
    assert found is not None, page[:500]
    return found[1]
