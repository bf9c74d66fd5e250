"""What each action of the log means, in a sentence for the person whom it is about.

    entry ──action──> sentence in Swedish or English ──who, what, whom──> filled in

Who is named as an organisation, never as a person: a resident is told which unit saw something and why; which
of its people it was, the organisation answers for, and the log tells the auditor. A test collects the actions
from the source: none may lack a sentence.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.kinds import DataClass
from services.inspection.sentence_table import SENTENCES, UNKNOWN
from services.store.audit import BY_THE_HUB, AuditRow


class Language(StrEnum):
    """In which an extract is written."""

    SV = "sv"
    EN = "en"


@dataclass(frozen=True, slots=True)
class _Words:
    sv: str
    en: str

    def of(self, language: Language) -> str:
        return self.sv if language is Language.SV else self.en


_CLASSES: Final = {
    DataClass.SAFETY: _Words("trygghetslarm", "safety alarms"),
    DataClass.CARE: _Words("omsorg", "care"),
    DataClass.FIRE: _Words("brand", "fire"),
    DataClass.PROPERTY: _Words("bostaden", "the dwelling"),
    DataClass.TECHNICAL: _Words("teknik", "technical matters"),
    DataClass.CLIMATE: _Words("inomhusklimat", "indoor climate"),
    DataClass.ENERGY: _Words("energi", "energy"),
    DataClass.CAMERA: _Words("kamera", "camera"),
}

_THINGS: Final = {
    "alarm": _Words("larm", "alarms"),
    "alarms": _Words("larm", "alarms"),
    "event": _Words("händelser", "events"),
    "events": _Words("händelser", "events"),
    "reading": _Words("mätvärden", "readings"),
    "readings": _Words("mätvärden", "readings"),
    "delivery": _Words("utskick av larm", "deliveries of alarms"),
    "deliveries": _Words("utskick av larm", "deliveries of alarms"),
    "quarantine": _Words("meddelanden som inte kunde tas emot", "messages that could not be taken"),
    "home": _Words("uppgifter om hemmet", "the home's details"),
    "homes": _Words("uppgifter om hemmet", "the home's details"),
    "resident": _Words("uppgifter om boende", "residents' details"),
    "residents": _Words("uppgifter om boende", "residents' details"),
    "consent": _Words("samtycken", "consents"),
    "consents": _Words("samtycken", "consents"),
    "grant": _Words("behörigheter", "grants"),
    "grants": _Words("behörigheter", "grants"),
    "device": _Words("uppgifter om enheter", "devices' details"),
    "devices": _Words("uppgifter om enheter", "devices' details"),
    "positions": _Words("uppgifter om enheter", "devices' details"),
}
"""By the first of these words in what was asked."""

_THE_HOME: Final = _Words("uppgifter om hemmet", "the home's details")
_SYSTEM: Final = _Words("systemet", "the system")
_OPERATORS: Final = _Words("stadens driftpersonal", "the city's operators")
_STAFF_OF: Final = _Words("personal hos {}", "staff of {}")
_MACHINE_OF: Final = _Words("ett system hos {}", "a system of {}")
_CITY: Final = _Words("staden", "the city")

_MACHINES: Final = frozenset({"token", "client", "certificate"})


def sentence(row: AuditRow, *, language: Language, organisation: str | None) -> str:
    """An entry in a sentence.

    Args:
        row: The entry.
        language: In which.
        organisation: The name of the organisation that the entry names.
    """
    form = SENTENCES.get(row.action, UNKNOWN)
    text = (form.sv if language is Language.SV else form.en).format(
        who=_who(row.actor, language, organisation),
        org=organisation or _CITY.of(language),
        what=_what(row, language),
        action=row.action,
    )
    return text[:1].upper() + text[1:]


def _who(actor: str, language: Language, organisation: str | None) -> str:
    kind, colon, _ = actor.partition(":")
    whose = organisation or _CITY.of(language)
    match kind:
        case _ if actor == BY_THE_HUB:
            return _SYSTEM.of(language)
        case "cli" | "operator" if colon:
            return _OPERATORS.of(language)
        case _ if colon and kind in _MACHINES:
            return _MACHINE_OF.of(language).format(whose)
        case _ if organisation is None:
            return _OPERATORS.of(language)
        case _:
            return _STAFF_OF.of(language).format(whose)


def _what(row: AuditRow, language: Language) -> str:
    """What was seen or told, as far as the entry says it in its own words."""
    words = row.details.split()
    match row.action, words:
        case "readings_released", [count, _, _, data_class]:
            return f"{count} ({_class(data_class, language)})"
        case "released" | "withheld", [*_, kind]:
            return _class(kind.partition(".")[0], language)
        case _:
            return next((_THINGS[word] for word in words if word in _THINGS), _THE_HOME).of(language)


def _class(name: str, language: Language) -> str:
    return _CLASSES[DataClass(name)].of(language) if name in set(DataClass) else name
