"""``stadsnav delivery``: who was told what, by which grant, and whether it arrived."""

from typing import Annotated, Any

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfDevice, OfHome, OfOrganisation, commands
from services.delivery import replay as replaying
from services.domain.alarms import DeliveryState
from services.store import overview
from services.store.overview import DeliveryRecord

app = commands("Who was told what.")


@app.command("list")
def list_deliveries(
    context: typer.Context,
    *,
    home: OfHome = None,
    device: OfDevice = None,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest first. ``event`` is the CloudEvents id that the receiver got."""
    with desk(context, data) as at:
        found = overview.deliveries(
            at.store, home_id=home, device_id=device, organisation_id=org, limit=limit
        )
        at.note_look((delivery.home_id for delivery in found), asked_for=home)
    columns = ("event", "type", "org", "step", "state", "sequence", "attempts", "first_sent_at", "reason")
    printing.show([delivery_row(delivery) for delivery in found], columns, as_json=as_json)


@app.command("dead")
def dead(
    context: typer.Context,
    *,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what was told again and again until after the alarm was closed, and never confirmed."""
    with desk(context, data) as at:
        found = overview.deliveries(at.store, organisation_id=org, state=DeliveryState.EXPIRED, limit=limit)
        at.note_look((delivery.home_id for delivery in found), asked_for=None)
    columns = ("delivery", "type", "org", "channel", "sequence", "attempts", "first_sent_at")
    printing.show([delivery_row(delivery) for delivery in found], columns, as_json=as_json)


@app.command("replay")
def replay(
    context: typer.Context,
    *,
    which: Annotated[str, typer.Argument(metavar="ID", help="Of the delivery.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Tell what has expired again, if its receiver may still know."""
    with desk(context, data) as at:
        found = at.write(
            lambda connection: replaying.replay(connection, which, actor=operator(at), now=at.now)
        )
    printing.show({"delivery": found.id, "org": found.organisation_id, "state": found.state}, as_json=as_json)


def delivery_row(delivery: DeliveryRecord) -> dict[str, Any]:
    """A delivery as programs read it."""
    return {
        "delivery": delivery.id,
        "event": delivery.notice_id,
        "type": delivery.type,
        "alarm": delivery.alarm_id,
        "org": delivery.organisation_id,
        "channel": delivery.channel,
        "grant": delivery.grant_id,
        "step": delivery.step,
        "state": delivery.state,
        "sequence": delivery.sequence,
        "attempts": delivery.attempts,
        "first_sent_at": delivery.first_sent_at,
        "settled_at": delivery.settled_at,
        "reason": delivery.reason,
    }
