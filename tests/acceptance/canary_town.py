"""A town that is full of canaries, and everything that can go wrong in it.

seeded.settle()  sign_in()  raise_alarm()                   they go in at their doors
seeded.fail_webhooks()  ask_wrongly()  sign_in_wrongly()    errors of every kind
seeded.outside.leaks                                        what was answered that should not have been
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import httpx2
import pyotp

from broker.mosquitto import free_port
from tests.acceptance.canaries import Canaries, Kind
from tests.acceptance.peers import Home
from tests.acceptance.town import Town
from tests.support.product import HOST, Product, wait_until

WORKERS: Final = ("alarm", "reading", "outward", "web", "export")
REFUSED: Final = 400


class Receiver:
    """Webhook receivers on one port: what it answers is the last part of the path."""

    def __init__(self, said: str) -> None:
        outer = self
        self.is_willing = True

        class Handler(BaseHTTPRequestHandler):
            timeout = 0.5  # whoever begins a handshake here says nothing that ends a line

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                how = self.path.rpartition("/")[2].partition("?")[0]
                if how == "cut":
                    self.close_connection = True
                    return
                code = {"gone": 410, "broken": 500, "moved": 307}.get(how, 204 if outer.is_willing else 410)
                self.send_response(code, said if code != 204 else None)
                self.send_header("Location", f"http://{HOST}:1/{said}")
                self.send_header("Set-Cookie", f"a={said}")
                self.send_header("Content-Length", "0" if code == 204 else str(len(said)))
                self.end_headers()
                if code != 204:
                    self.wfile.write(said.encode())

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.address = f"http://{HOST}:{self.server.server_port}"


@contextmanager
def receiving(said: str) -> Iterator[Receiver]:
    receiver = Receiver(said)
    thread = Thread(target=receiver.server.serve_forever, args=(0.02,), name="receiver")
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


@contextmanager
def asking(product: Product) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://{HOST}:{product.ports['http']}", timeout=20) as client:
        yield client


class Outside:
    """Whoever asks over HTTP; keeps what was answered to requests that went wrong."""

    def __init__(self, client: httpx2.Client, canaries: Canaries) -> None:
        self.client = client
        self.leaks: set[tuple[str, str]] = set()
        self.refused = Counter[int]()
        self._canaries = canaries

    def ask(self, method: str, path: str, *, token: str = "", body: Any = None, **headers: str) -> Any:
        """Ask below ``/api/v1``, or at a path that begins with ``//``."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["Authorization"] = f"Bearer {token}"
        if content is not None:
            named.setdefault("Content-Type", "application/json")
        path = path[1:] if path.startswith("//") else f"/api/v1{path}"
        answer = self.client.request(method, path, content=content, headers=named)
        if answer.status_code >= REFUSED:
            self.refused[answer.status_code] += 1
            self._look(answer, f"{path} {content!r}")
        return answer

    def do(self, method: str, path: str, **more: Any) -> Any:
        """Ask for what is done."""
        answer = self.ask(method, path, **more)
        assert answer.status_code in {200, 201, 204}, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def _look(self, answer: httpx2.Response, asked: str) -> None:
        found = self._canaries.found_in(answer.text) | self._canaries.found_in(str(answer.headers))
        typed = self._canaries.found_in(asked) & self._canaries.of(Kind.STRAY)
        self.leaks |= {("own answer" if name in typed else "answer", name) for name in found}


