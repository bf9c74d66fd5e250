"""What is printed of credentials that were handed out; never the key itself."""

from typing import Any

from gateway.enrolment import HandedOut


def credentials_row(handed_out: HandedOut) -> dict[str, Any]:
    """Where the three files are, and until when they are good."""
    return {
        "id": handed_out.holder,
        "key": handed_out.directory / "key.pem",
        "cert": handed_out.directory / "cert.pem",
        "ca": handed_out.directory / "ca.pem",
        "serial": handed_out.serial,
        "fingerprint_sha256": handed_out.fingerprint_sha256,
        "expires_at": handed_out.expires_at,
        "revoked": handed_out.revoked,
    }
