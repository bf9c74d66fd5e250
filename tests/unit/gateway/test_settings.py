"""What an operator can turn: the environment over the file, every mistake at once, no value given away."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import FILE_NAME, Settings, SettingsError, load, origins


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415 - the environment of the test run is not the test's

    for name in list(os.environ):  # noqa: TID251
        if name.startswith("STADSNAV_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    (folder / FILE_NAME).write_text(text)
    return folder


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder)
    assert str(caught.value) == "Cannot use the settings: " + "; ".join(caught.value.mistakes)
    return caught.value.mistakes


def test_without_a_file_the_ports_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert (settings.mqtt_port, settings.partner_port, settings.http_port) == (8883, 8884, 8080)
    assert settings.broker.manage


def test_no_secret_has_a_value_that_works_by_itself(tmp_path: Path) -> None:
    assert load(tmp_path).broker.password is None


def test_the_environment_goes_before_the_file_and_the_file_before_what_is_built_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'city = "malmo"\nmqtt_port = 1\npartner_port = 2\n[broker]\nport = 3\nmanage = false\n')
    monkeypatch.setenv("STADSNAV_MQTT_PORT", "0")
    monkeypatch.setenv("STADSNAV_BROKER__PORT", "4")

    settings = load(tmp_path)

    assert (settings.city, settings.mqtt_port, settings.partner_port) == ("malmo", 0, 2)
    assert (settings.broker.port, settings.broker.manage, settings.http_port) == (4, False, 8080)


def test_each_setting_knows_where_its_value_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'city = "malmo"\nmqtt_port = 1\n[broker]\nhost = "10.0.0.1"\n')
    monkeypatch.setenv("STADSNAV_MQTT_PORT", "0")
    monkeypatch.setenv("STADSNAV_BROKER__PORT", "4")

    found = origins(tmp_path)

    assert found["mqtt_port"] == found["broker.port"] == "environment"
    assert found["city"] == found["broker.host"] == "stadsnav.toml"
    assert found["http_port"] == found["broker.manage"] == found["broker.password"] == "default"
    assert set(found) >= {"bind", "server_names", "broker.ca_file"}


def test_the_folder_itself_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STADSNAV_DATA", str(tmp_path))

    assert load(tmp_path).city == "city"


def test_every_mistake_is_told_at_once_with_its_name(tmp_path: Path) -> None:
    write(tmp_path, 'city = "Malmö"\nmqtt_port = 70000\nhttp_prot = 1\n[broker]\nport = "x"\n')

    names = {mistake.partition(":")[0] for mistake in mistakes(tmp_path)}

    assert names == {"city", "mqtt_port", "http_prot", "broker.port"}


@pytest.mark.parametrize(
    "text",
    [
        '[broker]\npassword = ["hush-4711"]',
        '[broker]\npassword = {a = "hush-4711"}',
        '[broker]\npasword = "hush-4711"',
        'password = "hush-4711"',
        'city = "hush-4711 with a blank"',
        'mqtt_port = "hush-4711"',
    ],
)
def test_no_sentence_gives_away_what_was_typed(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)

    assert "hush-4711" not in " ".join(mistakes(tmp_path))


def test_a_password_is_hidden_wherever_the_settings_are_shown(tmp_path: Path) -> None:
    settings = load(write(tmp_path, '[broker]\npassword = "hush-4711"\n'))

    assert settings.broker.password is not None
    assert settings.broker.password.get_secret_value() == "hush-4711"
    assert "hush-4711" not in f"{settings!r} {settings} {settings.model_dump(mode='json')}"


def test_a_file_that_is_no_toml_is_told_with_its_path(tmp_path: Path) -> None:
    write(tmp_path, "city = ")

    [mistake] = mistakes(tmp_path)

    assert mistake.startswith(f"{tmp_path / FILE_NAME}: ")


def test_an_environment_that_cannot_be_read_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STADSNAV_SERVER_NAMES", "hub.example.org")

    [mistake] = mistakes(tmp_path)

    assert FILE_NAME not in mistake
    assert "server_names" in mistake


def test_settings_cannot_be_changed_while_they_hold(tmp_path: Path) -> None:
    settings: Settings = load(tmp_path)

    with pytest.raises(ValidationError):
        settings.city = "other"


EXPORT = '[export.main]\nurl = "{url}"\nbucket = "b"\ntoken = "hush-4711"\n'


def test_without_a_table_nothing_is_exported(tmp_path: Path) -> None:
    assert load(tmp_path).export == {}


def test_an_export_target_has_a_name_and_its_token_is_hidden(tmp_path: Path) -> None:
    settings = load(write(tmp_path, EXPORT.format(url="https://influx.example.org:8086/base")))

    target = settings.export["main"]
    assert (target.url, target.bucket, target.batch_points) == (
        "https://influx.example.org:8086/base",
        "b",
        5_000,
    )
    assert target.token is not None
    assert target.token.get_secret_value() == "hush-4711"
    assert "hush-4711" not in f"{settings!r} {settings} {settings.model_dump(mode='json')}"


def test_a_token_may_come_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, '[export.main]\nurl = "https://influx.example.org"\nbucket = "b"\n')
    monkeypatch.setenv("STADSNAV_EXPORT__MAIN__TOKEN", "hush-4711")

    target, found = load(tmp_path).export["main"], origins(tmp_path)

    assert target.token is not None
    assert target.token.get_secret_value() == "hush-4711"
    assert (found["export.main.token"], found["export.main.url"]) == ("environment", "stadsnav.toml")
    assert found["export.main.gzip"] == "default"


@pytest.mark.parametrize("host", ["127.0.0.1:8428", "localhost", "[::1]:8086", "127.8.8.8"])
def test_plain_http_may_go_to_this_machine(tmp_path: Path, host: str) -> None:
    assert load(write(tmp_path, EXPORT.format(url=f"http://{host}"))).export


@pytest.mark.parametrize("host", ["influx.example.org", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example.org"])
def test_plain_http_beyond_this_machine_must_be_wanted(tmp_path: Path, host: str) -> None:
    text = EXPORT.format(url=f"http://{host}:8086")

    [mistake] = mistakes(write(tmp_path, text))

    assert mistake.startswith("export.main: ")
    assert "insecure = true" in mistake
    assert load(write(tmp_path, f"{text}insecure = true\n")).export


@pytest.mark.parametrize(
    "url",
    [
        "influx.example.org",
        "ftp://influx.example.org",
        "https://",
        "https://[::1",
        "https://h:0",
        "https://user:hush-4711@influx.example.org",
        "https://influx.example.org/?token=hush-4711",
        "https://influx.example.org/#hush-4711",
    ],
)
def test_an_url_that_is_none_or_holds_a_secret_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    [mistake] = mistakes(write(tmp_path, EXPORT.format(url=url)))

    assert mistake.startswith("export.main.url: ")
    assert "hush-4711" not in mistake


def test_every_mistake_of_every_target_is_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[export.a]\nurl = "x"\nbucket = ""\n[export.b]\nbatch_points = 0\nclasses = ["secrets"]\n'
        '[export."B C"]\nurl = "https://h"\nbucket = "b"\n',
    )

    names = {mistake.partition(":")[0] for mistake in mistakes(tmp_path)}

    assert names >= {
        "export.a.url",
        "export.a.bucket",
        "export.b.url",
        "export.b.bucket",
        "export.b.batch_points",
        "export.b.classes.0",
        "export.B C.[key]",
    }


def test_where_a_table_of_classes_came_from_is_known(tmp_path: Path) -> None:
    write(tmp_path, "[retention.days]\nclimate = 800\n")

    assert origins(tmp_path)["retention.days.climate"] == "stadsnav.toml"
