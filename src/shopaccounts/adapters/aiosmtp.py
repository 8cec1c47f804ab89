"""Mail over SMTP for async hosts, with aiosmtplib.

A connection is kept while a page of messages goes out, and is opened anew after a drop or a 421.
"""

import asyncio
import ssl
from typing import Final

import aiosmtplib

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

__all__ = ["AsyncSmtpCourier"]

_NO_CONNECTION: Final = TemporaryFailure("mail.no_connection")
_NO_TLS: Final = TemporaryFailure("mail.no_tls")


class AsyncSmtpCourier:
    """Hands mail in at an SMTP server, without blocking the event loop.

    Args:
        server: Where.
        policy: From whom.
        tls_context: For a private certificate authority; certificates are checked in any case.
    """

    def __init__(self, server: MailServer, policy: MailPolicy, *, tls_context: ssl.SSLContext | None = None) -> None:
        self._server, self._policy, self._tls = server, policy, tls_context
        self._one_by_one = asyncio.Lock()
        self._connection: aiosmtplib.SMTP | None = None

    async def send(self, message: Rendered) -> CourierAnswer:
        """Send one mail to one recipient."""
        try:
            mail, to = build(message, self._policy), envelope_address(message.to)
        except BadMessage:
            return PermanentFailure(Refusal.UNSUPPORTED)
        async with self._one_by_one:
            try:
                connection = await self._connected()
            except (aiosmtplib.SMTPException, OSError) as failure:
                return _connecting(failure)
            options = ["SMTPUTF8", "BODY=8BITMIME"] if needs_smtputf8(to) else []
            try:
                await connection.sendmail(self._policy.sender, [to], mail.as_bytes(), mail_options=options)
            except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
                return self._refused(failure)
        return Accepted(str(mail["Message-ID"]))

    async def hang_up(self) -> None:
        """Close the connection."""
        async with self._one_by_one:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            try:
                await connection.quit()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        self._connection = None
        fresh = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            timeout=self._policy.timeout.total_seconds(),
            use_tls=self._server.tls is Tls.IMPLICIT,
            start_tls=False,
            tls_context=self._tls or ssl.create_default_context(),
        )
        await fresh.connect()
        try:
            await self._prepare(fresh)
        except BaseException:
            fresh.close()
            raise
        self._connection = fresh
        return fresh

    async def _prepare(self, connection: aiosmtplib.SMTP) -> None:
        await connection.ehlo()
        if self._server.tls is Tls.STARTTLS:
            if not connection.supports_extension("starttls"):
                msg = "the server offers no STARTTLS"
                raise aiosmtplib.SMTPNotSupported(msg)
            await connection.starttls()
        if self._server.user:
            await connection.login(self._server.user, self._server.password.reveal())

    def _refused(self, failure: Exception) -> CourierAnswer:
        match failure:
            case aiosmtplib.SMTPNotSupported() | ValueError():
                return PermanentFailure(Refusal.UNSUPPORTED)
            case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
                return read_answer(first.code, first.message, Step.RECIPIENT)
            case aiosmtplib.SMTPSenderRefused(code=code, message=text):
                return read_answer(code, text, Step.SENDER)
            case aiosmtplib.SMTPResponseException(code=code, message=text):
                return read_answer(code, text, Step.DATA)
            case _:
                return _NO_CONNECTION


def _connecting(failure: Exception) -> TemporaryFailure | PermanentFailure:
    match failure:
        case aiosmtplib.SMTPNotSupported() | ssl.SSLError():
            return _NO_TLS
        case aiosmtplib.SMTPResponseException(code=code, message=text):
            return read_answer(code, text, Step.CONNECT)
        case aiosmtplib.SMTPException() if isinstance(failure.__cause__, ssl.SSLError):
            return _NO_TLS
        case _:
            return _NO_CONNECTION
