"""Time-based and recovery codes: right for a moment, and once."""

from datetime import timedelta
from functools import partial

import pyotp
import pytest

from services.domain.accounts import Account
from services.identity import accounts, codes
from services.identity.accounts import NewAccount
from services.identity.codes import Enrolment
from services.store import accounts as rows
from tests.support.town import TESTER, Town


@pytest.fixture
def anna(town: Town) -> Account:
    new = NewAccount(login="anna", organisation_id="acme", roles=("care-operator",))
    return town.write(partial(accounts.add, new=new, by=None, actor=TESTER, now=town.now))


@pytest.fixture
def made(town: Town, anna: Account) -> Enrolment:
    made = codes.enrolment("anna", issuer="test")
    town.write(partial(rows.set_totp, account_id=anna.id, secret=b"sealed", codes=made.digests))
    return made


def use(town: Town, anna: Account, made: Enrolment, code: str) -> bool:
    return town.write(partial(codes.use, account_id=anna.id, secret=made.secret, code=code, now=town.now))


@pytest.mark.parametrize(
    ("seconds", "is_right"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)]
)
def test_a_code_is_right_for_half_a_minute_to_either_side(
    town: Town,
    anna: Account,
    made: Enrolment,
    seconds: int,
    is_right: bool,  # noqa: FBT001
) -> None:
    code = pyotp.TOTP(made.secret).at(town.now + timedelta(seconds=seconds))

    assert use(town, anna, made, code) is is_right


def test_a_code_is_good_once_and_an_earlier_one_not_after_it(
    town: Town, anna: Account, made: Enrolment
) -> None:
    before, now = (pyotp.TOTP(made.secret).at(town.now + timedelta(seconds=s)) for s in (-30, 0))

    assert use(town, anna, made, f" {now[:3]} {now[3:]} ")
    assert not use(town, anna, made, now)
    assert not use(town, anna, made, before)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\0" * 6])
def test_what_is_no_code_is_wrong(town: Town, anna: Account, made: Enrolment, code: str) -> None:
    assert not use(town, anna, made, code)


def test_a_recovery_code_is_good_once_however_it_is_typed(town: Town, anna: Account, made: Enrolment) -> None:
    code = made.recovery_codes[3]

    def recover(typed: str) -> bool:
        return town.write(partial(codes.use_recovery, account_id=anna.id, code=typed))

    assert recover(code.lower().replace("-", " "))
    assert not recover(code)
    assert not recover("")
    assert rows.count_recovery_codes(town.connection, anna.id) == codes.RECOVERY_CODES - 1


def test_recovery_codes_cannot_be_guessed_and_are_not_kept(town: Town, made: Enrolment) -> None:
    assert {len(code.replace("-", "")) * 5 for code in made.recovery_codes} == {80}
    kept = repr(town.connection.rows("SELECT * FROM recovery_codes"))
    assert not any(code in kept for code in made.recovery_codes)
