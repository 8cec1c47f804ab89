"""Putting a mail together, and reading what a mail server answers."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.mail import MailServer, Step, Tls, build, envelope_address, needs_smtputf8, read_answer
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import MessageId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.relay import (
    LOGIN_REFUSED,
    BadMessage,
    MailPolicy,
    PermanentFailure,
    Refusal,
    Rendered,
    TemporaryFailure,
    Wording,
)

POLICY = MailPolicy(sender="shop@lampenhaus.example", sender_name="Lampenhaus", reply_to="help@lampenhaus.example")
GONE = PermanentFailure(Refusal.UNDELIVERABLE)
REJECTED = PermanentFailure(Refusal.REJECTED)
LATER = TemporaryFailure("mail.temporary")


def rendered(to: str = "anna@example.org", subject: str = "Grüße", text: str = "Hallo\n", html: str = "") -> Rendered:
    return Rendered(
        id=MessageId("m1"),
        template="toys.parcel",
        channel=Channel.EMAIL,
        to=to,
        wording=Wording(subject=subject, text=text, html=html, locale="de"),
        at=datetime(2027, 2, 1, 12, tzinfo=UTC),
    )


@pytest.mark.proves("MSG-10", "MSG-5")
def test_a_mail_has_the_headers_that_it_needs_and_no_other() -> None:
    mail = message_from_bytes(build(rendered(html="<p>Hallo</p>"), POLICY).as_bytes(), policy=default)
    assert {name: str(value) for name, value in mail.items()} == {
        "Date": "Mon, 01 Feb 2027 12:00:00 +0000",
        "Message-ID": "<m1@lampenhaus.example>",
        "From": "Lampenhaus <shop@lampenhaus.example>",
        "To": "anna@example.org",
        "Reply-To": "help@lampenhaus.example",
        "Subject": "Grüße",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "de",
        "MIME-Version": "1.0",
        "Content-Type": str(mail["Content-Type"]),
    }
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert (plain.get_content(), html.get_content()) == ("Hallo\r\n", "<p>Hallo</p>\r\n")


@pytest.mark.proves("MSG-18", "MSG-5")
def test_the_message_id_is_the_same_on_each_try_and_its_domain_can_be_chosen() -> None:
    first, second = build(rendered(html="<p>Hallo</p>"), POLICY), build(rendered(html="<p>Hallo</p>"), POLICY)
    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()
    other = MailPolicy(sender="shop@lampenhaus.example", domain="mail.lampenhaus.example")
    assert build(rendered(), other)["Message-ID"] == "<m1@mail.lampenhaus.example>"


@pytest.mark.proves("MSG-10", "MSG-19")
@pytest.mark.parametrize("break_", ["\r", "\n", "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_line_break_in_a_header_is_refused(field: str, break_: str) -> None:
    value = f"anna{break_}Bcc: all@example.org"
    with pytest.raises(BadMessage) as refused:
        build(rendered(**{field: value}), POLICY)
    assert refused.value.reason == "line_break"


@pytest.mark.proves("MSG-10", "MSG-19")
@given(st.text(max_size=40))
def test_no_subject_adds_a_header_or_a_recipient(subject: str) -> None:
    try:
        raw = build(rendered(subject=subject), POLICY).as_bytes()
    except (BadMessage, UnicodeEncodeError):
        return
    mail = message_from_bytes(raw, policy=default)
    assert "Bcc" not in mail
    assert len(mail.keys()) == len(set(mail.keys()))
    assert [str(value) for value in mail.get_all("To", [])] == ["anna@example.org"]


@pytest.mark.proves("MSG-19", "MSG-4")
@pytest.mark.parametrize(
    "to",
    [
        "anna",
        "@example.org",
        "a@x.example, b@y.example",
        "a@x.example b@y.example",
        "Anna <a@x.example>",
        "a@b@c.example",
    ],
)
def test_what_is_no_single_address_is_refused(to: str) -> None:
    with pytest.raises(BadMessage) as refused:
        build(rendered(to=to), POLICY)
    assert refused.value.part == "To"


@pytest.mark.proves("MSG-10")
def test_a_domain_goes_out_in_ascii_and_a_name_beyond_ascii_needs_smtputf8() -> None:
    assert envelope_address("anna@bücher.example") == "anna@xn--bcher-kva.example"
    assert not needs_smtputf8(envelope_address("anna@bücher.example"))
    assert needs_smtputf8(envelope_address("änna@bücher.example"))
    with pytest.raises(BadMessage):
        envelope_address("anna@bü cher.example")
    with pytest.raises(BadMessage):
        envelope_address("anna@-ü-.example")


def test_a_mail_without_text_is_refused() -> None:
    with pytest.raises(BadMessage) as refused:
        build(rendered(text=" \n"), POLICY)
    assert refused.value.reason == "no_text"


@pytest.mark.proves("MSG-12")
@pytest.mark.parametrize(
    ("code", "text", "step", "meaning"),
    [
        (450, "4.2.1 try later", Step.RECIPIENT, LATER),
        (451, "local error", Step.DATA, LATER),
        (421, "4.3.2 shutting down", Step.RECIPIENT, LATER),
        (-1, "connection lost", Step.DATA, LATER),
        (550, "5.1.1 no such user", Step.RECIPIENT, GONE),
        (550, "5.1.1 no such user", Step.DATA, GONE),
        (553, "5.1.3 bad address", Step.RECIPIENT, GONE),
        (556, "5.1.10 null MX", Step.RECIPIENT, GONE),
        (552, "5.2.2 mailbox full", Step.RECIPIENT, TemporaryFailure("mail.mailbox_full")),
        (550, "5.7.1 looks like spam", Step.RECIPIENT, REJECTED),
        (554, "5.7.1 looks like spam", Step.DATA, REJECTED),
        (550, "no such user", Step.RECIPIENT, GONE),
        (551, "moved", Step.RECIPIENT, GONE),
        (553, "not here", Step.RECIPIENT, GONE),
        (550, "not today", Step.DATA, REJECTED),
        (554, "no", Step.RECIPIENT, REJECTED),
        (550, "5.1.8 unknown sender", Step.SENDER, REJECTED),
        (550, "5.1.1 unknown sender", Step.SENDER, REJECTED),
        (530, "5.7.0 log in first", Step.SENDER, TemporaryFailure(LOGIN_REFUSED)),
        (534, "5.7.9 weak", Step.CONNECT, TemporaryFailure(LOGIN_REFUSED)),
        (535, b"5.7.8 wrong password", Step.CONNECT, TemporaryFailure(LOGIN_REFUSED)),
        (554, "no service for you", Step.CONNECT, TemporaryFailure("mail.server_refuses")),
    ],
)
def test_whether_a_refusal_is_for_good_is_read_from_its_code(
    code: int, text: str | bytes, step: Step, meaning: TemporaryFailure | PermanentFailure
) -> None:
    assert read_answer(code, text, step) == meaning


@pytest.mark.proves("MSG-11")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "::1"])
def test_an_unprotected_connection_is_for_this_machine(host: str) -> None:
    assert MailServer(host=host, tls=Tls.NONE).tls is Tls.NONE


@pytest.mark.proves("MSG-11")
def test_an_unprotected_connection_to_another_machine_must_be_wanted_and_never_carries_a_password() -> None:
    for host in ("mail.example.org", "192.0.2.1", "localhost.example.org"):
        with pytest.raises(BadPolicy, match="TLS"):
            MailServer(host=host, tls=Tls.NONE)
    assert MailServer(host="mail.example.org", tls=Tls.NONE, plain_allowed=True).plain_allowed
    with pytest.raises(BadPolicy, match="login"):
        MailServer(host="mail.example.org", tls=Tls.NONE, plain_allowed=True, user="shop", password=Secret("pw"))


def test_a_mail_server_does_not_show_its_password() -> None:
    assert "hunter22" not in repr(MailServer(host="mail.example.org", user="shop", password=Secret("hunter22")))


def test_a_rendered_message_shows_neither_recipient_nor_words() -> None:
    shown = repr(rendered(subject="private subject", text="private text", html="private html"))
    assert "private" not in shown
    assert "anna" not in shown
