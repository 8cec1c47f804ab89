"""Mail over SMTP for blocking hosts, with the standard library.

Connections are kept while a page of messages goes out, one for each thread, and are opened anew after a drop or a 421.
"""

import smtplib
import ssl
import threading
from typing import Final

from shopaccounts.adapters.mail import MailServer, Step, Tls, build, envelope_address, needs_smtputf8, read_answer
from shopaccounts.relay import (
    Accepted,
    BadMessage,
    CourierAnswer,
    MailPolicy,
    PermanentFailure,
    Refusal,
    Rendered,
    TemporaryFailure,
)

__all__ = ["SmtpCourier"]

_NO_CONNECTION: Final = TemporaryFailure("mail.no_connection")
_NO_TLS: Final = TemporaryFailure("mail.no_tls")


class SmtpCourier:
    """Hands mail in at an SMTP server.

    Args:
        server: Where.
        policy: From whom.
        tls_context: For a private certificate authority; certificates are checked in any case.
    """

    holds_up_the_loop = True

    def __init__(self, server: MailServer, policy: MailPolicy, *, tls_context: ssl.SSLContext | None = None) -> None:
        self._server, self._policy, self._tls = server, policy, tls_context
        self._mine = threading.local()

    def send(self, message: Rendered) -> CourierAnswer:
        """Send one mail to one recipient."""
        try:
            mail, to = build(message, self._policy), envelope_address(message.to)
        except BadMessage:
            return PermanentFailure(Refusal.UNSUPPORTED)
        try:
            connection = self._connection()
        except (smtplib.SMTPException, OSError) as failure:
            return _connecting(failure)
        utf8 = needs_smtputf8(to)
        if utf8 and not connection.has_extn("smtputf8"):
            return PermanentFailure(Refusal.UNSUPPORTED)
        try:
            options = ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []
            connection.sendmail(self._policy.sender, [to], mail.as_bytes(), mail_options=options)
        except (smtplib.SMTPException, OSError) as failure:
            return self._refused(failure)
        return Accepted(str(mail["Message-ID"]))

    def hang_up(self) -> None:
        """Close this thread's connection."""
        connection: smtplib.SMTP | None = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is None:
            return
        try:
            connection.quit()
        except (smtplib.SMTPException, OSError):
            connection.close()

    def _connection(self) -> smtplib.SMTP:
        kept: smtplib.SMTP | None = getattr(self._mine, "connection", None)
        if kept is not None and kept.sock is not None:
            return kept
        fresh = self._open()
        try:
            self._prepare(fresh)
        except BaseException:
            fresh.close()
            raise
        self._mine.connection = fresh
        return fresh

    def _open(self) -> smtplib.SMTP:
        where, seconds = (self._server.host, self._server.port), self._policy.timeout.total_seconds()
        if self._server.tls is Tls.IMPLICIT:
            return smtplib.SMTP_SSL(*where, timeout=seconds, context=self._context())
        return smtplib.SMTP(*where, timeout=seconds)

    def _prepare(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        if self._server.tls is Tls.STARTTLS:
            connection.starttls(context=self._context())
            connection.ehlo()
        if self._server.user:
            connection.login(self._server.user, self._server.password.reveal())

    def _context(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()

    def _refused(self, failure: Exception) -> CourierAnswer:
        match failure:
            case smtplib.SMTPRecipientsRefused(recipients=recipients):
                code, text = next(iter(recipients.values()))
                step = Step.RECIPIENT
            case smtplib.SMTPSenderRefused(smtp_code=code, smtp_error=text):
                step = Step.SENDER
            case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
                step = Step.DATA
            case _:
                return _NO_CONNECTION
        return read_answer(code, text, step)


def _connecting(failure: Exception) -> TemporaryFailure | PermanentFailure:
    match failure:
        case ssl.SSLError() | smtplib.SMTPNotSupportedError():
            return _NO_TLS
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
            return read_answer(code, text, Step.CONNECT)
        case _:
            return _NO_CONNECTION
