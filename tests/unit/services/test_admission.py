"""Whether a message may speak for a device: known, in service, and of the same home."""

import pytest

from devices.kinds import DeviceId
from services.admission import NotAdmittedError, admit
from services.domain.homes import DeviceState
from tests.support.town import Town


def admitted(town: Town, client_id: str, device_id: str) -> str:
    return admit(town.connection, DeviceId(client_id), DeviceId(device_id), profiles=town.profiles).id


@pytest.mark.parametrize(
    ("client_id", "device_id"), [("p-1", "p-1"), ("hub-1", "hub-1"), ("hub-1", "p-1"), ("hub-2", "p-2")]
)
def test_a_device_speaks_for_itself_and_a_home_hub_for_its_home(
    town: Town, client_id: str, device_id: str
) -> None:
    assert admitted(town, client_id, device_id) == device_id


@pytest.mark.parametrize(
    ("client_id", "device_id", "reason", "is_known"),
    [
        ("x-9", "x-9", "client x-9 is not registered", False),
        ("x-9", "p-1", "client x-9 is not registered", False),
        ("p-1", "s-1", "p-1 is not a home hub, it speaks only for itself", True),
        ("p-1", "x-9", "p-1 is not a home hub, it speaks only for itself", True),
        ("hub-1", "x-9", "device x-9 is not registered in this home", True),
        ("hub-1", "p-2", "device p-2 is not registered in this home", True),
        ("hub-1", "hub-2", "device hub-2 is not registered in this home", True),
    ],
)
def test_who_may_not_speak_is_told_why(
    town: Town,
    client_id: str,
    device_id: str,
    reason: str,
    is_known: bool,  # noqa: FBT001 - a case
) -> None:
    with pytest.raises(NotAdmittedError) as caught:
        admitted(town, client_id, device_id)

    assert str(caught.value) == caught.value.reason == reason
    assert (caught.value.client is not None) == is_known


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
def test_neither_a_client_nor_a_device_out_of_service_is_heard(town: Town, state: DeviceState) -> None:
    town.set_state("p-1", state)
    town.set_state("hub-2", state)

    for client_id, device_id, reason in (
        ("p-1", "p-1", f"client p-1 is {state}"),
        ("hub-1", "p-1", f"device p-1 is {state}"),
        ("hub-2", "p-2", f"client hub-2 is {state}"),
    ):
        with pytest.raises(NotAdmittedError) as caught:
            admitted(town, client_id, device_id)
        assert caught.value.reason == reason


def test_a_foreign_home_learns_nothing_about_whether_a_device_exists(town: Town) -> None:
    """Of another home, and of nobody: the same sentence."""
    sentences = set()
    for device_id in ("p-2", "x-9"):
        with pytest.raises(NotAdmittedError) as caught:
            admitted(town, "hub-1", device_id)
        sentences.add(caught.value.reason.replace(device_id, "…"))

    assert len(sentences) == 1
