"""The names on the page, each with what it means. Dashboard and alerts are tested against the page."""

from typing import Final

NameAndHelp = tuple[str, str]

STORE: Final[NameAndHelp] = (
    "stadsnav_store_seconds",
    "From a message's arrival until it is on disk; lane reading: of the oldest in each commit",
)
DELIVER: Final[NameAndHelp] = (
    "stadsnav_deliver_seconds",
    "From a home's event until its first receivers were handed it; a second channel's holds its wait",
)
CONFIRM: Final[NameAndHelp] = (
    "stadsnav_confirm_seconds",
    "From when something was to be told until its receiver confirmed it, by channel",
)
ACKNOWLEDGE: Final[NameAndHelp] = (
    "stadsnav_acknowledge_seconds",
    "From an alarm's arrival until somebody first answered it, tests left out, by class",
)

RECEIVED: Final[NameAndHelp] = (
    "stadsnav_messages_received",
    "Messages that came in, by lane; always the sum of stadsnav_messages of the lane",
)
MESSAGES: Final[NameAndHelp] = (
    "stadsnav_messages",
    "What became of the messages that came in, by lane and outcome",
)
ALARMS: Final[NameAndHelp] = ("stadsnav_alarms_open", "Alarms that are not closed, by class, state and test")
UNANSWERED: Final[NameAndHelp] = (
    "stadsnav_alarm_oldest_unanswered_seconds",
    "How long the oldest open alarm, tests left out, has waited for an answer; 0: none waits",
)
WAITING: Final[NameAndHelp] = (
    "stadsnav_deliveries_waiting",
    "Deliveries that are not confirmed, by channel and organisation id",
)
OLDEST_WAITING: Final[NameAndHelp] = (
    "stadsnav_delivery_oldest_waiting_seconds",
    "How long the oldest delivery has not been confirmed, by channel and organisation id",
)
SETTLED: Final[NameAndHelp] = (
    "stadsnav_deliveries_settled",
    "Deliveries that ended since this was first asked, by channel and state",
)
FAULTS: Final[NameAndHelp] = ("stadsnav_faults_open", "Faults that an operator must know of, by code")
SILENT: Final[NameAndHelp] = ("stadsnav_devices_silent", "Devices in service that are not heard")
AUDIT: Final[NameAndHelp] = ("stadsnav_audit_entries", "Entries in the log")
AUDITOR: Final[NameAndHelp] = (
    "stadsnav_auditor_looked_timestamp_seconds",
    "When the auditor last looked over the open alarms",
)
LANES: Final[NameAndHelp] = (
    "stadsnav_lanes_open_timestamp_seconds",
    "When the lanes to the broker were last seen open",
)
LAST_READING: Final[NameAndHelp] = (
    "stadsnav_reading_received_timestamp_seconds",
    "When the newest reading of the journal came",
)
HANDOVER: Final[NameAndHelp] = (
    "stadsnav_handover_oldest_waiting_seconds",
    "How long the alarm process has not taken what the reading process found; 0: nothing waits",
)
EXPORT_LAG: Final[NameAndHelp] = (
    "stadsnav_export_lag_seconds",
    "How long the oldest reading that a target has not got has been here, by target",
)
EXPORT_BEHIND: Final[NameAndHelp] = (
    "stadsnav_export_readings_behind",
    "Readings that a target has not got, by target",
)
EXPORT_SENT: Final[NameAndHelp] = (
    "stadsnav_export_points",
    "Points that a target was sent, by target and outcome",
)
EXPORT_LOST: Final[NameAndHelp] = (
    "stadsnav_export_lost_rows",
    "Commits that a target only gets by `stadsnav export again`, by target",
)
DISK: Final[NameAndHelp] = ("stadsnav_disk_free_bytes", "Room on the disk of the data folder")
DATABASE: Final[NameAndHelp] = ("stadsnav_database_bytes", "Size of a database, its log included")
READABLE: Final[NameAndHelp] = (
    "stadsnav_database_readable",
    "Whether a database could be read for this page; 0: its figures are missing here",
)
BUILD: Final[NameAndHelp] = ("stadsnav_build", "Versions of the product and of what it stands on")
UP: Final[NameAndHelp] = ("stadsnav_process_up", "Whether a process that should run holds its lock")
HEARTBEAT: Final[NameAndHelp] = (
    "stadsnav_process_heartbeat_timestamp_seconds",
    "When a process last wrote its figures, about once a second",
)
CPU: Final[NameAndHelp] = ("stadsnav_process_cpu_seconds", "Processor time that a process has used")
MEMORY: Final[NameAndHelp] = ("stadsnav_process_resident_bytes", "Memory that a process holds")
