"""A request with its ``Idempotency-Key``, for routes that change something by POST."""

from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import StringConstraints

from gateway.api.callers import Asking
from gateway.api.desk import Once

Key = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


async def once_of(
    request: Request,
    caller: Asking,
    idempotency_key: Annotated[
        Key | None,
        Header(
            description="A text of your own that nobody guesses, such as a UUID. The same request with the "
            "same key is carried out once: for 24 hours it gets the same answer again.",
            examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        ),
    ] = None,
) -> Once:
    """The request, and from whom."""
    asked = f"{request.method} {request.url.path}"
    content = b"\n".join([asked.encode(), request.url.query.encode(), await request.body()])
    return Once(
        # Not who stands behind it: one administrator makes the tokens of many organisations.
        principal=f"{caller.actor} for {caller.organisation_id}",
        actor=caller.actor,
        organisation_id=caller.organisation_id,
        key=idempotency_key,
        asked=asked,
        content=content,
    )


OnceHere = Annotated[Once, Depends(once_of)]
