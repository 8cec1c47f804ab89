"""The list of leaked passwords over HTTP: both twins ask a server on this machine, and trust nothing that it says."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.breach import AsyncHttpBreachedPasswords, HttpBreachedPasswords
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import BadPolicy, Defect
from shopaccounts.kernel.time import FixedClock
from shopaccounts.passwords import Breaches, BreachPolicy, Clean, Outage, Seen, Unchecked, prepare
from shopaccounts.testing.builders import BEGINNING
from shopaccounts.testing.plugin import ASYNC

PASSWORD = prepare("password")  # SHA-1 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8
PREFIX, SUFFIX = "5BAA6", "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
OTHER = "0018A45C4D1DEF81644B54AB7F969B88D65"
PATIENT = BreachPolicy(timeout=timedelta(seconds=10))
HASTY = BreachPolicy(timeout=timedelta(milliseconds=200))
pytestmark = pytest.mark.proves("PAS-15", "ADA-210")


@attrs.define
class Server:
    """A list on this machine that answers what a test tells it to."""

    body: bytes = b""
    status: int = 200
    length: int | None = None
    never: bool = False
    asked: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    over: threading.Event = attrs.field(factory=threading.Event)
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, {name.lower(): value for name, value in request.headers.items()}))
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(self.body) if self.length is None else self.length))
        request.send_header("Location", f"{self.address}/elsewhere")
        request.end_headers()
        request.wfile.write(self.body)
        request.wfile.flush()
        if self.never:
            self.over.wait(30)


@pytest.fixture
def server() -> Iterator[Server]:
    """A list that has just started."""
    script = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (as the standard library names it)
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = False
    script.address = f"http://127.0.0.1:{listening.server_port}"
    serving = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield script
    script.over.set()
    listening.shutdown()
    serving.join()
    listening.server_close()


Ask = Callable[..., Any]


@pytest.fixture
def twin(host: str) -> Any:
    """The twin for the host of the test."""
    return AsyncHttpBreachedPasswords if host == ASYNC else HttpBreachedPasswords


@pytest.fixture
def ask(twin: Any, server: Server) -> Ask:
    """Asks the server for a prefix."""

    async def asked(prefix: str = PREFIX, policy: BreachPolicy = PATIENT) -> Any:
        listed = twin(policy, server.address)
        try:
            return await got(listed.range(prefix))
        finally:
            await got(listed.close())

    return asked


async def test_promise_1_only_five_digits_leave_in_a_single_request(ask: Ask, server: Server) -> None:
    server.body = f"{SUFFIX}:3\r\n".encode()
    assert await ask() == ((SUFFIX, 3),)
    ((path, headers),) = server.asked
    assert path == "/range/5BAA6"
    assert SUFFIX not in f"{path} {headers}"


@pytest.mark.parametrize("status", [301, 302, 404, 429, 500, 503])
async def test_promise_1_what_is_refused_or_moved_is_an_outage_and_not_tried_again(
    ask: Ask, server: Server, status: int
) -> None:
    server.status, server.body = status, f"{SUFFIX}:3".encode()
    assert await ask() == Outage("status")
    assert len(server.asked) == 1


async def test_promise_2_padding_is_asked_for_and_comes_back_as_nothing_seen(ask: Ask, server: Server) -> None:
    server.body = f"{OTHER}:0\r\n{SUFFIX}:0".encode()
    assert await ask() == ((OTHER, 0), (SUFFIX, 0))
    assert server.asked[0][1]["add-padding"] == "true"


async def test_promise_3_lines_that_are_none_are_skipped(ask: Ask, server: Server) -> None:
    odd = [
        SUFFIX,
        f"{SUFFIX}:",
        f"{SUFFIX}:-1",
        f"{SUFFIX}:x",
        f"{SUFFIX.lower()}:5",
        f"{SUFFIX[1:]}:5",
        f"A{SUFFIX}:5",
    ]
    lines = ["", "<html>", "é", *odd, f" {SUFFIX}:5", f"{SUFFIX}:9{'9' * 12}", f"{OTHER}:12"]
    server.body = "\r\n".join(lines).encode()
    assert await ask() == ((OTHER, 12),)


@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"<html>moved</html>", bytes(range(256))])
async def test_promise_4_an_answer_without_a_line_is_an_outage(ask: Ask, server: Server, body: bytes) -> None:
    server.body = body
    assert await ask() == Outage("no_lines")


async def test_promise_4_an_answer_that_breaks_off_is_an_outage(ask: Ask, server: Server) -> None:
    server.body, server.length = f"{OTHER}:12\r\n".encode(), 5000
    assert await ask() == Outage("unreachable")


async def test_promise_4_an_answer_without_end_is_an_outage(ask: Ask, server: Server) -> None:
    server.body = f"{OTHER}:12\r\n".encode() * 30_000
    assert await ask() == Outage("too_long")


async def test_promise_4_an_answer_that_is_late_is_an_outage(ask: Ask, server: Server) -> None:
    server.body, server.length, server.never = f"{OTHER}:12\r\n".encode(), 5000, True
    assert await ask(policy=HASTY) == Outage("timeout")


def test_promise_4_an_answer_that_comes_in_drops_is_given_up_in_a_blocking_host(server: Server) -> None:
    class Hurrying:
        clock = FixedClock(BEGINNING)

        def now(self) -> datetime:
            self.clock.advance(timedelta(seconds=6))
            return self.clock.now()

    server.body = f"{OTHER}:12\r\n".encode()
    listed = HttpBreachedPasswords(PATIENT, server.address, Hurrying())
    assert listed.range(PREFIX) == ((OTHER, 12),)
    server.body = server.body * 20_000
    assert listed.range(PREFIX) == Outage("timeout")
    listed.close()


async def test_promise_4_a_list_that_is_not_there_is_an_outage(ask: Ask, server: Server) -> None:
    server.address = "http://127.0.0.1:9"  # nobody listens on the port of discard
    assert await ask() == Outage("unreachable")


@pytest.mark.parametrize("prefix", ["", "5BAA", "5baa6", "5BAA61", "5BAA\n", "../..", "５BAA6"])
async def test_what_is_no_prefix_is_never_sent(ask: Ask, server: Server, prefix: str) -> None:
    with pytest.raises(Defect, match="five upper-case hex digits"):
        await ask(prefix)
    assert server.asked == []


@pytest.mark.parametrize("base", ["http://list.example", "ftp://list.example", "list.example", ""])
async def test_the_list_is_asked_over_https(twin: Any, base: str) -> None:
    with pytest.raises(BadPolicy, match="https"):
        twin(PATIENT, base)


async def test_a_shop_learns_whether_a_password_leaked(twin: Any, server: Server) -> None:
    listed = twin(PATIENT, server.address)
    breaches = Breaches(listed, PATIENT)
    server.body = f"{OTHER}:12\r\n{SUFFIX}:3303003".encode()
    assert await breaches.seen(PASSWORD) == Seen(3303003)
    server.body = f"{OTHER}:12\r\n{SUFFIX}:0".encode()
    assert await breaches.seen(PASSWORD) == Clean()
    server.status = 503
    assert await breaches.seen(PASSWORD) == Unchecked()
    await got(listed.close())


def test_the_blocking_twin_says_that_it_would_hold_up_a_loop() -> None:
    assert HttpBreachedPasswords.holds_up_the_loop
    assert not hasattr(AsyncHttpBreachedPasswords, "holds_up_the_loop")