class Seeded:
    """A running town, full of canaries."""

    def __init__(
        self, product: Product, receiver: Receiver, canaries: Canaries, client: httpx2.Client
    ) -> None:
        self.product, self.receiver, self.canaries = product, receiver, canaries
        self.outside = Outside(client, canaries)
        self.town = Town(product)
        self.cookie = ""

    def fact(self, name: str) -> str:
        return self.canaries.add(name, Kind.FACT, f"Canary of {name} Qx7")

    def secret(self, name: str, text: str) -> str:
        return self.canaries.add(name, Kind.SECRET, text)

    def settle(self) -> None:
        """Register all there is."""
        ask = self.outside.do
        self.town.homes({"h-1": ("p-1",)})
        self.town.organisation("acme")
        self.town.organisation("the-city", kind="city")
        issue = ["org", "token", "add", "the-city", "--role"]
        first, second = self.product.ask_all([*issue, "city-admin"], [*issue, "city-admin"])
        self.city = self.secret("the city's token", first["token"])
        other = self.secret("another token of the city", second["token"])
        key = self.secret("idempotency key", "idempotency-key-canary-Qx7")
        made = ask("POST", "/tokens", token=self.city, body={"organisation": "acme"}, Idempotency_Key=key)
        self.acme = self.secret("a provider's token", made["token"])
        ask("PATCH", "/homes/h-1", token=self.city, body={"address": self.fact("address")})
        who = {
            "name": self.canaries.add("resident's name", Kind.PERSON, "Kanarina Qxlund"),
            "phone": self.canaries.add("resident's phone", Kind.PERSON, "+46 70 555 01 99"),
        }
        ask("POST", "/residents", token=self.city, body={"id": "r-1", "home": "h-1", **who})
        ask("GET", "/residents/r-1", token=self.city)
        consent = {"resident": "r-1", "class": "safety", "purpose": "to help", "how": "oral"}
        consent["reference"] = self.fact("consent reference")
        ask("POST", "/consents", token=self.city, body=consent)
        draft = {"organisation": "acme", "home": "h-1", "class": "safety", "purpose": "to help"}
        drafted = ask("POST", "/grant-drafts", token=self.city, body={**draft, "basis": "consent"})
        ask("POST", f"/grant-drafts/{drafted['id']}/approve", token=other)
        taken = {"home": "h-1", "classes": ["care"], "reason": self.fact("emergency reason")}
        taken = ask("POST", "/emergencies", token=self.acme, body=taken)
        review = {"outcome": "justified", "note": self.fact("note of a review")}
        ask("POST", f"/emergencies/{taken['id']}/review", token=other, body=review)

    def sign_in(self) -> None:
        """Somebody with a second factor."""
        ask, password = self.outside.do, self.secret("password", "a canary that sings Qx7")
        account: dict[str, Any] = {
            "login": "canary.login.qx7",
            "name": self.fact("colleague"),
            "roles": ["care-operator"],
        }
        self.canaries.add("login", Kind.FACT, account["login"])
        made = ask("POST", "/accounts", token=self.acme, body=account)
        ask("PUT", f"/accounts/{made['id']}/password", token=self.acme, body={"password": password})
        factor = ask("POST", f"/accounts/{made['id']}/totp", token=self.acme)
        code = pyotp.TOTP(self.secret("second factor", factor["secret"])).now()
        for number, text in enumerate(factor["recovery_codes"]):
            self.secret(f"recovery code {number}", text)
        shown = {"name": account["login"], "password": password, "code": code}
        answer = self.outside.ask("POST", "/session", body=shown)
        assert answer.status_code == 201, answer.text
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self.secret("session cookie", self.cookie.partition("=")[2])
        self.csrf = self.secret("CSRF token", answer.json()["csrf_token"])
        self.outside.client.cookies.clear()
        ask("GET", f"/sessions?account={account['login']}", token=self.acme)
        self.account = made["id"]

    def raise_alarm(self) -> None:
        """One that is told, commented on, acknowledged and closed; and payloads that are refused."""
        ask, home = self.outside.do, self.town.opened_home("p-1")
        with home:
            members = {"room": self.fact("room"), "text": self.fact("alarm text")}
            home.raise_alarm("p-1", "a-1", **members, data={"note": self.fact("alarm data")})
            wait_until(lambda: home.has("stored", "a-1"), "the alarm is stored")
            self.refuse_messages(home)
        [alarm] = ask("GET", "/alarms", token=self.acme)["items"]
        path = f"/alarms/{alarm['id']}"
        page = {"Cookie": self.cookie, "X_CSRF_Token": self.csrf, "Origin": str(self.outside.client.base_url)}
        ask("POST", f"{path}/comment", body={"note": self.fact("comment")}, **page)
        ask("POST", f"{path}/acknowledge", body={"note": self.fact("note")}, **page)
        self.outside.ask("POST", f"{path}/acknowledge", token=self.acme, body={"by": "somebody else"})

    def refuse_messages(self, home: Home) -> None:
        stray = self.stray("topic")
        home.publish(f"up/p-1/{stray}/alarm", b'{"id": "x", "kind": "safety.manual"}')
        home.publish(f"up/{stray}/p-1/alarm", b'{"id": "x", "kind": "safety.manual"}')
        refused = self.canaries.add("refused payload", Kind.STRAY, "191212121212 refused")
        home.publish("up/p-1/p-1/alarm", f'{{"id": 7, "kind": "{refused}"'.encode())
        home.publish("up/p-1/p-1/status", f'"{refused}"'.encode())
        home.publish("up/p-1/p-1/reading", f'[{{"n": "{refused}", "v": "no"}}]'.encode())
        wait_until(lambda: self.rows("SELECT COUNT(*) FROM quarantine")[0][0] >= 3, "they are refused")

    def stray(self, where: str) -> str:
        return self.canaries.add(f"stray in {where}", Kind.STRAY, f"19121212-1212-{where.replace(' ', '-')}")

    def ask_wrongly(self) -> None:
        """Requests that are wrong in every way, with a person's number in each."""
        ask, city = self.outside.ask, self.city
        token = self.canaries.add("token that is none", Kind.SECRET, "stn_canary-of-a-token-Qx7")
        jwt = self.canaries.add("JWT", Kind.SECRET, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnktUXg3In0.c2ln")
        for shown in (token, jwt):
            ask("GET", "/homes", token=shown)
        ask("GET", "/homes", Cookie=f"stadsnav={token}")
        ask("GET", "/homes", Authorization=f"Basic {token}")
        path = self.stray("path")
        for method in ("GET", "POST", "PUT", "DELETE"):
            ask(method, f"/{path}", token=city)
            ask(method, f"//{path}/{path}", token=city)
        kinds = ("homes", "residents", "accounts", "alarms", "devices", "grants", "deliveries", "emergencies")
        for kind in kinds:
            ask("GET", f"/{kind}/{path}", token=city)
            ask("GET", f"/{kind}?{self.stray('query name')}=1", token=city)
            ask("GET", f"/{kind}?cursor={self.stray('cursor')}", token=city)
            ask("GET", f"/{kind}?limit={self.stray('query')}", token=city)
            for content in (b'{"%s": 1}', b'{"id": "%s"', b"%s", b'["%s"]', b'{"name": {"a": "%s"}}'):
                ask("POST", f"/{kind}", token=city, body=content % self.stray("body").encode())
        ask("POST", "/homes", token=city, body=b"{}", Content_Type=self.stray("content type"))
        ask("GET", f"/events/stream?last_event_id={self.stray('event id')}&x=1", token=city)
        ask("GET", "/homes", token=city, Host=f"{self.stray('host')}.example.org")
        ask("POST", "/homes", token=city, body={}, Origin=f"https://{self.stray('origin')}.example.org")
        ask("GET", "/readings", token=city, Accept=self.stray("accept"))
        ask("GET", "/homes", X_Forwarded_For=self.stray("forwarded"), User_Agent=self.stray("agent"))
        long = self.canaries.add("long idempotency key", Kind.SECRET, "idempotency canary with spaces")
        ask("POST", "/homes", token=city, body={"id": "h-9", "address": "x"}, Idempotency_Key=long)
        big = self.stray("big body").encode()
        ask("POST", "/homes", token=city, body=big * 100_000)

    def sign_in_wrongly(self) -> None:
        ask = self.outside.ask
        wrong = self.secret("wrong password", "the wrong canary Qx7")
        typed = self.secret("password typed as the name", "my.canary.password.qx7")
        ask("POST", "/session", body={"name": "canary.login.qx7", "password": wrong})
        ask("POST", "/session", body={"name": typed, "password": typed})
        ask("POST", "/session", body={"name": self.stray("login"), "password": wrong, "code": wrong})
        ask("POST", "/session", body={"name": [typed], "password": {"x": wrong}})
        ask(
            "POST",
            "/session",
            body={"name": "canary.login.qx7", "password": [wrong], self.stray("member"): typed},
        )
        ask("PUT", f"/accounts/{self.account}/password", token=self.acme, body={"password": "Qx7canarys"})
        ask("POST", "/accounts", token=self.acme, body={"login": self.stray("new login") + " x", "roles": []})
        ask("POST", "/homes", body={}, Cookie=self.cookie)  # nobody's page
        ask("GET", f"//auth/oidc/callback?code={self.secret('code', 'code-canary-Qx7')}&state=x")
        ask("GET", "//auth/oidc/start?next=/")

    def fail_webhooks(self) -> None:
        """A receiver for each way to fail, tried; and one that was live and fails since."""
        at = self.receiver.address
        inner = self.canaries.add("webhook path", Kind.FACT, "webhook-path-canary-Qx7")
        asked = self.canaries.add("webhook query", Kind.FACT, "webhook-query-canary-Qx7")
        ways = {name: f"{at}/{inner}/{name}?key={asked}" for name in ("gone", "broken", "moved", "cut")}
        ways["tls"] = f"https://{at.partition('://')[2]}/{inner}?key={asked}"
        ways["away"] = f"http://{HOST}:{free_port()}/{inner}?key={asked}"
        ways["forbidden"] = f"http://10.9.9.9/{inner}?key={asked}"
        ways["nowhere"] = f"https://hooks.invalid/{inner}?key={asked}"
        ways["acme"] = f"{at}/{inner}/well?key={asked}"
        with ThreadPoolExecutor(len(ways)) as pool:
            tried = dict(zip(ways, pool.map(self._try_webhook, ways, ways.values()), strict=True))
        assert {name for name, is_ok in tried.items() if is_ok} == {"acme"}
        self.receiver.is_willing = False

    def _try_webhook(self, name: str, url: str) -> bool:
        organisation = name if name == "acme" else f"org-{name}"
        if name != "acme":
            new = {"id": organisation, "name": organisation, "kind": "care"}
            self.outside.do("POST", "/organisations", token=self.city, body=new)
        new = {"channel": "webhook", "url": url, "organisation": organisation}
        made = self.outside.do("POST", "/subscriptions", token=self.city, body=new)
        self.secret(f"webhook secret of {name}", made["key"].removeprefix("whsec_"))
        answer = self.outside.do("POST", f"/subscriptions/{made['id']}/ping", token=self.city)
        return bool(answer["ok"])

    def ask_without_store(self) -> None:
        """Somebody else writes, and does not end."""
        with closing(sqlite3.connect(self.product.folder / "stadsnav.db", isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            answer = self.outside.ask("POST", f"/devices/{self.stray('device')}/suspend", token=self.city)
            store.execute("ROLLBACK")
        assert answer.status_code == 503, answer.text

    def kill(self) -> None:
        """kill -9 of every process, which come back."""
        for name in WORKERS:
            self.product.kill(name)
        for name in WORKERS:
            self.product.child(name)
        wait_until(self._is_up, "it answers again")

    def _is_up(self) -> bool:
        try:
            return bool(self.outside.client.get("/readyz").status_code == 200)
        except httpx2.TransportError:
            return False

    def wait_for_faults(self, *codes: str) -> None:
        def missing() -> set[str]:
            return set(codes) - {row[0] for row in self.rows("SELECT code FROM faults")}

        wait_until(lambda: not missing(), lambda: f"there are the faults {missing()}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.product.folder}/stadsnav.db?mode=ro", uri=True)) as store:
            return store.execute(sql).fetchall()
