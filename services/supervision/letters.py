"""What is written about the hub, to whom and when; never about an alarm alone.

fault opens or ends ──20 s, for what comes with it──> one letter, at most one in some minutes
every morning       ──────────────────────────────> how the day went

Reading is apart from writing: a letter is composed from a reader's rows, then added in a short transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

from devices.kinds import DataClass
from services.domain.ids import new_id
from services.domain.subscriptions import ChannelName
from services.store import figures, letters
from services.store.connection import Connection
from services.store.figures import Raised, Waiting
from services.store.letters import CITY, FaultNews, Letter, LetterKind
from services.supervision.wording import WORDS, Language, Words

GATHER: Final = timedelta(seconds=20)
TOLD_WITHIN: Final = timedelta(days=7)
"""What ended before that is not told any more."""

FAULTS_LISTED: Final = 50
DAY: Final = timedelta(days=1)
DEAD_LETTERS_OF: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How letters are written here."""

    city: str
    language: Language
    zone: tzinfo

    @property
    def words(self) -> Words:
        """Of the language."""
        return WORDS[self.language]

    def moment(self, at: datetime) -> str:
        """A time as people read it."""
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def fault(self, code: str) -> str:
        """What a fault is; its code where we have no words for it."""
        return self.words.faults.get(code, code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A letter that is to be added, and the news that it tells."""

    letter: Letter | None
    """None: there is only something to remember."""
    news: tuple[FaultNews, ...] = ()
    audience: str = CITY

    def add(self, connection: Connection) -> None:
        """Put it on its way, in the caller's transaction."""
        if self.letter is None:
            letters.note_told(connection, self.audience, self.news)
        else:
            letters.add(connection, self.letter, self.news)


def faults_letter(
    connection: Connection, audience: str, *, style: Style, every: timedelta, now: datetime
) -> Written | None:
    """A letter about faults, when one is due: something is new, and the last one is some minutes old.

    The first time, what had ended before anybody wanted letters is passed over.
    """
    if letters.on_its_way(connection, audience, LetterKind.FAULTS) is not None:
        return None
    last_at = letters.last_made_at(connection, audience, LetterKind.FAULTS)
    if last_at is not None and now - last_at < every:
        return None
    news = letters.news_of_faults(connection, audience, ended_after=now - TOLD_WITHIN)
    old = tuple(item for item in news if item.ended_at is not None) if last_at is None else ()
    news = [item for item in news if item not in old]
    if not news:
        return Written(letter=None, news=old, audience=audience) if old else None
    if now - min(item.ended_at or item.opened_at for item in news) < GATHER:
        return None
    still = letters.open_faults(connection, audience, limit=FAULTS_LISTED + 1)
    letter = _letter(audience, LetterKind.FAULTS, _faults_text(news, still, style, now), now)
    return Written(letter=letter, news=(*news, *old), audience=audience)


def digest(connection: Connection, *, style: Style, at: time, now: datetime) -> Written | None:
    """The day's letter to the city, when its time has come and it is not written yet."""
    today = now.astimezone(style.zone)
    until = today.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    last_at = letters.last_made_at(connection, CITY, LetterKind.DIGEST)
    if now < until or (last_at is not None and last_at >= until):
        return None
    if letters.on_its_way(connection, CITY, LetterKind.DIGEST) is not None:
        return None
    parts = [
        *_open_now(letters.open_faults(connection, CITY, limit=FAULTS_LISTED + 1), style),
        "",
        *_alarms(figures.raised_between(connection, until - DAY, until), until, style),
        "",
        style.words.silent.format(count=figures.devices_silent(connection)),
        "",
        *_waiting(_unconfirmed(connection, now), style, now),
        style.words.expired.format(count=figures.expired_since(connection, now - DEAD_LETTERS_OF)),
    ]
    subject = style.words.digest_subject.format(city=style.city, until=style.moment(until))
    return Written(letter=_letter(CITY, LetterKind.DIGEST, (subject, _closed(parts, style, now)), now))


def _letter(audience: str, kind: LetterKind, text: tuple[str, str], now: datetime) -> Letter:
    return Letter(id=new_id(), audience=audience, kind=kind, subject=text[0], body=text[1], made_at=now)


def _faults_text(
    news: Sequence[FaultNews], still: Sequence[FaultNews], style: Style, now: datetime
) -> tuple[str, str]:
    words = style.words
    opened = [item for item in news if item.ended_at is None]
    ended = [item for item in news if item.ended_at is not None]
    lines = []
    if opened:
        lines += [words.opened, *_listed(opened, style), ""]
    if ended:
        lines += [words.ended, *_listed(ended, style), ""]
    lines += _open_now(still, style)
    subject = words.faults_subject.format(
        city=style.city, opened=len(opened), ended=len(ended), open=_count(still)
    )
    return subject, _closed(lines, style, now)


def _open_now(still: Sequence[FaultNews], style: Style) -> list[str]:
    return [style.words.still_open, *_listed(still, style)] if still else [style.words.none_open]


def _listed(items: Sequence[FaultNews], style: Style) -> list[str]:
    lines = [f"- {_line(item, style)}" for item in items[:FAULTS_LISTED]]
    if len(items) > FAULTS_LISTED:
        lines.append(f"- {style.words.more.format(count=_over(items))}")
    return lines


def _line(item: FaultNews, style: Style) -> str:
    since = style.moment(item.opened_at)
    when = (
        style.words.since.format(since=since)
        if item.ended_at is None
        else style.words.from_until.format(since=since, until=style.moment(item.ended_at))
    )
    return f"{style.fault(item.code)} [{item.code} {_own_id(item.subject)}], {when}"


def _own_id(subject: str) -> str:
    """What a fault is about, by an id of ours: what a device wrote behind it is left out."""
    return subject.partition(" ")[0][:64]


def _alarms(found: Sequence[Raised], until: datetime, style: Style) -> list[str]:
    words, span = style.words, {"since": style.moment(until - DAY), "until": style.moment(until)}
    if not found:
        return [words.no_alarms.format(**span)]
    by_class: dict[DataClass, list[Raised]] = defaultdict(list)
    for item in found:
        by_class[item.kind.data_class].append(item)
    return [
        words.alarms.format(**span),
        *(_of_class(data_class, items, style) for data_class, items in sorted(by_class.items())),
    ]


def _of_class(data_class: DataClass, items: Sequence[Raised], style: Style) -> str:
    answered = sum(item.answered for item in items)
    line = style.words.alarms_of_class.format(
        name=style.words.classes[data_class], count=sum(item.count for item in items), answered=answered
    )
    if answered:
        total_s = sum(item.answered * (item.mean_seconds or 0.0) for item in items)
        longest_s = max(item.longest_seconds or 0.0 for item in items)
        line += style.words.answer_times.format(mean=_span(total_s / answered), longest=_span(longest_s))
    return f"- {line}"


def _unconfirmed(connection: Connection, now: datetime) -> list[Waiting]:
    """Without the streams: those confirm when they resume, and until then nothing is amiss."""
    found = figures.waiting(connection, now=now)
    return [item for item in found if item.channel != ChannelName.STREAM]


def _waiting(found: Sequence[Waiting], style: Style, now: datetime) -> list[str]:
    if not found:
        return [style.words.none_waiting]
    lines = [
        style.words.waiting_at.format(
            organisation=item.organisation_id,
            channel=item.channel,
            count=item.count,
            age=_span((now - item.waits_since).total_seconds()),
        )
        for item in found
    ]
    return [style.words.waiting, *(f"- {line}" for line in lines)]


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(max(seconds, 0.0))))


def _count(items: Sequence[FaultNews]) -> str:
    return f"{FAULTS_LISTED}+" if len(items) > FAULTS_LISTED else str(len(items))


def _over(items: Sequence[FaultNews]) -> str:
    return str(len(items) - FAULTS_LISTED)


def _closed(lines: Sequence[str], style: Style, now: datetime) -> str:
    return "\n".join([*lines, "", style.words.end.format(at=style.moment(now)), ""])
