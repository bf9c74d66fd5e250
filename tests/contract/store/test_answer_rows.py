"""Receipts wait until the broker has them; a reply that was given once is given again."""

import pytest

from services.domain.ids import new_id
from services.store import answers
from services.store.answers import HomeReceipt
from tests.support.clock import START
from tests.support.stores import Database, StoreUnderTest


def receipt() -> HomeReceipt:
    return HomeReceipt(id=new_id(), client_id="hub-1", device_id="p-1", payload=b'{"id":"\x00"}')


def test_receipts_wait_oldest_first_until_they_are_marked_sent(db: Database) -> None:
    first, second = receipt(), receipt()

    with db.transaction():
        for item in (second, first):
            answers.add_receipt(db, item, at=START)
    before = answers.unsent_receipts(db, limit=9)
    with db.transaction():
        answers.mark_sent(db, first.id, at=START)

    assert before == [first, second]
    assert answers.unsent_receipts(db, limit=9) == [second]


def test_no_more_receipts_come_than_asked_for(db: Database) -> None:
    with db.transaction():
        for _ in range(3):
            answers.add_receipt(db, receipt(), at=START)

    assert len(answers.unsent_receipts(db, limit=2)) == 2


def test_a_reply_is_kept_for_the_organisation_and_request(settled: Database) -> None:
    with settled.transaction():
        answers.keep_reply(settled, "acme", "r1", b'{"ok":true}\x00', at=START)

    assert answers.reply_to(settled, "acme", "r1") == b'{"ok":true}\x00'
    assert answers.reply_to(settled, "acme", "r2") is None
    assert answers.reply_to(settled, "beta", "r1") is None


def test_a_request_has_one_reply(settled: Database, store: StoreUnderTest) -> None:
    with settled.transaction():
        answers.keep_reply(settled, "acme", "r1", b"first", at=START)

    with pytest.raises(store.rule_broken), settled.transaction():
        answers.keep_reply(settled, "acme", "r1", b"second", at=START)

    assert answers.reply_to(settled, "acme", "r1") == b"first"
