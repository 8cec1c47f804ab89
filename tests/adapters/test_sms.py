"""Text messages over HTTP: both twins hand them to a gateway on this machine, and trust nothing that it says."""

import base64
import hashlib
import hmac
import io
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.sms import AsyncHttpSmsCourier, ConsoleCourier, HttpSmsCourier, signature
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import MessageId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.relay import (
    LOGIN_REFUSED,
    Accepted,
    PermanentFailure,
    Refusal,
    Rendered,
    SmsPolicy,
    TemporaryFailure,
    Wording,
)
from shopaccounts.testing.builders import BEGINNING
from shopaccounts.testing.plugin import ASYNC

SECRET = Secret(b"a secret of the gateway's own")
PATIENT = SmsPolicy(timeout=timedelta(seconds=10))
HASTY = SmsPolicy(timeout=timedelta(milliseconds=200))
pytestmark = pytest.mark.proves("MSG-4", "MSG-15")


def text_message(text: str = "Lampenhaus: 482913 is your code.\n", channel: Channel = Channel.SMS) -> Rendered:
    """A message that is ready to go."""
    return Rendered(
        id=MessageId("m1"),
        template="registration.verify_contact",
        channel=channel,
        to="+4915123456789",
        wording=Wording(subject="", text=text, locale="de"),
        at=BEGINNING,
    )


