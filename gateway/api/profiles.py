"""``/api/v1/profiles``: what device models can say. Nothing here is about anybody."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from devices.kinds import DataClass
from devices.profiles import Profile
from gateway.api.callers import Caller, Needs
from gateway.api.openapi import problems
from gateway.api.pages import PageOf
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import each_once
from services.domain.actors import Permission
from services.sight import classes_of

router = APIRouter(prefix="/profiles", tags=["profiles"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.PROFILES_READ))]


class ReadingView(BaseModel):
    """One value that a model measures."""

    name: str = Field(examples=["humidity"])
    unit: str = Field(description="SenML (RFC 8428, RFC 8798).", examples=["%RH"])
    data_class: DataClass = Field(serialization_alias="class", description="Whose grants cover it.")
    low: float = Field(description="A value below is a broken sensor.")
    high: float


class ProfileItem(BaseModel):
    """What a device model can say, and how it is watched."""

    name: str = Field(examples=["safety-alarm"])
    aliases: list[str] = Field(description="Other names that it can be registered by.")
    title_sv: str
    title_en: str
    position: str = Field(description="The position's name, when nobody gave one.")
    carries_others: bool = Field(description="A home hub: it publishes for the devices behind it.")
    kinds: list[str] = Field(description="The alarms that it can raise.", examples=[["safety.manual"]])
    classes: list[DataClass] = Field(description="A grant for one of these lets an organisation know of it.")
    readings: list[ReadingView]
    silent_after_seconds: int = Field(description="Quiet for longer is `technical.silent`.")
    has_mains: bool
    has_battery: bool


class ProfilePage(PageOf[ProfileItem]):
    """All profiles by name."""


@router.get("", summary="What device models there are", responses=problems(403))
async def list_profiles(parts: Here, caller: Reader) -> ProfilePage:
    """Always all of them."""
    del caller
    return ProfilePage(items=[_item(parts, profile) for profile in parts.profiles.values()], next=None)


@router.get("/{name}", summary="One device model", responses=problems(403, 404))
async def get_profile(parts: Here, caller: Reader, name: str) -> ProfileItem:
    """By its name, or by another that it is known by."""
    del caller
    if name not in parts.profiles:
        raise NotHereError("profile", name)
    return _item(parts, parts.profiles[name])


def _item(parts: Here, profile: Profile) -> ProfileItem:
    return ProfileItem(
        name=profile.name,
        aliases=list(profile.aliases),
        title_sv=profile.title.sv,
        title_en=profile.title.en,
        position=profile.position,
        carries_others=profile.carries_others,
        kinds=[str(kind) for kind in profile.kinds],
        classes=sorted(classes_of(parts.profiles, profile.name)),
        readings=[ReadingView(**reading.model_dump()) for reading in profile.readings],
        silent_after_seconds=round(profile.heartbeat.silent_after.total_seconds()),
        has_mains=profile.power.has_mains,
        has_battery=profile.power.battery is not None,
    )
