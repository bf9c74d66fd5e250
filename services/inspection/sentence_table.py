"""The sentences of ``sentences``, by action: one line for each action that any part of the product logs.

``{who}`` did it, ``{org}`` is the organisation that it concerns, ``{what}`` is what was seen or told.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sentence:
    """One meaning in two languages."""

    sv: str
    en: str


_S = Sentence

UNKNOWN: Final = _S("{who} gjorde: {action}.", "{who} did: {action}.")
"""For what a newer version has logged."""

SENTENCES: Final = {
    # What left the hub, and what did not.
    "released": _S("{org} fick ett larm om {what}.", "{org} was told of an alarm about {what}."),
    "withheld": _S(
        "{org} fick inte ett larm om {what}, eftersom behörigheten hade upphört.",
        "{org} was not told of an alarm about {what}, because its right to it had ended.",
    ),
    "delivery_replayed": _S(
        "{who} lät skicka ett larm till {org} på nytt.", "{who} had an alarm sent to {org} again."
    ),
    "readings_released": _S(
        "{org} fick mätvärden under dagen, till antalet {what}.",
        "{org} received readings during the day, in number {what}.",
    ),
    # Looks.
    "looked": _S("{who} läste {what}.", "{who} read {what}."),
    "stream_opened": _S(
        "{who} anslöt sig för att få larm direkt.", "{who} connected to be told of alarms at once."
    ),
    "exported_again": _S(
        "{who} lät föra över mätvärden på nytt till ett anslutet system.",
        "{who} had readings transferred again to a connected system.",
    ),
    # Answers.
    "acknowledged": _S("{who} tog sig an ett larm.", "{who} took care of an alarm."),
    "closed": _S("{who} avslutade ett larm.", "{who} closed an alarm."),
    "commented": _S("{who} kommenterade ett larm.", "{who} commented on an alarm."),
    "acted": _S("{who} svarade på ett larm.", "{who} answered an alarm."),
    # Rights.
    "granted": _S("{who} gav {org} behörighet till hemmet.", "{who} gave {org} a right to the home."),
    "grant_revoked": _S(
        "{who} avslutade en behörighet till hemmet för {org}.", "{who} ended a right of {org} to the home."
    ),
    "granted_at_once": _S(
        "{who} gav {org} behörighet till hemmet, utan att någon mer godkände den.",
        "{who} gave {org} a right to the home, without anybody else approving it.",
    ),
    "grant_proposed": _S(
        "{who} föreslog en behörighet till hemmet för {org}.",
        "{who} proposed a right to the home for {org}.",
    ),
    "grant_approved": _S(
        "{who} godkände en behörighet till hemmet för {org}.",
        "{who} approved a right to the home for {org}.",
    ),
    "grant_rejected": _S(
        "{who} avslog en behörighet till hemmet för {org}.",
        "{who} rejected a right to the home for {org}.",
    ),
    "template_added": _S("{who} lade till en mall för behörigheter.", "{who} added a template of grants."),
    "template_removed": _S("{who} tog bort en mall för behörigheter.", "{who} removed a template of grants."),
    "emergency_taken": _S(
        "{who} öppnade hemmets uppgifter i ett nödläge, utan den vanliga behörigheten.",
        "{who} opened the home's details in an emergency, without the usual right.",
    ),
    "emergency_reviewed": _S(
        "{who} följde upp att hemmets uppgifter öppnades i ett nödläge.",
        "{who} followed up on an emergency in which the home's details were opened.",
    ),
    # Who lives there, and what they have said yes to.
    "consent_recorded": _S("{who} antecknade ett samtycke.", "{who} recorded a consent."),
    "consent_withdrawn": _S(
        "{who} antecknade att ett samtycke drogs tillbaka.", "{who} recorded that a consent was withdrawn."
    ),
    "resident_added": _S("{who} registrerade en boende.", "{who} registered a resident."),
    "resident_changed": _S("{who} ändrade uppgifter om en boende.", "{who} changed a resident's details."),
    "resident_moved_out": _S(
        "{who} antecknade att en boende flyttade ut.", "{who} recorded that a resident moved out."
    ),
    "resident_exported": _S(
        "{who} tog fram allt som finns sparat om en boende.", "{who} exported all that is kept of a resident."
    ),
    "resident_erased": _S("{who} raderade uppgifter om en boende.", "{who} erased a resident's details."),
    # The home and what stands in it.
    "home_added": _S("{who} registrerade hemmet.", "{who} registered the home."),
    "home_updated": _S("{who} ändrade uppgifter om hemmet.", "{who} changed the home's details."),
    "device_added": _S("{who} registrerade en enhet i hemmet.", "{who} registered a device of the home."),
    "device_enrolled": _S("{who} anslöt en enhet i hemmet.", "{who} enrolled a device of the home."),
    "device_in_service": _S(
        "{who} tog en enhet i hemmet i drift igen.", "{who} took a device of the home into service again."
    ),
    "device_suspended": _S("{who} stängde av en enhet i hemmet.", "{who} suspended a device of the home."),
    "device_retired": _S("{who} avvecklade en enhet i hemmet.", "{who} retired a device of the home."),
    "rule_set": _S("{who} satte en gräns för mätvärden.", "{who} set a limit on readings."),
    "rule_off": _S("{who} stängde av en gräns för mätvärden.", "{who} turned off a limit on readings."),
    "rule_unset": _S("{who} tog bort en gräns för mätvärden.", "{who} took away a limit on readings."),
    "readings_erasure_asked": _S(
        "{who} begärde att mätvärden raderas.", "{who} asked for readings to be erased."
    ),
    "readings_erased": _S("{who} raderade mätvärden.", "{who} erased readings."),
    # Systems and organisations.
    "integration_added": _S(
        "{who} registrerade ett anslutet system.", "{who} registered a connected system."
    ),
    "integration_in_service": _S(
        "{who} tog ett anslutet system i drift igen.", "{who} took a connected system into service again."
    ),
    "integration_suspended": _S(
        "{who} stängde av ett anslutet system.", "{who} suspended a connected system."
    ),
    "integration_retired": _S("{who} avvecklade ett anslutet system.", "{who} retired a connected system."),
    "foreign_device_adopted": _S(
        "{who} kopplade en enhet till ett anslutet system.", "{who} tied a device to a connected system."
    ),
    "foreign_device_forgotten": _S(
        "{who} kopplade bort en enhet från ett anslutet system.",
        "{who} untied a device from a connected system.",
    ),
    "credentials_issued": _S(
        "{who} lämnade ut ett certifikat för anslutning.", "{who} issued a certificate to connect with."
    ),
    "organisation_added": _S("{who} registrerade en organisation.", "{who} registered an organisation."),
    "contact_set": _S(
        "{who} ändrade vart {org} får brev om fel.", "{who} changed where {org} gets letters about faults."
    ),
    "contact_removed": _S(
        "{who} tog bort vart {org} får brev om fel.", "{who} removed where {org} gets letters about faults."
    ),
    "token_issued": _S("{who} lämnade ut en nyckel till {org}.", "{who} issued a token to {org}."),
    "token_revoked": _S("{who} drog in en nyckel för {org}.", "{who} revoked a token of {org}."),
    "client_added": _S("{who} registrerade ett system hos {org}.", "{who} registered a system of {org}."),
    "client_removed": _S("{who} tog bort ett system hos {org}.", "{who} removed a system of {org}."),
    "subscription_added": _S(
        "{who} lade till ett sätt att få larm för {org}.", "{who} added a way for {org} to be told of alarms."
    ),
    "subscription_changed": _S(
        "{who} ändrade hur {org} får larm.", "{who} changed how {org} is told of alarms."
    ),
    "subscription_pinged": _S(
        "{who} provade hur {org} får larm.", "{who} tried how {org} is told of alarms."
    ),
    "subscription_removed": _S(
        "{who} tog bort ett sätt att få larm för {org}.",
        "{who} removed a way for {org} to be told of alarms.",
    ),
    "subscription_secret_rotated": _S(
        "{who} bytte hemligheten som {org} känner igen larm på.",
        "{who} replaced the secret by which {org} knows that alarms are real.",
    ),
    # People who work with it.
    "account_added": _S("{who} lade upp ett konto hos {org}.", "{who} added an account of {org}."),
    "account_changed": _S("{who} ändrade ett konto hos {org}.", "{who} changed an account of {org}."),
    "account_suspended": _S("{who} stängde av ett konto hos {org}.", "{who} suspended an account of {org}."),
    "account_resumed": _S("{who} öppnade ett konto hos {org} igen.", "{who} resumed an account of {org}."),
    "account_password_set": _S("{who} satte ett nytt lösenord.", "{who} set a new password."),
    "account_totp_set": _S("{who} satte en ny engångskod.", "{who} set a new one-time code."),
    "account_totp_removed": _S("{who} tog bort en engångskod.", "{who} removed a one-time code."),
    "signed_in": _S("{who} loggade in.", "{who} signed in."),
    "sign_in_refused": _S("En inloggning nekades.", "A sign-in was refused."),
    "signed_out": _S("{who} loggade ut.", "{who} signed out."),
    "session_ended": _S("{who} avslutade en inloggning.", "{who} ended a session."),
    # The log itself, and what is counted.
    "head_signed": _S("{who} signerade loggen.", "{who} signed the log."),
    "log_pruned": _S(
        "{who} tog bort den del av loggen som är äldre än fem år.",
        "{who} deleted the part of the log that is older than five years.",
    ),
    "log_read": _S("{who} läste i loggen.", "{who} read the log."),
    "log_exported": _S("{who} exporterade en del av loggen.", "{who} exported a part of the log."),
    "log_extracted": _S(
        "{who} tog fram ett utdrag ur loggen om hemmet.", "{who} made an extract of the log about the home."
    ),
    "sample_drawn": _S(
        "{who} tog ett stickprov ur loggen för kontroll.", "{who} drew a sample of the log to be checked."
    ),
    "sample_reviewed": _S("{who} granskade ett stickprov ur loggen.", "{who} reviewed a sample of the log."),
    "usage_read": _S("{who} läste hur mycket som har använts.", "{who} read how much has been used."),
}
