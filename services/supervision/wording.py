"""The words of letters, Swedish and English. Codes and ids only: no name or address, nothing from outside."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.kinds import DataClass


class Language(StrEnum):
    """What letters are written in."""

    SWEDISH = "sv"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. In braces what is filled in."""

    faults_subject: str
    digest_subject: str
    opened: str
    ended: str
    still_open: str
    none_open: str
    more: str
    since: str
    from_until: str
    alarms: str
    no_alarms: str
    alarms_of_class: str
    answer_times: str
    silent: str
    waiting: str
    none_waiting: str
    waiting_at: str
    expired: str
    end: str
    faults: dict[str, str]
    """What a fault is, by its code."""
    classes: dict[DataClass, str]


WORDS: Final = {
    Language.ENGLISH: Words(
        faults_subject="Stadsnav {city}, faults: {opened} new, {ended} ended, {open} open",
        digest_subject="Stadsnav {city}: the day until {until}",
        opened="New faults:",
        ended="Ended:",
        still_open="Open now:",
        none_open="No fault is open now.",
        more="and {count} more, see `stadsnav doctor`",
        since="since {since}",
        from_until="{since} to {until}",
        alarms="Alarms from {since} to {until}, tests left out:",
        no_alarms="No alarm from {since} to {until}, tests left out.",
        alarms_of_class="{name}: {count}, answered {answered}",
        answer_times=", after {mean} on average, {longest} at most",
        silent="Devices that are not heard: {count}",
        waiting="Deliveries that are not confirmed:",
        none_waiting="Every delivery is confirmed.",
        waiting_at="{organisation} by {channel}: {count}, the oldest for {age}",
        expired="Given up in the last week, never confirmed: {count}",
        end="This letter was written by the hub at {at}. It is no alarm, and nobody need answer it.",
        faults={
            "answer_withdrawn": "Who answered an alarm may not know of it any more; the chain goes on",
            "alarm_nobody_may_answer": "Nobody who was told of an alarm may know of it any more; it goes on",
            "city_does_not_confirm": "Nobody answered an alarm and the city does not confirm: call somebody",
            "alarm_without_next_step": "An open alarm had no next step; it has one now",
            "late_timer": "A timer of an alarm is late: look at the alarm process and the disk",
            "broker_dropped_messages": "The broker has dropped messages, a queue was full",
            "nobody_to_tell": "There is nobody to tell of an alarm: register the city's own organisation",
            "conflicting_event": "A device used one id for two different alarms; both are kept",
            "webhook_failing": "A webhook does not take its events",
            "emergency_access": "Emergency access was taken: follow it up",
            "deadman_not_reached": "The dead-man address outside cannot be reached",
            "mail_not_sent": "Letters could not be sent",
        },
        classes={data_class: data_class.value for data_class in DataClass},
    ),
    Language.SWEDISH: Words(
        faults_subject="Stadsnav {city}, fel: {opened} nya, {ended} avslutade, {open} öppna",
        digest_subject="Stadsnav {city}: dygnet till {until}",
        opened="Nya fel:",
        ended="Avslutade:",
        still_open="Öppna nu:",
        none_open="Inget fel är öppet nu.",
        more="och {count} till, se `stadsnav doctor`",
        since="sedan {since}",
        from_until="{since} till {until}",
        alarms="Larm från {since} till {until}, prov borträknade:",
        no_alarms="Inget larm från {since} till {until}, prov borträknade.",
        alarms_of_class="{name}: {count}, besvarade {answered}",
        answer_times=", efter {mean} i medeltal, som längst {longest}",
        silent="Enheter som inte hörs: {count}",
        waiting="Leveranser som inte är bekräftade:",
        none_waiting="Alla leveranser är bekräftade.",
        waiting_at="{organisation} via {channel}: {count}, den äldsta i {age}",
        expired="Gavs upp den senaste veckan, aldrig bekräftade: {count}",
        end="Detta brev skrevs av hubben {at}. Det är inget larm, och ingen behöver svara på det.",
        faults={
            "answer_withdrawn": "Den som besvarade ett larm får inte veta om det längre; kedjan går vidare",
            "alarm_nobody_may_answer": "Ingen som fått veta om ett larm får veta det längre; det går vidare",
            "city_does_not_confirm": "Ingen besvarade ett larm och staden bekräftar det inte: ring någon",
            "alarm_without_next_step": "Ett öppet larm saknade nästa steg; nu har det ett",
            "late_timer": "En tidtagning för ett larm är sen: se efter larmprocessen och disken",
            "broker_dropped_messages": "Mäklaren har kastat meddelanden, en kö var full",
            "nobody_to_tell": "Ingen finns att berätta om ett larm för: registrera stadens egen organisation",
            "conflicting_event": "En enhet använde ett id för två olika larm; båda är sparade",
            "webhook_failing": "En webhook tar inte emot sina händelser",
            "emergency_access": "Nödåtkomst har tagits: följ upp den",
            "deadman_not_reached": "Den bevakande adressen utanför går inte att nå",
            "mail_not_sent": "Brev kunde inte skickas",
        },
        classes={
            DataClass.SAFETY: "trygghet",
            DataClass.CARE: "omsorg",
            DataClass.FIRE: "brand",
            DataClass.PROPERTY: "fastighet",
            DataClass.TECHNICAL: "teknik",
            DataClass.CLIMATE: "klimat",
            DataClass.ENERGY: "energi",
            DataClass.CAMERA: "kamera",
        },
    ),
}
