"""The answers of recovery, and what it remembers of them."""

from datetime import datetime, timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import Landing, SetCookie
from shopaccounts.passwords import PasswordGuide
from shopaccounts.signin import FactorOption

__all__ = ["STOP_NOTICES", "PasswordWasReset", "Question", "RecentAddition", "ResetOffer", "ResetSent", "StopNotice"]


class Question(Enum):
    """The questions there are; a shop's page words them for its customers."""

    FIRST_PET = "first_pet"
    FIRST_TEACHER = "first_teacher"
    CHILDHOOD_STREET = "childhood_street"
    CHILDHOOD_FRIEND = "childhood_friend"
    CHILDHOOD_HERO = "childhood_hero"
    FIRST_CONCERT = "first_concert"
    FIRST_JOB = "first_job"
    FIRST_FLIGHT = "first_flight"
    FAVOURITE_BOOK_AS_A_CHILD = "favourite_book_as_a_child"
    WORST_HOLIDAY = "worst_holiday"

    @property
    def words(self) -> frozenset[str]:
        """The words that an answer may not just repeat."""
        return frozenset(self.value.split("_"))


@described(data_class="security", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class StopNotice:
    """When the owner of a suspended account who asked for a reset was last told that it is suspended."""

    id: AccountId
    realm: RealmId
    version: int = 1
    told_at: datetime


STOP_NOTICES = Book(name="stop_notices", of=StopNotice, keep_until=lambda n: n.told_at + timedelta(days=1))


@attrs.frozen(kw_only=True)
class ResetSent:
    """What everybody who asks is told, whatever the shop knows of the address or number.

    Args:
        channel: By which way something goes out.
        masked: Where to, masked.
        resend_after: How long to wait before another message.
        handle: For this browser alone: a code that went to a phone counts only with it; None by e-mail.
        set_cookies: What the browser is to keep, if it began its first flow.
    """

    channel: Channel
    masked: str
    resend_after: timedelta
    handle: Secret[str] | None = None
    set_cookies: tuple[SetCookie, ...] = ()


@attrs.frozen(kw_only=True)
class ResetOffer(Landing):
    """What the landing page of a reset link shows; looking changes nothing.

    Args:
        questions: What is asked besides, where the account has security questions.
        second: The second factors of which one is asked for besides; none where it is asked for at the next sign-in.
    """

    masked: str
    expires_at: datetime
    guide: PasswordGuide
    questions: tuple[Question, ...] = ()
    second: tuple[FactorOption, ...] = ()


@attrs.frozen(kw_only=True)
class RecentAddition:
    """Something that was added to an account lately.

    Args:
        id: Names it when it is to be removed.
        kind: ``contact``, ``factor``, ``passkey``, ``provider`` or ``device``.
        label: The masked address; what the customer calls a second step or passkey; the name of the provider; what the
            device calls itself.
    """

    id: str
    kind: str
    label: str
    at: datetime


@attrs.frozen(kw_only=True)
class PasswordWasReset:
    """The new password holds; the customer signs in with it as usual.

    Args:
        masked: The address or number that the link or code went to.
        recent: What was added to the account lately: whoever doesn't know it removes it after signing in.
        recovery_code: A fresh one for one that was used up as the second factor, to be shown once.
    """

    masked: str
    recent: tuple[RecentAddition, ...] = ()
    recovery_code: Secret[str] | None = None
