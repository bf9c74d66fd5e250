"""Which of a home's devices and positions somebody may know of.

    device ──its model can say something of a class──a grant in force covers class and position──> known

What hangs in a home tells about who lives there: a landlord who is told of leaks does not learn that there
is a bed sensor. Whoever sees the whole city sees every device, retired ones too.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from devices.kinds import DataClass
from services.access import is_in_force
from services.domain.homes import Device, DeviceState, Grant
from services.scopes import Scope

if TYPE_CHECKING:  # reading the models takes longer than a whole command that needs none
    from devices.profiles import Profiles


def classes_of(profiles: "Profiles", name: str) -> frozenset[DataClass]:
    """What a device of this model can say something of; nothing for a model that is not here any more."""
    if name not in profiles:
        return frozenset()
    profile = profiles[name]
    kinds = {kind.data_class for kind in profile.kinds}
    return frozenset(kinds | {reading.data_class for reading in profile.readings})


def known_devices(
    devices: Iterable[Device], grants: Sequence[Grant], scope: Scope, *, profiles: "Profiles"
) -> list[Device]:
    """The devices of which somebody may know.

    Args:
        devices: Of one home.
        grants: Of that home, to the organisation; ended ones are passed over.
        scope: Whose they would be.
        profiles: What each model can say.
    """
    if scope.is_whole:
        return list(devices)
    holding = [grant for grant in grants if is_in_force(grant, scope.at)]
    return [
        device
        for device in devices
        if device.state is not DeviceState.RETIRED
        and any(_tells_of(grant, device, classes_of(profiles, device.profile)) for grant in holding)
    ]


def _tells_of(grant: Grant, device: Device, classes: frozenset[DataClass]) -> bool:
    return (
        grant.home_id == device.home_id
        and grant.position_id in {None, device.position_id}
        and grant.data_class in classes
    )
