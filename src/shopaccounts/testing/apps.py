"""An authenticator app for tests: it is set up with what a shop shows, and shows codes."""

from datetime import datetime, timedelta
from typing import Any

import attrs
import pyotp

from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.signin import FactorEnrolment, Factors

__all__ = ["AuthenticatorApp", "EnrolledApp", "enrol_app"]


class AuthenticatorApp:
    """Shows the codes of one account, by the clock that a test gives it.

    Args:
        uri: What the shop shows to set it up.
        clock: What time it is.
    """

    def __init__(self, uri: Secret[str], clock: FixedClock) -> None:
        self._codes: Any = pyotp.parse_uri(uri.reveal())
        self._clock = clock

    @property
    def period(self) -> timedelta:
        """For how long it shows a code."""
        return timedelta(seconds=self._codes.interval)

    def code(self, at: datetime | None = None) -> str:
        """Answer what it shows, by default now."""
        return str(self._codes.at(at or self._clock.now()))

    def next_code(self) -> str:
        """Wait for the next code, and answer it."""
        self._clock.advance(self.period)
        return self.code()


@attrs.frozen(kw_only=True)
class EnrolledApp:
    """An app that is a second step of an account.

    Args:
        app: The app.
        answer: What the shop answered at its first code.
        session: The session value from then on; the earlier one where the shop answered none.
    """

    app: AuthenticatorApp
    answer: FactorEnrolment
    session: Secret[str]

    @property
    def id(self) -> str:
        """The id of the factor."""
        return self.answer.factor

    @property
    def recovery_codes(self) -> tuple[str, ...]:
        """The recovery codes that were shown."""
        return tuple(code.reveal() for code in self.answer.recovery_codes)


async def enrol_app(
    factors: Factors, session: Secret[str], context: RequestContext, clock: FixedClock, label: str = ""
) -> EnrolledApp:
    """Add an app to the account of a session."""
    started = await factors.start_totp(session, label, context)
    app = AuthenticatorApp(started.uri, clock)
    answer = await factors.confirm_totp(session, app.code(), context)
    return EnrolledApp(app=app, answer=answer, session=answer.next_value.session if answer.next_value else session)
