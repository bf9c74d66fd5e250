"""The kinds of alarm a home can raise, and the data class each belongs to.

    safety.fall  ->  class safety, kind safety.fall

The part before the dot *is* the data class: access is granted by class, so the name of a kind
decides who may know of it. A kind that is not listed here is still an alarm; see
``services.alarms``.
"""

import re
from enum import StrEnum
from typing import Final, NewType

DeviceId = NewType("DeviceId", str)
"""The hardware in a position, or the home hub that carries others; also its certificate's CN."""

ID_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""An id that people choose; safe in a topic, a certificate subject and a file name."""

HomeId = NewType("HomeId", str)
"""A dwelling on the fibre."""


class DataClass(StrEnum):
    """What a fact about a home is about. Grants name one of these."""

    SAFETY = "safety"
    CARE = "care"
    FIRE = "fire"
    PROPERTY = "property"
    TECHNICAL = "technical"
    CLIMATE = "climate"
    ENERGY = "energy"
    CAMERA = "camera"


class AlarmKind(StrEnum):
    """Every kind of alarm of the public contract, version 1."""

    SAFETY_MANUAL = "safety.manual"
    SAFETY_FALL = "safety.fall"
    SAFETY_INACTIVITY = "safety.inactivity"
    SAFETY_ASSAULT = "safety.assault"
    CARE_BED_EXIT = "care.bed_exit"
    CARE_DOOR = "care.door"
    CARE_WANDERING = "care.wandering"
    CARE_ENURESIS = "care.enuresis"
    CARE_EPILEPSY = "care.epilepsy"
    CARE_MEDICATION_MISSED = "care.medication_missed"
    FIRE_SMOKE = "fire.smoke"
    FIRE_HEAT = "fire.heat"
    FIRE_STOVE = "fire.stove"
    FIRE_GAS = "fire.gas"
    FIRE_CARBON_MONOXIDE = "fire.carbon_monoxide"
    PROPERTY_LEAK = "property.leak"
    PROPERTY_DAMP = "property.damp"
    PROPERTY_TEMPERATURE = "property.temperature"
    PROPERTY_INTRUSION = "property.intrusion"
    TECHNICAL_BATTERY_LOW = "technical.battery_low"
    TECHNICAL_BATTERY_FAILED = "technical.battery_failed"
    TECHNICAL_MAINS_LOST = "technical.mains_lost"
    TECHNICAL_LINK_LOST = "technical.link_lost"
    TECHNICAL_SILENT = "technical.silent"
    TECHNICAL_TAMPER = "technical.tamper"
    TECHNICAL_FAULT = "technical.fault"
    CAMERA_FAULT = "camera.fault"

    @property
    def data_class(self) -> DataClass:
        """The class whose grants cover this kind."""
        return DataClass(self.value.partition(".")[0])


DEFAULT_PRIORITY: Final[dict[DataClass, int]] = {
    DataClass.SAFETY: 8,
    DataClass.FIRE: 8,
    DataClass.CARE: 6,
    DataClass.PROPERTY: 5,
    DataClass.CAMERA: 3,
    DataClass.TECHNICAL: 3,
    DataClass.CLIMATE: 2,
    DataClass.ENERGY: 2,
}
"""Priority, 0 (least) to 9, of an alarm whose home named none."""


def known_kind(text: str) -> AlarmKind | None:
    """The kind that ``text`` names, or None for one that this version does not know."""
    try:
        return AlarmKind(text)
    except ValueError:
        return None
