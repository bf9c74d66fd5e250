"""``[web]`` and ``[identity]``: what would be unsafe is refused when the settings are read."""

from pathlib import Path

import pytest

from gateway import settings
from gateway.settings import SettingsError

PROVIDER = '[identity]\nissuer = "https://id.example.org"\n'


def mistakes(tmp_path: Path, text: str) -> str:
    (tmp_path / settings.FILE_NAME).write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[web]\ncertificate_file = "c.pem"', "belong together"),
        ("[web]\nclient_certificates = true", "a proxy would hide them"),
        ('[web]\npublic_url = "https://hub.example.org/app"', "without a path"),
        ('[web]\npublic_url = "javascript:alert(1)"', "without a path"),
        ('[web]\nproxies = ["everybody"]', "an address or a network"),
        ('[identity]\nissuer = "http://id.example.org"', "https://"),
        ('[identity]\nclient_id = "hub"', "nothing without issuer"),
        (f'{PROVIDER}client_id = "hub"\naudience = "hub"', "ID tokens"),
        (f'{PROVIDER}algorithms = ["none"]', "RS256"),
        (f'{PROVIDER}algorithms = ["HS256"]', "RS256"),
    ],
)
def test_what_would_be_unsafe_is_refused(tmp_path: Path, text: str, why: str) -> None:
    assert why in mistakes(tmp_path, text)


def test_a_provider_on_this_machine_may_speak_plain_http(tmp_path: Path) -> None:
    (tmp_path / settings.FILE_NAME).write_text('[identity]\nissuer = "http://127.0.0.1:9000"\n')

    assert settings.load(tmp_path).identity.issuer == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("text", "is_https"),
    [
        ("", False),
        ('[web]\npublic_url = "https://hub.example.org"', True),
        ('[web]\npublic_url = "http://localhost:8080"', False),
        ('[web]\ncertificate_file = "c.pem"\nkey_file = "k.pem"', True),
    ],
)
def test_cookies_are_for_https_when_browsers_come_by_it(tmp_path: Path, text: str, is_https: bool) -> None:  # noqa: FBT001
    (tmp_path / settings.FILE_NAME).write_text(text)

    assert settings.load(tmp_path).web.is_https is is_https
