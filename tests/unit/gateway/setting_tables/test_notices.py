"""``[mail]``, ``[deadman]``, ``[metrics]`` as an operator writes them; mistakes are told, values are not."""

from datetime import time
from pathlib import Path

import pytest

from gateway.setting_tables.mail import Security
from gateway.settings import FILE_NAME, Settings, SettingsError, load, origins

MAIL = '[mail]\nserver = "smtp.example.org"\nfrom = "hub@example.org"\nto = ["drift@example.org"]\n'


def written(folder: Path, text: str) -> Settings:
    (folder / FILE_NAME).write_text(text)
    return load(folder)


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        written(folder, text)
    return str(caught.value)


def test_without_settings_nothing_leaves_and_only_this_machine_sees_figures(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert (settings.mail.server, settings.deadman.url) == (None, None)
    assert [str(network) for network in settings.metrics.networks] == ["127.0.0.0/8", "::1/128"]


def test_mail_is_private_and_swedish_unless_told_otherwise(tmp_path: Path) -> None:
    mail = written(tmp_path, MAIL).mail

    assert (mail.security, mail.port, mail.language, mail.digest_at) == (
        Security.STARTTLS,
        587,
        "sv",
        time(7, 0),
    )
    assert (mail.sender, mail.to) == ("hub@example.org", ("drift@example.org",))


def test_each_setting_is_known_by_the_name_that_it_is_written_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, MAIL)
    monkeypatch.setenv("STADSNAV_MAIL__PASSWORD", "a-password")

    found = origins(tmp_path)

    assert (found["mail.from"], found["mail.password"], found["mail.port"]) == (
        FILE_NAME,
        "environment",
        "default",
    )
    assert "a-password" not in str(load(tmp_path).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[mail]\nserver = "smtp.example.org"\n', "mail needs `from` and `to`"),
        (f'{MAIL}security = "none"\n', "in the clear"),
        (f'{MAIL}username = "a"\npasword = "b"\n', "extra"),
        (MAIL.replace("drift@", "drift hidden@"), "expected an address"),
        ('[deadman]\nurl = "ftp://hidden.example.org"\n', "expected http"),
        ('[deadman]\nurl = "https://hidden.example.org"\nevery_seconds = 1\n', "greater than or equal to 5"),
        ('[metrics]\nnetworks = ["hidden"]\n', "network"),
    ],
)
def test_a_mistake_is_told_without_what_was_typed(tmp_path: Path, text: str, said: str) -> None:
    told = mistakes(tmp_path, text)

    assert said in told
    assert "hidden" not in told
