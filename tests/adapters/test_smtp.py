"""Both mail couriers against a real server."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any

import attrs
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shopaccounts.adapters.aiosmtp import AsyncSmtpCourier
from shopaccounts.adapters.mail import MailServer, Tls
from shopaccounts.adapters.smtp import SmtpCourier
from shopaccounts.kernel.ids import MessageId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.relay import (
    LOGIN_REFUSED,
    Accepted,
    CourierAnswer,
    MailPolicy,
    PermanentFailure,
    Refusal,
    Rendered,
    TemporaryFailure,
    Wording,
)

POLICY = MailPolicy(sender="shop@lampenhaus.example", timeout=timedelta(seconds=10))
ACCEPTED = Accepted("<m1@lampenhaus.example>")
NO_CONNECTION = TemporaryFailure("mail.no_connection")
DROP = "drop"
STALL = "250 at last"


@attrs.define
class Box:
    """What a mail server got, and what it says."""

    to_recipient: str = "250 ok"
    to_data: str = "250 ok"
    envelopes: list[Any] = attrs.field(factory=list)
    greetings: int = 0
    patience: threading.Event = attrs.field(factory=threading.Event)

    async def handle_EHLO(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.greetings += 1
        return responses

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        if self.to_data == DROP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        elif self.to_data == STALL:
            await asyncio.to_thread(self.patience.wait, 10)
        elif self.to_data.startswith("250"):
            self.envelopes.append(envelope)
        return self.to_data


def free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(box: Box, **options: Any) -> Controller:
    """Start a server on a free port; another process may be faster to take it, then on another."""
    for _ in range(5):
        controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
        try:
            controller.start()
        except OSError:
            continue
        return controller
    msg = "no free port"
    raise AssertionError(msg)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def server(box: Box) -> Iterator[MailServer]:
    controller = started(box, enable_SMTPUTF8=False)
    yield MailServer(host="127.0.0.1", port=controller.port, tls=Tls.NONE)
    controller.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for ``localhost`` that nobody but the tests trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


def rendered(number: int = 1, to: str = "anna@example.org") -> Rendered:
    return Rendered(
        id=MessageId(f"m{number}"),
        template="toys.parcel",
        channel=Channel.EMAIL,
        to=to,
        wording=Wording(subject="Grüße", text="Hallo\n", locale="de"),
        at=datetime(2027, 2, 1, 12, tzinfo=UTC),
    )


class Sender:
    """Sends with one of the couriers, over one connection if it can."""

    def __init__(self, kind: str) -> None:
        self._kind, self.policy = kind, POLICY

    def __call__(
        self, server: MailServer, *messages: Rendered, tls: ssl.SSLContext | None = None, between: Any = None
    ) -> Sequence[CourierAnswer]:
        if self._kind == "async":
            return asyncio.run(self._later(server, messages, tls, between))
        courier = SmtpCourier(server, self.policy, tls_context=tls)
        answers = []
        for message in messages:
            answers.append(courier.send(message))
            if between:
                between()
        courier.hang_up()
        courier.hang_up()
        return answers

    async def _later(
        self, server: MailServer, messages: Sequence[Rendered], tls: ssl.SSLContext | None, between: Any
    ) -> Sequence[CourierAnswer]:
        courier = AsyncSmtpCourier(server, self.policy, tls_context=tls)
        answers = []
        for message in messages:
            answers.append(await courier.send(message))
            if between:
                await asyncio.to_thread(between)
        await courier.hang_up()
        await courier.hang_up()
        return answers


@pytest.fixture(params=["blocking", "async"])
def send(request: pytest.FixtureRequest) -> Sender:
    return Sender(request.param)


@pytest.mark.proves("MSG-14", "MSG-10", "MSG-5")
def test_a_mail_arrives_at_its_one_recipient(send: Sender, server: MailServer, box: Box) -> None:
    assert send(server, rendered()) == [ACCEPTED]
    (envelope,) = box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@lampenhaus.example", ["anna@example.org"])
    assert b"Message-ID: <m1@lampenhaus.example>\r\n" in envelope.content


@pytest.mark.proves("MSG-11", "MSG-14")
def test_a_page_of_mails_goes_over_one_connection_and_none_has_two_recipients(
    send: Sender, server: MailServer, box: Box
) -> None:
    messages = [rendered(number, f"person{number}@example.org") for number in range(5)]
    assert all(isinstance(answer, Accepted) for answer in send(server, *messages))
    assert box.greetings == 1
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [[message.to] for message in messages]


@pytest.mark.proves("MSG-12", "MSG-14")
@pytest.mark.parametrize(
    ("to_recipient", "to_data", "answer"),
    [
        ("451 4.3.0 later", "250 ok", TemporaryFailure("mail.temporary")),
        ("450 4.2.1 later", "250 ok", TemporaryFailure("mail.temporary")),
        ("550 5.1.1 nobody here", "250 ok", PermanentFailure(Refusal.UNDELIVERABLE)),
        ("550 5.7.1 not from you", "250 ok", PermanentFailure(Refusal.REJECTED)),
        ("552 5.2.2 full", "250 ok", TemporaryFailure("mail.mailbox_full")),
        ("250 ok", "451 later", TemporaryFailure("mail.temporary")),
        ("250 ok", "554 5.7.1 spam", PermanentFailure(Refusal.REJECTED)),
        ("250 ok", DROP, NO_CONNECTION),
    ],
)
def test_a_refusal_is_what_its_code_says_and_the_next_mail_goes_out(
    send: Sender, server: MailServer, box: Box, to_recipient: str, to_data: str, answer: CourierAnswer
) -> None:
    box.to_recipient, box.to_data = to_recipient, to_data

    def relent() -> None:
        box.to_recipient, box.to_data = "250 ok", "250 ok"

    first, second = send(server, rendered(1), rendered(2), between=relent)
    assert first == answer
    assert second == Accepted("<m2@lampenhaus.example>")
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [["anna@example.org"]]


@pytest.mark.proves("MSG-11")
def test_after_a_421_a_new_connection_is_opened(send: Sender, server: MailServer, box: Box) -> None:
    box.to_recipient = "421 4.3.2 closing"

    def relent() -> None:
        box.to_recipient = "250 ok"

    assert send(server, rendered(1), rendered(2), between=relent) == [
        TemporaryFailure("mail.temporary"),
        Accepted("<m2@lampenhaus.example>"),
    ]
    assert box.greetings == 2


@pytest.mark.proves("MSG-11")
def test_what_a_server_says_too_late_is_not_taken_for_the_next_mails_answer(
    send: Sender, server: MailServer, box: Box
) -> None:
    send.policy = attrs.evolve(POLICY, timeout=timedelta(seconds=0.3))
    box.to_data = STALL

    def relent() -> None:
        box.to_data = "554 5.7.1 spam"
        box.patience.set()

    answers = send(server, rendered(1), rendered(2), between=relent)
    assert answers == [NO_CONNECTION, PermanentFailure(Refusal.REJECTED)]


@pytest.mark.proves("MSG-4", "MSG-12")
def test_a_server_that_is_not_there_is_tried_again_later(send: Sender) -> None:
    assert send(MailServer(host="127.0.0.1", port=free_port(), tls=Tls.NONE), rendered()) == [NO_CONNECTION]


@pytest.mark.proves("MSG-4", "MSG-19")
def test_a_mail_that_can_not_be_put_together_is_refused_before_anybody_is_asked(send: Sender) -> None:
    nowhere = MailServer(host="127.0.0.1", port=free_port(), tls=Tls.NONE)
    answers = send(
        nowhere, rendered(to="a@x.example\r\nRCPT TO:<b@y.example>"), rendered(to="a@x.example, b@y.example")
    )
    assert answers == [PermanentFailure(Refusal.UNSUPPORTED)] * 2


@pytest.mark.proves("MSG-11", "MSG-14")
def test_a_server_without_starttls_gets_no_mail(send: Sender, server: MailServer, box: Box) -> None:
    assert send(attrs.evolve(server, tls=Tls.STARTTLS), rendered()) == [TemporaryFailure("mail.no_tls")]
    assert box.envelopes == []


@pytest.mark.proves("MSG-11")
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_the_certificate_is_checked(send: Sender, box: Box, certificate: Path, tls: Tls) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    options = {"ssl_context": context} if tls is Tls.IMPLICIT else {"tls_context": context, "require_starttls": True}
    controller = _TlsController.started(box, certificate, tls, options)
    try:
        server = MailServer(host="localhost", port=controller.port, tls=tls)
        trusting = ssl.create_default_context(cafile=certificate)
        assert send(server, rendered(), tls=trusting) == [ACCEPTED]
        assert send(server, rendered()) == [TemporaryFailure("mail.no_tls")]
        assert send(attrs.evolve(server, host="127.0.0.1"), rendered(), tls=trusting) == [
            TemporaryFailure("mail.no_tls")
        ]
    finally:
        controller.stop()
    assert len(box.envelopes) == 1


class _TlsController(Controller):
    """A server over TLS; to see whether it is up, it is asked by somebody who trusts its certificate."""

    trusted: Path | None = None

    @classmethod
    def started(cls, box: Box, certificate: Path, tls: Tls, options: dict[str, Any]) -> "_TlsController":
        controller = cls(box, hostname="127.0.0.1", port=free_port(), **options)
        controller.trusted = certificate if tls is Tls.IMPLICIT else None
        controller.start()
        return controller

    def _trigger_server(self) -> None:
        if self.trusted is None:
            super()._trigger_server()
            return
        context = ssl.create_default_context(cafile=self.trusted)
        with closing(socket()) as plain:
            plain.connect((self.hostname, self.port))
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.recv(1024)


@pytest.mark.proves("MSG-12")
@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # on this machine the test needs no TLS for it
def test_a_refused_login_is_not_the_recipients_fault(send: Sender, box: Box) -> None:
    controller = started(
        box,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_required=True,
        auth_require_tls=False,
    )
    try:
        server = MailServer(host="127.0.0.1", port=controller.port, tls=Tls.NONE, user="shop", password=Secret("wrong"))
        assert send(server, rendered()) == [TemporaryFailure(LOGIN_REFUSED)]
        assert send(attrs.evolve(server, user=""), rendered()) == [TemporaryFailure(LOGIN_REFUSED)]
    finally:
        controller.stop()
    assert box.envelopes == []


@pytest.mark.proves("MSG-10")
def test_a_name_beyond_ascii_needs_a_server_that_knows_smtputf8(send: Sender, server: MailServer, box: Box) -> None:
    assert send(server, rendered(to="änna@bücher.example")) == [PermanentFailure(Refusal.UNSUPPORTED)]
    controller = started(box, enable_SMTPUTF8=True)
    try:
        knowing = attrs.evolve(server, port=controller.port)
        assert send(knowing, rendered(to="änna@bücher.example")) == [ACCEPTED]
    finally:
        controller.stop()
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [["änna@xn--bcher-kva.example"]]
