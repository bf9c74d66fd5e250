"""Letters as rows: one of a kind on its way, what has ended stays, and is forgotten in the end."""

from datetime import timedelta

import apsw
import pytest

from services.domain.ids import new_id
from services.store import letters, status
from services.store.letters import CITY, Letter, LetterKind
from tests.support.town import Town


def letter(town: Town, audience: str = CITY, kind: LetterKind = LetterKind.FAULTS) -> Letter:
    return Letter(id=new_id(), audience=audience, kind=kind, subject="s", body="b", made_at=town.now)


def test_a_letter_comes_back_as_it_was_written(town: Town) -> None:
    one = letter(town)

    letters.add(town.connection, one)

    assert letters.due(town.connection, town.now) == [one]
    assert letters.on_its_way(town.connection, CITY, LetterKind.FAULTS) == one
    assert letters.on_its_way(town.connection, CITY, LetterKind.DIGEST) is None
    assert letters.last_made_at(town.connection, CITY, LetterKind.FAULTS) == town.now


def test_of_each_kind_an_audience_has_one_on_its_way(town: Town) -> None:
    letters.add(town.connection, letter(town))
    letters.add(town.connection, letter(town, kind=LetterKind.DIGEST))
    letters.add(town.connection, letter(town, audience="acme"))

    with pytest.raises(apsw.ConstraintError):
        letters.add(town.connection, letter(town))


def test_a_letter_that_waits_is_due_at_its_time_and_one_that_ended_never(town: Town) -> None:
    one = letter(town)
    letters.add(town.connection, one)
    later = town.now + timedelta(minutes=1)

    letters.postpone(town.connection, one, until=later)
    assert letters.due(town.connection, town.now) == []
    [again] = letters.due(town.connection, later)
    assert again.attempts == 1
    letters.end(town.connection, again, is_sent=True, now=later)

    assert letters.due(town.connection, later + timedelta(days=1)) == []
    assert letters.last_made_at(town.connection, CITY, LetterKind.FAULTS) == one.made_at


def test_an_organisation_has_one_contact_or_none(town: Town) -> None:
    letters.set_contact(town.connection, "acme", "a@example.org")
    letters.set_contact(town.connection, "acme", "b@example.org")
    assert letters.contacts(town.connection) == {"acme": "b@example.org"}

    letters.set_contact(town.connection, "acme", None)

    assert letters.contacts(town.connection) == {}


def test_what_ended_long_ago_is_forgotten_and_nothing_else(town: Town) -> None:
    opened = town.now
    status.open_fault(town.connection, "late_timer", "old", "", at=opened)
    status.open_fault(town.connection, "late_timer", "open", "", at=opened)
    news = letters.news_of_faults(town.connection, CITY, ended_after=opened)
    sent, waiting = letter(town), letter(town, audience="acme")
    letters.add(town.connection, sent, news)
    letters.add(town.connection, waiting)
    letters.end(town.connection, sent, is_sent=True, now=opened)
    status.end_fault(town.connection, "late_timer", "old", at=opened)

    letters.forget(town.connection, before=opened + timedelta(days=1))

    assert [row[0] for row in town.connection.rows("SELECT audience FROM letters")] == ["acme"]
    told = town.connection.rows("SELECT f.subject FROM fault_letters l JOIN faults f ON f.id = l.fault_id")
    assert [row[0] for row in told] == ["open"]
