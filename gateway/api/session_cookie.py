"""The cookie that carries a session's text: for this host, over https, and for no script.

https                       __Host-stadsnav   Secure; HttpOnly; SameSite=Lax; Path=/
http (a test, a demo)       stadsnav          the same without Secure, which a browser would refuse there
"""

from typing import Final

from fastapi import Request, Response

from gateway.setting_tables.web import WebSettings

NAME: Final = "stadsnav"
CSRF_HEADER: Final = "x-csrf-token"


def name(web: WebSettings, of: str = NAME) -> str:
    """What a cookie is called here."""
    return f"__Host-{of}" if web.is_https else of


def put(response: Response, web: WebSettings, text: str, *, of: str = NAME) -> None:
    """Give a browser a cookie, until it is closed: how long a session lasts is ours to say."""
    response.set_cookie(name(web, of), text, path="/", secure=web.is_https, httponly=True, samesite="lax")


def take_away(response: Response, web: WebSettings, *, of: str = NAME) -> None:
    """Have a browser forget a cookie."""
    response.delete_cookie(name(web, of), path="/", secure=web.is_https, httponly=True, samesite="lax")


def text_in(request: Request, web: WebSettings, *, of: str = NAME) -> str | None:
    """What a browser shows; None: nothing."""
    return request.cookies.get(name(web, of))
