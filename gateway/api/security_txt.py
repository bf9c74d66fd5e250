"""``/.well-known/security.txt`` (RFC 9116): where to report a weakness of this server."""

from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from devices.codecs.rfc3339 import time_text
from gateway.api.door import DoorHere
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.setting_tables.web import WebSettings

PATH: Final = "/.well-known/security.txt"
HOLDS_FOR: Final = timedelta(days=180)
"""Written anew at each request, so it never runs out while the server is kept."""

router = APIRouter()


@router.get(PATH, include_in_schema=False)
async def security_txt(request: Request, parts: Here, door: DoorHere) -> PlainTextResponse:
    """Contact and policy, as the settings say."""
    if not door.web.security_contact:
        raise NotHereError("contact", "security")
    return PlainTextResponse(_text(door.web, str(request.url), now=parts.clock.now()))


def _text(web: WebSettings, url: str, *, now: datetime) -> str:
    lines = [f"Contact: {contact}" for contact in web.security_contact]
    lines.append(f"Expires: {time_text((now + HOLDS_FOR).replace(microsecond=0))}")
    lines += [f"Policy: {web.security_policy}"] if web.security_policy else []
    canonical = f"{web.public_url}{PATH}" if web.public_url else url
    return "\n".join([*lines, f"Canonical: {canonical}", "Preferred-Languages: sv, en", ""])
