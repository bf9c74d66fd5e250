"""``stadsnav subscription``: over which channels organisations are told."""

import time
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfOrganisation, commands
from gateway.sealing import ResidentSealer
from services import subscriptions
from services.domain.subscribing import NobodyPingsError
from services.domain.subscriptions import (
    ChannelName,
    Payload,
    Ping,
    Signature,
    Subscription,
    SubscriptionState,
)
from services.store import subscriptions as rows
from services.subscriptions import Change, Issued, NewSubscription

PING_WITHIN_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.1

_COLUMNS: Final = ("id", "org", "channel", "state", "after_seconds", "url", "problem")

app = commands("Over which channels organisations are told.")

Which = Annotated[str, typer.Argument(metavar="ID", help="Of the subscription.")]


@app.command("add")
def add(
    context: typer.Context,
    *,
    org: Annotated[str, typer.Option(metavar="ID", help="Who is told.")],
    channel: Annotated[ChannelName, typer.Option(help="How.")],
    url: Annotated[str | None, typer.Option("--url", help="Of a webhook.")] = None,
    payload: Annotated[Payload, typer.Option(help="How much a webhook carries.")] = Payload.FULL,
    signature: Annotated[Signature, typer.Option(help="How a webhook is signed.")] = Signature.HMAC,
    after: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="A second channel: used when no other is confirmed by then."),
    ] = 0.0,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Open a channel. A webhook is a trial until it has answered a ping."""
    new = NewSubscription(
        organisation_id=org,
        channel=channel,
        url=url,
        payload=payload,
        signature=signature,
        after=timedelta(seconds=after),
    )
    with desk(context, data) as at:
        sealer = ResidentSealer(at.folder)
        issued = at.write(
            lambda connection: subscriptions.add(
                connection, new, sealer=sealer, actor=operator(at), now=at.now
            )
        )
    _show_issued(issued, as_json=as_json)


@app.command("list")
def list_subscriptions(
    context: typer.Context,
    *,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List subscriptions by organisation, and how their last attempts went."""
    with desk(context, data) as at:
        found = rows.subscriptions(at.store, organisation_id=org, limit=limit)
    printing.show([_row(item) for item in found], _COLUMNS, as_json=as_json)


@app.command("ping")
def ping(context: typer.Context, *, which: Which, data: Data = None, as_json: AsJson = False) -> None:
    """Try a webhook; the first good try makes it live. The product must run."""
    with desk(context, data) as at:
        asked = at.write(
            lambda connection: subscriptions.request_ping(connection, which, actor=operator(at), now=at.now)
        )
        found = _answered(at, asked)
    printing.show(
        {"id": which, "ok": found.is_ok, "problem": found.problem, "answered_at": found.answered_at},
        as_json=as_json,
    )


@app.command("rotate")
def rotate(context: typer.Context, *, which: Which, data: Data = None, as_json: AsJson = False) -> None:
    """Make a new secret; for a day the old one signs too."""
    with desk(context, data) as at:
        sealer = ResidentSealer(at.folder)
        issued = at.write(
            lambda connection: subscriptions.rotate_secret(
                connection, which, sealer=sealer, actor=operator(at), now=at.now
            )
        )
    _show_issued(issued, as_json=as_json)


@app.command("pause")
def pause(context: typer.Context, *, which: Which, data: Data = None, as_json: AsJson = False) -> None:
    """Send nothing for a while; what is told meanwhile over this channel is not told later."""
    _change(context, which, Change(state=SubscriptionState.PAUSED), data, as_json=as_json)


@app.command("resume")
def resume(context: typer.Context, *, which: Which, data: Data = None, as_json: AsJson = False) -> None:
    """Send again."""
    _change(context, which, Change(state=SubscriptionState.LIVE), data, as_json=as_json)


@app.command("change")
def change(
    context: typer.Context,
    *,
    which: Which,
    url: Annotated[str | None, typer.Option("--url", help="Another address: a trial again.")] = None,
    payload: Annotated[Payload | None, typer.Option(help="How much a webhook carries.")] = None,
    after: Annotated[float | None, typer.Option(metavar="SECONDS", help="0: told at once.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Change where, how much or how late."""
    wanted = Change(url=url, payload=payload, after=None if after is None else timedelta(seconds=after))
    _change(context, which, wanted, data, as_json=as_json)


@app.command("remove")
def remove(context: typer.Context, *, which: Which, data: Data = None, as_json: AsJson = False) -> None:
    """Close a channel; what waits for it is not sent."""
    with desk(context, data) as at:
        found = at.write(
            lambda connection: subscriptions.remove(connection, which, actor=operator(at), now=at.now)
        )
    printing.show(_row(found), as_json=as_json)


def _change(context: typer.Context, which: str, wanted: Change, data: Data, *, as_json: bool) -> None:
    with desk(context, data) as at:
        found = at.write(
            lambda connection: subscriptions.change(connection, which, wanted, actor=operator(at), now=at.now)
        )
    printing.show(_row(found), as_json=as_json)


def _answered(at: Desk, asked: Ping) -> Ping:
    for _ in range(round(PING_WITHIN_SECONDS / POLL_SECONDS)):
        found = rows.ping(at.store, asked.id)
        if found is not None and found.answered_at is not None:
            return found
        time.sleep(POLL_SECONDS)
    raise NobodyPingsError


def _show_issued(issued: Issued, *, as_json: bool) -> None:
    if issued.key is not None:
        printing.note("Keep the key now: it is shown this once. Receivers check signatures with it.")
    printing.show({**_row(issued.subscription), "key": issued.key}, as_json=as_json)


def _row(item: Subscription) -> dict[str, Any]:
    webhook = item.webhook
    return {
        "id": item.id,
        "org": item.organisation_id,
        "channel": item.channel,
        "state": item.state,
        "after_seconds": item.after.total_seconds(),
        "url": webhook.url if webhook else None,
        "payload": webhook.payload if webhook else None,
        "signature": webhook.signature if webhook else None,
        "old_secret_until": webhook.secret.old_until if webhook else None,
        "failing_since": item.failing_since,
        "problem": item.problem,
    }
