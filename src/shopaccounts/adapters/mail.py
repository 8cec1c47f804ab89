"""What every mail courier shares: putting a mail together, and reading a mail server's answers.

The rules, in plain English:

* A mail has one recipient, a date, and a message id that is the same on each try, so that a mail program shows a
  repeated mail once.
* It says that a machine wrote it, so that absence notes don't answer. [RFC 3834 section 5]
* No header value holds a line break: that is refused, not repaired.
* Whether a refusal is for good is read from the code, never from the kind of exception. 4xx and a lost connection are
  for now; of 5xx only those that speak of the address count against it. A full mailbox is for now. [RFC 3463]
* That our own login was refused says nothing about anybody's address; it raises an alarm.
* An address with signs beyond ASCII before the @ needs a server that knows SMTPUTF8. [RFC 6531]
"""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import is_this_machine
from shopaccounts.relay import (
    LOGIN_REFUSED,
    BadMessage,
    MailPolicy,
    PermanentFailure,
    Refusal,
    Rendered,
    TemporaryFailure,
)

__all__ = ["MailServer", "Step", "Tls", "build", "envelope_address", "needs_smtputf8", "read_answer"]

_ENHANCED: Final = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_LOGIN_CODES: Final = frozenset({530, 534, 535})
_ABOUT_THE_ADDRESS: Final = frozenset({(1, 0), (1, 1), (1, 2), (1, 3), (1, 6), (1, 10)})
_MAILBOX_FULL: Final = (2, 2)
_NO_SUCH_RECIPIENT: Final = frozenset({550, 551, 553})
_BREAKS: Final = re.compile(r"[\r\n\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_PERMANENT: Final = 500
_TEMPORARY: Final = TemporaryFailure("mail.temporary")


class Tls(Enum):
    """How the connection to a mail server is protected."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


class Step(Enum):
    """What a server's answer was about."""

    CONNECT = "connect"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


@attrs.frozen(kw_only=True)
class MailServer:
    """Where mail is handed in.

    Args:
        host: Its name; the certificate must be for it.
        port: 587 for STARTTLS, 465 for implicit TLS (RFC 8314), or what the provider says.
        tls: How the connection is protected; ``NONE`` only on this machine, or with *plain_allowed*.
        user: Name to log in with, empty for none.
        password: Password to log in with.
        plain_allowed: Accept an unprotected connection to another machine.

    Raises:
        BadPolicy: An unprotected connection to another machine, or a login over it.
    """

    host: str
    port: int = 587
    tls: Tls = Tls.STARTTLS
    user: str = ""
    password: Secret[str] = attrs.field(factory=lambda: Secret(""))
    plain_allowed: bool = False

    def __attrs_post_init__(self) -> None:
        protected = self.tls is not Tls.NONE or is_this_machine(self.host)
        require(protected or self.plain_allowed, "mail leaves this machine over TLS only")
        require(protected or not self.user, "a login needs TLS")


def build(message: Rendered, policy: MailPolicy) -> EmailMessage:
    """Put a mail together.

    Raises:
        BadMessage: A header would hold a line break, the address is none, or there is no text.
    """
    wording = message.wording
    to = envelope_address(message.to)
    if not wording.text.strip():
        raise BadMessage(part="text", reason="no_text")
    mail = EmailMessage(policy=SMTPUTF8 if needs_smtputf8(to) else SMTP)
    mail["Date"] = message.at
    mail["Message-ID"] = _one_line("Message-ID", f"<{message.id}@{policy.message_domain}>")
    mail["From"] = _address("From", policy.sender, policy.sender_name)
    mail["To"] = _address("To", to)
    if policy.reply_to:
        mail["Reply-To"] = _address("Reply-To", policy.reply_to)
    mail["Subject"] = _one_line("Subject", wording.subject)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(wording.text)
    if wording.html:
        mail.add_alternative(wording.html, subtype="html")
        mail.set_boundary(f"=_{message.id}")
    mail["Content-Language"] = _one_line("Content-Language", wording.locale.replace("_", "-"))
    return mail


def envelope_address(address: str) -> str:
    """Answer an address as the envelope has it: the domain in ASCII.

    Raises:
        BadMessage: It is no single address.
    """
    import idna  # noqa: PLC0415  (the tables are large, and most domains don't need them)

    _one_line("To", address)
    local, at, domain = address.rpartition("@")
    if not at or not local or "@" in local or re.search(r"[\s,;:<>()\[\]\\\"]", address):
        raise BadMessage(part="To", reason="address")
    if domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True, std3_rules=True).decode()}"
    except idna.IDNAError:
        raise BadMessage(part="To", reason="address") from None


def needs_smtputf8(address: str) -> bool:
    """Tell whether only a server that knows SMTPUTF8 can take mail for an address (RFC 6531)."""
    return not address.isascii()


def read_answer(code: int, text: str | bytes, step: Step) -> TemporaryFailure | PermanentFailure:
    """Say what a server's refusal means.

    Args:
        code: The three digits; 0 or below where the connection was lost.
        text: What stands behind them; only an enhanced status at its beginning is read.
        step: What it was about.
    """
    if code in _LOGIN_CODES:
        return TemporaryFailure(LOGIN_REFUSED)
    if code < _PERMANENT:
        return _TEMPORARY
    status = _enhanced_status(text)
    if status == _MAILBOX_FULL:
        return TemporaryFailure("mail.mailbox_full")
    if step is Step.CONNECT:
        return TemporaryFailure("mail.server_refuses")
    if step is Step.SENDER:
        return PermanentFailure(Refusal.REJECTED)
    gone = status in _ABOUT_THE_ADDRESS if status else step is Step.RECIPIENT and code in _NO_SUCH_RECIPIENT
    return PermanentFailure(Refusal.UNDELIVERABLE if gone else Refusal.REJECTED)


def _enhanced_status(text: str | bytes) -> tuple[int, int] | None:
    found = _ENHANCED.match(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
    return (int(found[2]), int(found[3])) if found else None


def _address(header: str, address: str, name: str = "") -> Address:
    local, _, domain = _one_line(header, address).rpartition("@")
    return Address(display_name=_one_line(header, name), username=local, domain=domain)


def _one_line(header: str, value: str) -> str:
    if _BREAKS.search(value):
        raise BadMessage(part=header, reason="line_break")
    return value
