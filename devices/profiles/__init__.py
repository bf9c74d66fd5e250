"""What each device model can say, one TOML file per profile.

    safety-alarm.toml ──> Profile ──> Profiles, found by name or alias

A new model is a new file here and nothing else.
"""

from devices.profiles.loader import (
    ProfileMistake,
    Profiles,
    ProfilesError,
    UnknownProfileError,
    load_profiles,
)
from devices.profiles.model import Battery, Heartbeat, Power, Profile, ProfileReading, WeakSignal
from devices.profiles.parts import Title
from devices.profiles.rules import Guard, ReadingRule

__all__ = [
    "Battery",
    "Guard",
    "Heartbeat",
    "Power",
    "Profile",
    "ProfileMistake",
    "ProfileReading",
    "Profiles",
    "ProfilesError",
    "ReadingRule",
    "Title",
    "UnknownProfileError",
    "WeakSignal",
    "load_profiles",
]
