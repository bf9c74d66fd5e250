"""Whether a request that a browser sends comes from a page of ours (OWASP: cross-site request forgery).

    Sec-Fetch-Site  what the browser says of the page         Origin  where the page is from

Programs send neither. What a browser sends unasked (a cookie, a client certificate) counts for changes only
when one of the two says that the page is ours, and neither says otherwise.
"""

from collections.abc import Mapping
from typing import Final

from gateway.setting_tables.web import WebSettings

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS: Final = "same-origin"


def own_origins(scheme: str, headers: Mapping[str, str], web: WebSettings) -> frozenset[str]:
    """Where our pages are from: as the request has named us (``gate`` knows the name), and as all do."""
    named = f"{scheme}://{headers.get('host', '')}"
    return frozenset({named} if web.public_url is None else {named, web.public_url})


def is_foreign(headers: Mapping[str, str], *, own: frozenset[str]) -> bool:
    """Whether a page of somebody else asks.

    Args:
        headers: Of the request, by lower-case name.
        own: Our origins: scheme, host and port.
    """
    site, named = headers.get("sec-fetch-site"), headers.get("origin")
    return (site is not None and site not in {_OURS, "none"}) or (named is not None and named not in own)


def is_ours(headers: Mapping[str, str], *, own: frozenset[str]) -> bool:
    """Whether a page of ours asks, and the browser says so."""
    if is_foreign(headers, own=own):
        return False
    return headers.get("sec-fetch-site") == _OURS or headers.get("origin") in own


def safe_next(path: str) -> str | None:
    """Where to go after signing in: a path on this server; None: anything else, or not clearly that."""
    is_path = path.startswith("/") and not path.startswith("//") and len(path) <= 1_000  # noqa: PLR2004 - enough
    is_plain = path.isascii() and path.isprintable() and not {"\\", " "} & set(path)
    return path if is_path and is_plain else None
