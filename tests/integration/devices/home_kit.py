"""A Mosquitto that is not ours, with a throw-away authority, and a hub played by the test."""

import secrets
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.agent import Backoff, Credentials
from devices.codecs.own_json import decode_alarm, encode_receipt
from devices.messages import Receipt, ReceiptStatus

PATIENCE_SECONDS = 15.0
QUICK = Backoff(first=timedelta(seconds=0.1), limit=timedelta(seconds=0.4))
AT = datetime(2026, 11, 23, 8, 15, 2, tzinfo=UTC)


def wait_until(is_true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def free_port() -> int:
    """One that no outgoing connection will be given while the broker is away."""
    while True:
        port = 15_000 + secrets.randbelow(17_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Authority:
    """Makes certificates in a folder for each name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("test authority", self._key.public_key(), is_authority=True)

    def credentials(self, name: str) -> Credentials:
        folder = self._folder / name
        if not folder.exists():
            folder.mkdir(parents=True)
            key = ec.generate_private_key(ec.SECP256R1())
            pem = serialization.Encoding.PEM
            private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            (folder / "key.pem").write_bytes(private)
            (folder / "cert.pem").write_bytes(self._sign(name, key.public_key()).public_bytes(pem))
            (folder / "ca.pem").write_bytes(self._certificate.public_bytes(pem))
        return Credentials.in_folder(folder)

    def _sign(
        self, name: str, key: ec.EllipticCurvePublicKey, *, is_authority: bool = False
    ) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        now = datetime.fromtimestamp(time.time(), tz=UTC)
        alternatives = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .sign(self._key, hashes.SHA256())
        )


class Broker:
    """Mosquitto on a port of its own; the port stays the same when it is started again."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        server = authority.credentials("server")
        self.port = free_port()
        (folder / "acl").write_text(
            "pattern write up/%u/+/alarm\n"
            "pattern write up/%u/+/reading\n"
            "pattern write up/%u/+/status\n"
            "pattern read down/%u/+/receipt\n"
            "user hub\ntopic read up/#\ntopic write down/#\n"
        )
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\n"
            f"cafile {server.ca_file}\ncertfile {server.cert_file}\nkeyfile {server.key_file}\n"
            "require_certificate true\nuse_identity_as_username true\n"
            f"acl_file {folder / 'acl'}\nuser root\nlog_dest none\n"
            f"persistence true\npersistence_location {folder}/\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(["mosquitto", "-c", str(self._configuration)])
        wait_until(self._answers, "Mosquitto")

    def stop(self) -> None:
        """End it so that it saves its sessions: what homes say before the hub is back waits for it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "Mosquitto ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class SilentBroker:
    """Takes connections, hears the first packet, and never answers."""

    def __init__(self, credentials: Credentials) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(credentials.cert_file, credentials.key_file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def next_connect(self) -> bytes:
        """Wait for a client, hear its CONNECT, and wait until it leaves."""
        line, _ = self._listener.accept()
        with self._context.wrap_socket(line, server_side=True) as connection:
            connect = connection.recv(1000)
            connection.recv(1000)
        return connect

    def close(self) -> None:
        self._listener.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message from a home."""

    topic: str
    payload: bytes
    is_retained: bool


class Hub:
    """The other side, played by the test: hears everything, answers alarms as ``answer`` says."""

    def __init__(self, broker: Broker, credentials: Credentials) -> None:
        self.heard: list[Heard] = []
        self.answer: Callable[[bytes], Receipt | None] = lambda _payload: None
        self._is_listening = Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="hub", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.tls_set_context(credentials.tls_context())
        self._client.on_connect = lambda client, *_: client.subscribe("up/#", qos=1)
        self._client.on_subscribe = lambda *_: self._is_listening.set()
        self._client.on_disconnect = lambda *_: self._is_listening.clear()
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(0, 1)
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wishes.SessionExpiryInterval = 3600
        self._client.connect_async("localhost", broker.port, clean_start=False, properties=wishes)

    def start(self) -> None:
        self._client.loop_start()
        self.wait_until_listening()

    def wait_until_listening(self) -> None:
        wait_until(self._is_listening.is_set, "the hub's subscription")

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def alarms(self) -> list[bytes]:
        return [heard.payload for heard in self.heard if heard.topic.endswith("/alarm")]

    def wait_for_alarms(self, count: int) -> list[bytes]:
        wait_until(lambda: len(self.alarms()) >= count, f"alarm {count}")
        return self.alarms()

    def readings(self) -> list[bytes]:
        return [heard.payload for heard in self.heard if heard.topic.endswith("/reading")]

    def send(self, client_name: str, device_id: str, receipt: Receipt) -> None:
        self._client.publish(f"down/{client_name}/{device_id}/receipt", encode_receipt(receipt), qos=1)

    def _hear(self, _client: Client, _user: object, message: MQTTMessage) -> None:
        heard = Heard(topic=message.topic, payload=bytes(message.payload), is_retained=message.retain)
        self.heard.append(heard)
        _, client_name, device_id, lane = message.topic.split("/")
        if lane == "alarm" and (receipt := self.answer(heard.payload)):
            self.send(client_name, device_id, receipt)


def stored(payload: bytes) -> Receipt:
    """The receipt of a hub that has stored what it heard."""
    return Receipt(id=decode_alarm(payload).id, status=ReceiptStatus.STORED, at=AT, alarm_id="0192")
