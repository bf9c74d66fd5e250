"""Reads the profiles at start, and says everything that is wrong with them at once.

*.toml ──tomllib──> table ──pydantic──> Profile ──> Profiles
            │                    │
            └────── mistakes ────┴──> ProfilesError, one line for each
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from devices.profiles.model import Battery, Heartbeat, Power, Profile, ProfileReading, WeakSignal
from devices.profiles.parts import Title
from devices.profiles.rules import Guard, ReadingRule

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileMistake:
    """One thing that is wrong in one file, and what would be right."""

    file: str
    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.problem}"


class ProfilesError(Exception):
    """Some profiles cannot be used."""

    def __init__(self, mistakes: Iterable[ProfileMistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"Cannot read the device profiles, {len(self.mistakes)} to mend:\n{lines}")


class UnknownProfileError(KeyError):
    """No profile has this name."""

    def __init__(self, name: str, *, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name)

    def __str__(self) -> str:
        return f"No device profile is called {self.name[:80]!r}; known are: {', '.join(self.known)}"


class Profiles(Mapping[str, Profile]):
    """Every profile, by its name or any alias; iterates over names."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._by_name = {profile.name: profile for profile in sorted(profiles, key=lambda one: one.name)}
        self._by_any_name = {
            name: profile
            for profile in self._by_name.values()
            for name in (profile.name, *profile.aliases)
        }  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The proper names, sorted."""
        return tuple(self._by_name)

    def __getitem__(self, name: str) -> Profile:
        try:
            return self._by_any_name[lookup_name(name)]
        except KeyError:
            raise UnknownProfileError(name, known=self.names) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def lookup_name(text: str) -> str:
    """The form names are compared in: ``Safety_Alarm`` and ``safety alarm`` are ``safety-alarm``."""
    return re.sub(r"[\s_-]+", "-", text.strip().casefold()).strip("-")


@cache
def load_profiles() -> Profiles:
    """The profiles that come with the product, read once.

    Raises:
        ProfilesError: Any of them is wrong; names every mistake.
    """
    return read_profiles(files("devices.profiles"))


def read_profiles(folder: Traversable) -> Profiles:
    """Read every ``*.toml`` of a folder.

    Raises:
        ProfilesError: Any of them is wrong; names every mistake.
    """
    profiles: list[Profile] = []
    mistakes: list[ProfileMistake] = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            try:
                profiles.append(_read(file))
            except ProfilesError as error:
                mistakes += error.mistakes
    mistakes += _shared_names(profiles)
    if mistakes:
        raise ProfilesError(mistakes)
    return Profiles(profiles)


def _read(file: Traversable) -> Profile:
    try:
        profile = Profile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ProfilesError(_mistake(file.name, detail) for detail in error.errors()) from None
    except ValueError as error:  # not TOML, or not UTF-8
        problem = f"is not a TOML file in UTF-8: {error}"
        raise ProfilesError([ProfileMistake(file=file.name, key="(file)", problem=problem)]) from None
    stem = file.name.removesuffix(".toml")
    if profile.name != stem:
        problem = f"is {profile.name!r}; right would be the file's own name, {stem!r}"
        raise ProfilesError([ProfileMistake(file=file.name, key="name", problem=problem)])
    return profile


def _mistake(file_name: str, detail: "ErrorDetails") -> ProfileMistake:
    where = detail["loc"]
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in where) or "(file)"
    return ProfileMistake(file=file_name, key=key, problem=_problem(detail))


def _problem(detail: "ErrorDetails") -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"is not a key of a profile; right would be one of {', '.join(_keys_beside(detail))}"
        case "value_error":  # a sentence of our own
            rule = detail["msg"].removeprefix("Value error, ")
        case _:
            rule = detail["msg"][0].lower() + detail["msg"][1:]
    return rule if isinstance(detail["input"], dict) else f"{_short(detail['input'])}: {rule}"


_PARTS: Final[dict[str, type[BaseModel]]] = {
    "title": Title,
    "heartbeat": Heartbeat,
    "power": Power,
    "battery": Battery,
    "weak_signal": WeakSignal,
    "readings": ProfileReading,
    "rules": ReadingRule,
    "text": Title,
    "unless": Guard,
    "only_while": Guard,
}


def _keys_beside(detail: "ErrorDetails") -> Iterable[str]:
    above = [part for part in detail["loc"][:-1] if isinstance(part, str)]
    return (_PARTS[above[-1]] if above else Profile).model_fields


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - fits a line


def _shared_names(profiles: Iterable[Profile]) -> Iterator[ProfileMistake]:
    owners: dict[str, str] = {}
    for profile in profiles:
        for name in (profile.name, *profile.aliases):
            owner = owners.setdefault(name, profile.name)
            if owner != profile.name:
                yield ProfileMistake(
                    file=f"{profile.name}.toml",
                    key="aliases",
                    problem=f"{name!r} already names {owner}; each name may stand for one profile",
                )
