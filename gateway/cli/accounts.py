"""``stadsnav account``: the people who sign in; whoever is on the machine makes the first of them.

A password comes from a prompt, or from a line on stdin when that is no terminal: never from the command line,
where other users and the shell's history would see it.
"""

import sys
from typing import Annotated, Any

import typer

from gateway import settings
from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfOrganisation, Roles, commands
from services.domain.accounts import Account, AccountState, Identity
from services.domain.errors import InvalidError
from services.identity import accounts, codes, passwords, sessions
from services.identity.accounts import Change, NewAccount
from services.store import accounts as rows
from services.store import sessions as session_rows

app = commands("People who sign in.")

Login = Annotated[str, typer.Argument(metavar="LOGIN")]


@app.command("add")
def add(
    context: typer.Context,
    *,
    login: Login,
    org: Annotated[str, typer.Option(metavar="ID", help="For which organisation they act.")],
    role: Roles,
    name: Annotated[str, typer.Option(metavar="TEXT", help="What others read; the login if not given.")] = "",
    subject: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Who they are at the identity provider; then no password."),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make an account, and give it a password from the prompt or from stdin."""
    with desk(context, data) as at:
        new = NewAccount(
            login=login,
            organisation_id=org,
            roles=tuple(role or ()),
            name=name,
            identity=None if subject is None else _identity(at, subject),
        )
        hashed = None if subject is not None else _hashed(names=(login, name))

        def work(connection: Any) -> Account:
            added = accounts.add(connection, new, by=None, actor=at.actor, now=at.now)
            if hashed is None:
                return added
            return accounts.set_password(connection, added.id, hashed, by=None, actor=at.actor, now=at.now)

        added = at.write(work)
    printing.show(_row(added), as_json=as_json)


@app.command("list")
def list_accounts(
    context: typer.Context,
    *,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List accounts, the newest first."""
    with desk(context, data) as at:
        found = [_row(account) for account in rows.accounts(at.store, organisation_id=org, limit=limit)]
    columns = ("login", "name", "org", "roles", "state", "totp", "last_sign_in_at")
    printing.show(found, columns, as_json=as_json)


@app.command("show")
def show(context: typer.Context, *, login: Login, data: Data = None, as_json: AsJson = False) -> None:
    """Show one account."""
    with desk(context, data) as at:
        account = accounts.seen(at.store, login, by=None)
        found = _row(account) | {"recovery_codes": rows.count_recovery_codes(at.store, account.id)}
    printing.show(found, as_json=as_json)


@app.command("password")
def password(context: typer.Context, *, login: Login, data: Data = None, as_json: AsJson = False) -> None:
    """Give somebody another password, from the prompt or from stdin; their sessions end."""
    with desk(context, data) as at:
        account = accounts.seen(at.store, login, by=None)
        hashed = _hashed(names=(account.login, account.name))
        changed = at.write(
            lambda connection: accounts.set_password(
                connection, account.id, hashed, by=None, actor=at.actor, now=at.now
            )
        )
    printing.show(_row(changed), as_json=as_json)


@app.command("totp")
def totp(
    context: typer.Context,
    *,
    login: Login,
    remove: Annotated[bool, typer.Option("--remove", help="Ask for codes no more.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a second factor, shown now and never again; their sessions end."""
    from gateway.sealing import ResidentSealer  # noqa: PLC0415 - only here

    with desk(context, data) as at:
        account = accounts.seen(at.store, login, by=None)
        made = None if remove else codes.enrolment(account.login, issuer=f"Stadsnav {_city(at)}")
        sealed = None
        if made is not None:
            sealed = ResidentSealer(at.folder).seal(made.secret.encode(), about=f"account:{account.id}")
        changed = at.write(
            lambda connection: accounts.set_totp(
                connection,
                account.id,
                sealed,
                () if made is None else made.digests,
                by=None,
                actor=at.actor,
                now=at.now,
            )
        )
    found = _row(changed)
    if made is not None:
        printing.note("Keep these now: they are shown this once.")
        found = {
            "secret": made.secret,
            "uri": made.uri,
            "recovery_codes": list(made.recovery_codes),
            **found,
        }
    printing.show(found, as_json=as_json)


@app.command("suspend")
def suspend(context: typer.Context, *, login: Login, data: Data = None, as_json: AsJson = False) -> None:
    """Let somebody in no more; their sessions end at once."""
    _set_state(context, login, AccountState.SUSPENDED, data, as_json=as_json)


@app.command("resume")
def resume(context: typer.Context, *, login: Login, data: Data = None, as_json: AsJson = False) -> None:
    """Let somebody in again."""
    _set_state(context, login, AccountState.ACTIVE, data, as_json=as_json)


@app.command("roles")
def roles(
    context: typer.Context, *, login: Login, role: Roles, data: Data = None, as_json: AsJson = False
) -> None:
    """Give somebody these roles instead of theirs; their sessions end at once."""
    with desk(context, data) as at:
        found = _row(_changed(at, login, Change(roles=tuple(role or ()))))
    printing.show(found, as_json=as_json)


@app.command("sessions")
def list_sessions(
    context: typer.Context, *, login: Login, data: Data = None, as_json: AsJson = False
) -> None:
    """List where somebody is signed in, the newest first."""
    with desk(context, data) as at:
        account = accounts.seen(at.store, login, by=None)
        found = [
            {
                "id": session.id,
                "method": session.method,
                "opened_at": session.opened_at,
                "seen_at": session.seen_at,
                "expires_at": session.expires_at,
            }
            for session in session_rows.open_of(at.store, account.id, now=at.now)
        ]
    printing.show(found, ("id", "method", "opened_at", "seen_at", "expires_at"), as_json=as_json)


@app.command("end-sessions")
def end_sessions(context: typer.Context, *, login: Login, data: Data = None, as_json: AsJson = False) -> None:
    """Sign somebody out everywhere, at once."""
    with desk(context, data) as at:
        account = accounts.seen(at.store, login, by=None)
        ended = at.write(lambda connection: sessions.end_all(connection, account, actor=at.actor, now=at.now))
    printing.show({"login": account.login, "ended": ended}, as_json=as_json)


def _set_state(context: typer.Context, login: str, state: AccountState, data: Any, *, as_json: bool) -> None:
    with desk(context, data) as at:
        found = _row(_changed(at, login, Change(state=state)))
    printing.show(found, as_json=as_json)


def _changed(at: Desk, login: str, wanted: Change) -> Account:
    account = accounts.seen(at.store, login, by=None)
    return at.write(
        lambda connection: accounts.change(
            connection, account.id, wanted, by=None, actor=at.actor, now=at.now
        )
    )


def _hashed(*, names: tuple[str, ...]) -> str:
    """A password that was typed twice, or is the next line on stdin; as it is kept."""
    if sys.stdin.isatty():
        text: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    passwords.check(text, names=names)
    return passwords.hashed(text)


def _identity(at: Desk, subject: str) -> Identity:
    issuer = settings.load(at.folder.path).identity.issuer
    if issuer is None:
        raise InvalidError("subject", subject, expected="the setting identity.issuer, whose subject it is")
    return Identity(issuer=issuer, subject=subject)


def _city(at: Desk) -> str:
    return settings.load(at.folder.path).city


def _row(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "login": account.login,
        "name": account.name,
        "org": account.organisation_id,
        "roles": sorted(account.roles),
        "state": account.state,
        "password": account.has_password,
        "totp": account.has_totp,
        "subject": None if account.identity is None else account.identity.subject,
        "created_at": account.created_at,
        "last_sign_in_at": account.last_sign_in_at,
    }
