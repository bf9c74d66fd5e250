"""What a proxy says of who asks is believed of the city's own proxies, and of nobody else."""

from http.client import HTTPConnection
from pathlib import Path

import pytest

from gateway.data_folder import open_folder
from tests.integration.identity.test_certificates import served

CLAIMED = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("proxies", "is_believed"),
    [("[]", False), ('["10.0.0.5"]', False), ('["127.0.0.0/8"]', True)],
    ids=["no proxy", "another proxy", "the proxy"],
)
def test_only_a_proxy_of_ours_says_that_a_connection_is_https(
    tmp_path: Path,
    proxies: str,
    is_believed: bool,  # noqa: FBT001
) -> None:
    folder = open_folder(tmp_path / "data")
    (folder.path / "stadsnav.toml").write_text(f"[web]\nproxies = {proxies}\n")

    with served(folder) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz", headers=CLAIMED)
        found = connection.getresponse()
        found.read()
        connection.close()

    assert (found.getheader("Strict-Transport-Security") is not None) is is_believed