@attrs.define
class Gateway:
    """A gateway on this machine that answers what a test tells it to."""

    status: int = 202
    body: bytes = b'{"id":"g-17"}'
    headers: dict[str, str] = attrs.field(factory=dict)
    length: int | None = None
    never: bool = False
    got: list[tuple[str, dict[str, str], bytes]] = attrs.field(factory=list)
    over: threading.Event = attrs.field(factory=threading.Event)
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        posted = request.rfile.read(int(request.headers["Content-Length"]))
        self.got.append((request.path, {name.lower(): value for name, value in request.headers.items()}, posted))
        request.send_response(self.status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(self.body) if self.length is None else self.length))
        request.end_headers()
        request.wfile.write(self.body)
        request.wfile.flush()
        if self.never:
            self.over.wait(30)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway that has just started."""
    script = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (as the standard library names it)
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = False
    script.address = f"http://127.0.0.1:{listening.server_port}/send"
    serving = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield script
    script.over.set()
    listening.shutdown()
    serving.join()
    listening.server_close()


Send = Callable[..., Awaitable[Any]]


@pytest.fixture
def twin(host: str) -> Any:
    """The twin for the host of the test."""
    return AsyncHttpSmsCourier if host == ASYNC else HttpSmsCourier


@pytest.fixture
def send(twin: Any, gateway: Gateway) -> Send:
    """Sends one message."""

    async def sent(message: Rendered | None = None, policy: SmsPolicy = PATIENT) -> Any:
        courier = twin(gateway.address, SECRET, policy)
        try:
            return await got(courier.send(message or text_message()))
        finally:
            await got(courier.hang_up())
            await got(courier.close())

    return sent


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_a_gateway_gets_one_number_one_text_and_the_id(send: Send, gateway: Gateway, channel: Channel) -> None:
    assert await send(text_message(channel=channel)) == Accepted("g-17")
    ((path, headers, body),) = gateway.got
    assert path == "/send"
    assert headers["idempotency-key"] == headers["webhook-id"] == "m1"
    assert json.loads(body) == {
        "id": "m1",
        "channel": channel.value,
        "to": "+4915123456789",
        "text": "Lampenhaus: 482913 is your code.",
        "locale": "de",
    }


async def test_a_gateway_checks_the_signature_over_id_time_and_body(send: Send, gateway: Gateway) -> None:
    await send()
    ((_, headers, body),) = gateway.got
    timestamp = headers["webhook-timestamp"]
    assert int(timestamp) == BEGINNING.timestamp()
    signed = b".".join((b"m1", timestamp.encode(), body))
    digest = hmac.new(b"a secret of the gateway's own", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert headers["webhook-signature"] == signature(SECRET, "m1", int(timestamp), body)
    assert signature(SECRET, "m2", int(timestamp), body) != headers["webhook-signature"]
    assert signature(SECRET, "m1", int(timestamp) + 1, body) != headers["webhook-signature"]
    assert signature(SECRET, "m1", int(timestamp), body + b" ") != headers["webhook-signature"]


async def test_a_second_try_has_the_same_id(send: Send, gateway: Gateway) -> None:
    gateway.status = 503
    await send()
    gateway.status = 200
    await send()
    assert [headers["idempotency-key"] for _, headers, _ in gateway.got] == ["m1", "m1"]


@pytest.mark.parametrize("body", [b"", b"thanks", b"[]", b'{"id":5}', b"[" * 50_000, b"\xff"])
async def test_what_a_gateway_says_with_success_may_be_anything(send: Send, gateway: Gateway, body: bytes) -> None:
    gateway.body = body
    assert await send() == Accepted("")


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (401, b"", TemporaryFailure(LOGIN_REFUSED)),
        (403, b"", TemporaryFailure(LOGIN_REFUSED)),
        (408, b"", TemporaryFailure("sms.temporary")),
        (425, b"", TemporaryFailure("sms.temporary")),
        (429, b"", TemporaryFailure("sms.temporary")),
        (500, b'{"reason":"undeliverable"}', TemporaryFailure("sms.temporary")),
        (503, b"", TemporaryFailure("sms.temporary")),
        (400, b"", PermanentFailure(Refusal.REJECTED)),
        (404, b"nothing here", PermanentFailure(Refusal.REJECTED)),
        (422, b'{"reason":"undeliverable"}', PermanentFailure(Refusal.UNDELIVERABLE)),
        (422, b'{"reason":"unsupported"}', PermanentFailure(Refusal.UNSUPPORTED)),
        (422, b'{"reason":"rejected"}', PermanentFailure(Refusal.REJECTED)),
        (422, b'{"reason":["undeliverable"]}', PermanentFailure(Refusal.REJECTED)),
    ],
)
async def test_only_what_speaks_of_the_number_counts_against_it(
    send: Send, gateway: Gateway, status: int, body: bytes, answer: object
) -> None:
    gateway.status, gateway.body = status, body
    assert await send() == answer
    assert len(gateway.got) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_number_and_a_code_go_nowhere_else(send: Send, gateway: Gateway, status: int) -> None:
    gateway.status, gateway.headers = status, {"Location": gateway.address + "/elsewhere"}
    assert await send() == TemporaryFailure("sms.moved")
    assert [path for path, _, _ in gateway.got] == ["/send"]


@pytest.mark.parametrize(
    ("text", "pause"),
    [("30", 30), ("0", 0), ("999999", 86_400), ("-1", None), ("soon", None), ("9" * 30, None)],
)
async def test_a_gateway_says_when_to_come_again(send: Send, gateway: Gateway, text: str, pause: int | None) -> None:
    gateway.status, gateway.headers = 429, {"Retry-After": text}
    wait = None if pause is None else timedelta(seconds=pause)
    assert await send() == TemporaryFailure("sms.temporary", wait)


async def test_a_gateway_that_is_late_or_gone_is_tried_again(send: Send, gateway: Gateway) -> None:
    gateway.length, gateway.never = 5000, True
    assert await send(policy=HASTY) == TemporaryFailure("sms.timeout")
    gateway.length, gateway.never = 5000, False
    assert await send() == TemporaryFailure("sms.no_connection")
    gateway.address = "http://127.0.0.1:9"  # nobody listens on the port of discard
    assert await send() == TemporaryFailure("sms.no_connection")


def test_an_answer_that_comes_in_drops_holds_up_nobody(gateway: Gateway) -> None:
    class Hurrying:
        clock = FixedClock(BEGINNING)

        def now(self) -> datetime:
            self.clock.advance(timedelta(seconds=6))
            return self.clock.now()

    gateway.body = b" " * 100_000 + b'{"id":"late"}'
    courier = HttpSmsCourier(gateway.address, SECRET, PATIENT, clock=Hurrying())
    assert courier.send(text_message()) == Accepted("")
    courier.close()


@pytest.mark.proves("MSG-16")
async def test_what_takes_too_many_pieces_is_not_sent(send: Send, gateway: Gateway) -> None:
    assert await send(text_message("a" * 460)) == PermanentFailure(Refusal.UNSUPPORTED)
    assert await send(text_message("é" * 161), SmsPolicy(max_segments=1)) == PermanentFailure(Refusal.UNSUPPORTED)
    assert gateway.got == []
    assert await send(text_message("a" * 459)) == Accepted("g-17")


@pytest.mark.parametrize("address", ["http://gateway.example", "ftp://gateway.example", "gateway.example", ""])
def test_a_gateway_is_asked_over_https(twin: Any, address: str) -> None:
    with pytest.raises(BadPolicy, match="https"):
        twin(address, SECRET)


def test_a_gateways_secret_can_not_be_guessed(twin: Any) -> None:
    with pytest.raises(BadPolicy, match="24 bytes"):
        twin("https://gateway.example", Secret(b"short"))


def test_a_developer_reads_messages_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    courier = ConsoleCourier(out)
    assert courier.send(text_message()) == Accepted()
    courier.hang_up()
    assert out.getvalue() == "--- sms to +4915123456789\nLampenhaus: 482913 is your code.\n---\n"
    ConsoleCourier().send(text_message(channel=Channel.VOICE))
    assert "voice to +49" in capsys.readouterr().out
