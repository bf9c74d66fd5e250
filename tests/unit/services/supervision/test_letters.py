"""Who is written to, when, and what stands in it: of each fault once, and nobody's name."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services import emergencies, subscriptions
from services.alarms import chain, opening
from services.store import letters, status
from services.store.letters import CITY, LetterKind
from services.supervision import auditor
from services.supervision.letters import GATHER, Style, digest, faults_letter
from services.supervision.wording import WORDS, Language
from tests.support.town import Town

EVERY = timedelta(minutes=5)
SWEDISH = Style(city="malmo", language=Language.SWEDISH, zone=ZoneInfo("Europe/Stockholm"))
ENGLISH = Style(city="malmo", language=Language.ENGLISH, zone=ZoneInfo("Europe/Stockholm"))


def opens(town: Town, subject: str = "alarm-1", code: str = "late_timer") -> None:
    town.write(lambda connection: status.open_fault(connection, code, subject, "Lena Ek", at=town.now))


def ends(town: Town, subject: str = "alarm-1", code: str = "late_timer") -> None:
    town.write(lambda connection: status.end_fault(connection, code, subject, at=town.now))


def write(town: Town, *, style: Style = ENGLISH, audience: str = CITY) -> letters.Letter | None:
    written = faults_letter(town.connection, audience, style=style, every=EVERY, now=town.now)
    if written is None:
        return None
    town.write(written.add)
    return written.letter


def send(town: Town) -> list[letters.Letter]:
    """Everything that is due leaves."""
    due = letters.due(town.connection, town.now)
    for letter in due:
        town.write(lambda connection, it=letter: letters.end(connection, it, is_sent=True, now=town.now))
    return due


def wait(town: Town, by: timedelta) -> None:
    town.clock.move_to(town.now + by)


@pytest.fixture
def town(town: Town) -> Town:
    """Letters have been wanted for a while."""
    opens(town, "an-earlier-one")
    wait(town, GATHER)
    assert write(town) is not None
    send(town)
    wait(town, EVERY)
    return town


def test_what_opens_together_is_one_letter_and_is_told_once(town: Town) -> None:
    opens(town, "alarm-1")
    assert write(town) is None  # more may come
    opens(town, "alarm-2")
    wait(town, GATHER)

    letter = write(town)
    sent = send(town)
    wait(town, EVERY)

    assert letter is not None
    assert letter.subject == "Stadsnav malmo, faults: 2 new, 0 ended, 3 open"
    assert letter.body.count("[late_timer alarm-1]") == 2  # as new, and among the open ones
    assert sent == [letter]
    assert write(town) is None


def test_a_flood_of_faults_is_a_letter_every_few_minutes(town: Town) -> None:
    made = []
    for number in range(120):
        opens(town, f"alarm-{number}")
        wait(town, timedelta(seconds=10))
        made.append(write(town))
        send(town)

    assert sum(letter is not None for letter in made) == 120 * 10 // EVERY.total_seconds()


def test_an_end_is_told_also_of_what_came_and_went_in_between(town: Town) -> None:
    opens(town, "alarm-1")
    wait(town, timedelta(seconds=2))
    ends(town, "alarm-1")
    ends(town, "an-earlier-one")
    wait(town, GATHER)

    letter = write(town)

    assert letter is not None
    assert letter.subject == "Stadsnav malmo, faults: 0 new, 2 ended, 0 open"
    assert "No fault is open now." in letter.body


def test_while_a_letter_waits_no_other_is_written_and_then_one_tells_all(town: Town) -> None:
    opens(town, "alarm-1")
    wait(town, GATHER)
    assert write(town) is not None
    opens(town, "alarm-2")
    wait(town, timedelta(hours=3))
    assert write(town) is None  # the server is away

    send(town)
    letter = write(town)

    assert letter is not None
    assert "[late_timer alarm-2]" in letter.body
    assert "faults: 1 new" in letter.subject


def test_nothing_of_it_is_in_memory_a_restart_neither_repeats_nor_loses(town: Town) -> None:
    opens(town, "alarm-1")
    wait(town, GATHER)
    write(town)

    assert [letter.kind for letter in letters.due(town.connection, town.now)] == [LetterKind.FAULTS]
    send(town)
    wait(town, EVERY)
    assert letters.due(town.connection, town.now) == []
    assert write(town) is None


def test_the_first_letter_passes_over_what_ended_before_anybody_asked(town: Town) -> None:
    town.write(lambda connection: connection.run("DELETE FROM fault_letters"))
    town.write(lambda connection: connection.run("DELETE FROM letters"))
    ends(town, "an-earlier-one")
    wait(town, GATHER)

    assert write(town) is None
    opens(town, "alarm-1")
    wait(town, GATHER)
    letter = write(town)

    assert letter is not None
    assert "0 ended" in letter.subject


def test_a_long_list_is_cut_and_says_so(town: Town) -> None:
    for number in range(80):
        opens(town, f"alarm-{number}")
    wait(town, GATHER)

    letter = write(town)

    assert letter is not None
    assert "and 30 more" in letter.body
    assert letter.body.count("\n") < 120


def test_what_a_device_or_a_person_wrote_is_in_no_letter(town: Town) -> None:
    opens(town, "p-1 hello\r\nBcc: all@example.org", opening.CONFLICT)
    wait(town, GATHER)

    letter = write(town)

    assert letter is not None
    assert "[conflicting_event p-1]" in letter.body
    for outside in ("Bcc", "hello", "Lena Ek", "Storgatan"):
        assert outside not in letter.body + letter.subject


def test_every_fault_of_the_product_has_words_in_both_languages() -> None:
    codes = {
        auditor.ANSWER_WITHDRAWN,
        auditor.ABANDONED,
        auditor.UNHEARD,
        auditor.NO_NEXT_STEP,
        auditor.LATE_TIMER,
        auditor.BROKER_DROPPED,
        chain.NOBODY_TO_TELL,
        opening.CONFLICT,
        emergencies.FAULT,
        subscriptions.FAILING,
    }
    for words in WORDS.values():
        assert codes <= words.faults.keys()
    assert WORDS[Language.SWEDISH].faults.keys() == WORDS[Language.ENGLISH].faults.keys()


def day_letter(town: Town, now: datetime, style: Style = SWEDISH) -> letters.Letter | None:
    written = digest(town.connection, style=style, at=time(7, 0), now=now)
    if written is None:
        return None
    town.write(written.add)
    return written.letter


def at(hour: int, minute: int = 0, day: int = 24) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SWEDISH.zone)


def test_the_days_letter_is_written_once_a_day_at_its_time(town: Town) -> None:
    assert day_letter(town, at(6, 59)) is None
    assert day_letter(town, at(7, 1)) is not None
    town.clock.move_to(at(7, 1))
    send(town)
    assert day_letter(town, at(7, 2)) is None
    assert day_letter(town, at(23, 59)) is None
    assert day_letter(town, at(8, 0, day=25)) is not None


def test_the_days_letter_counts_alarms_and_names_nobody(town: Town) -> None:
    town.grant("acme")
    town.clock.move_to(at(2))
    alarm = town.press()
    town.say("p-1", "safety.manual", is_test=True)
    town.say("s-1", "fire.stove")
    wait(town, timedelta(seconds=90))
    town.acknowledge("acme", alarm)
    town.say("p-1", "safety.fall")
    wait(town, timedelta(seconds=30))

    letter = day_letter(town, at(7))

    assert letter is not None
    assert letter.subject == "Stadsnav malmo: dygnet till 2026-11-24 07:00:00"
    assert "- trygghet: 2, besvarade 1, efter 0:01:30 i medeltal, som längst 0:01:30" in letter.body
    assert "- brand: 1, besvarade 0" in letter.body
    assert "- acme via mqtt: " in letter.body
    assert "Enheter som inte hörs: 0" in letter.body
    for outside in ("Storgatan", "operator-17", "Acme AB"):
        assert outside not in letter.body


def test_a_quiet_day_is_told_too(town: Town) -> None:
    ends(town, "an-earlier-one")

    letter = day_letter(town, at(7), ENGLISH)

    assert letter is not None
    assert "No alarm from 2026-11-23 07:00:00 to 2026-11-24 07:00:00" in letter.body
    assert "Every delivery is confirmed." in letter.body
    assert "No fault is open now." in letter.body
