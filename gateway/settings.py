"""What an operator can turn, from ``stadsnav.toml`` in the data folder and ``STADSNAV_*``.

    built-in value  <  stadsnav.toml  <  environment

No secret has a value that works by itself. Every mistake is reported at once, and never the value of
what was typed: it may be a secret.
"""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableSourceError

from devices.kinds import DataClass
from gateway.setting_tables.deadman import DeadmanSettings
from gateway.setting_tables.identity import IdentitySettings
from gateway.setting_tables.mail import MailSettings
from gateway.setting_tables.metrics import MetricsSettings
from gateway.setting_tables.outward import OutwardSettings
from gateway.setting_tables.web import WebSettings

FILE_NAME: Final = "stadsnav.toml"
PREFIX: Final = "STADSNAV_"

Days = Annotated[int, Field(ge=1, le=36_500)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class SettingsError(Exception):
    """The settings cannot be used; every mistake in one text."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("Cannot use the settings: " + "; ".join(mistakes))


class BrokerSettings(BaseModel):
    """Where Mosquitto is and who runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    manage: bool = True
    """Whether ``stadsnav up`` writes its configuration, starts it and watches it."""
    executable: str | None = None
    """Path of Mosquitto; None: looked for on PATH and in /usr/sbin."""
    host: str = "127.0.0.1"
    """The internal listener, where the hub connects; used when it is not managed."""
    port: Port = 1883
    username: str = "@hub"
    password: SecretStr | None = None
    """Of the hub's own account; made and kept in the data folder when it is managed."""
    ca_file: Path | None = None
    """Trust for the internal listener; None: plain TCP, only right on the loopback."""


class RetentionSettings(BaseModel):
    """How many days readings are kept, by data class; longer for homes where a granted purpose asks for it.

    In stadsnav.toml: ``[retention.days]`` with ``climate = 800``, ``[retention.purposes."damp survey"]``
    with ``climate = 1500``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    days: dict[DataClass, Days] = {}
    purposes: dict[str, dict[DataClass, Days]] = {}

    def of_class(self, data_class: DataClass) -> timedelta:
        """How long readings of a class are kept, whatever the purpose."""
        return timedelta(days=self.days.get(data_class, DEFAULT_RETENTION_DAYS[data_class]))


DEFAULT_RETENTION_DAYS: Final = {
    DataClass.SAFETY: 90,
    DataClass.CARE: 90,
    DataClass.FIRE: 90,
    DataClass.PROPERTY: 400,
    DataClass.TECHNICAL: 400,
    DataClass.CLIMATE: 400,
    DataClass.ENERGY: 400,
    DataClass.CAMERA: 30,
}
"""A year and a heating season for what is about the house; three months for what is about a person."""


class ExportSettings(BaseModel):
    """An InfluxDB 2 compatible database that gets every reading: ``[export.NAME]`` in stadsnav.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    """Where its API begins, without ``/api/v2``: ``https://influx.example.org``."""
    bucket: Annotated[str, Field(min_length=1)]
    org: str = ""
    """InfluxDB wants one; VictoriaMetrics does not."""
    token: SecretStr | None = None
    """May write to the bucket, and should be good for nothing else."""
    ca_file: Path | None = None
    """Trust for its certificate; None: the machine's own."""
    insecure: bool = False
    """Whether plain HTTP beyond the loopback, or a certificate that nobody vouches for, will do."""
    gzip: bool = False
    """A fifth of the bytes at a third of the speed: for a target behind a thin line."""
    batch_points: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    """Readings in one request."""
    classes: tuple[DataClass, ...] = tuple(DataClass)
    """The data classes that it gets."""

    @field_validator("url")
    @classmethod
    def _is_plain_url(cls, url: str) -> str:
        if not _is_http(url):
            raise PydanticCustomError("url", "expected http:// or https:// and a host")
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise PydanticCustomError("url", "holds more than where the target is; a token goes into token")
        return url

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not _is_loopback(parts) and not self.insecure:
            raise PydanticCustomError(
                "insecure",
                "readings and token would travel in the clear: use https, or set insecure = true",
            )
        return self


class Settings(BaseSettings):
    """Everything that an operator can turn."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    city: Name = "city"
    """Names the source of events: ``urn:stadsnav:{city}``."""
    bind: str = "0.0.0.0"  # noqa: S104 - homes and partners come from outside; TLS with client certificates
    """The address that homes and partners connect to."""
    server_names: tuple[str, ...] = ("localhost",)
    """The names in the broker's certificate; add the public one that devices are given."""
    mqtt_port: Port = 8883
    partner_port: Port = 8884
    http_port: Port = 8080
    broker: BrokerSettings = BrokerSettings()
    retention: RetentionSettings = RetentionSettings()
    readings_disk_floor_mib: Annotated[int, Field(ge=0)] = 1024
    """With less than this free no more readings are taken in: the rest of the disk is for alarms."""
    export: dict[Name, ExportSettings] = {}
    """Databases that get every reading, by name; see docs/export.md."""
    web: WebSettings = WebSettings()
    identity: IdentitySettings = IdentitySettings()
    metrics: MetricsSettings = MetricsSettings()
    mail: MailSettings = MailSettings()
    deadman: DeadmanSettings = DeadmanSettings()
    outward: OutwardSettings = OutwardSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - fixed by the library
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def load(folder: Path) -> Settings:
    """Read the settings that hold for a data folder.

    Raises:
        SettingsError: Names every mistake.
    """
    try:
        return _bound_to(folder)()
    except ValidationError as error:
        raise SettingsError([_sentence(detail["loc"], detail["msg"]) for detail in error.errors()]) from None
    except UnreadableSourceError as error:  # before ValueError, of which it is one
        raise SettingsError([f"{error}: write a list or a table in {PREFIX}* as JSON"]) from None
    except ValueError as error:  # not TOML
        raise SettingsError([f"{folder / FILE_NAME}: {error}"]) from None


def origins(folder: Path) -> dict[str, str]:
    """Where each setting's value came from: ``environment``, ``stadsnav.toml`` or ``default``.

    Raises:
        SettingsError: Names every mistake.
    """
    bound = _bound_to(folder)
    file = _flat(TomlConfigSettingsSource(bound)())
    environment = {
        name.removeprefix(PREFIX).lower().replace("__", ".")
        for name in _environment()
        if name.startswith(PREFIX)
    }
    names = _flat(load(folder).model_dump(mode="json"))
    return {
        name: "environment"
        if not environment.isdisjoint(_with_parents(name))
        else FILE_NAME
        if name in file
        else "default"
        for name in names
    }


def _bound_to(folder: Path) -> type[Settings]:
    class _Bound(Settings):
        model_config = SettingsConfigDict(toml_file=folder / FILE_NAME)

    return _Bound


def _environment() -> list[str]:
    import os  # noqa: PLC0415 - the one place that looks, see banned-api

    return list(os.environ)  # noqa: TID251


def _flat(document: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _with_parents(name: str) -> list[str]:
    """``a.b.c`` and the tables around it: ``a.b``, ``a``."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:  # a name
        return False


def _sentence(where: tuple[int | str, ...], problem: str) -> str:
    return f"{'.'.join(str(part) for part in where)}: {problem[0].lower()}{problem[1:]}"
