"""What was sent to be typed in or opened: one code, for one purpose, to one mailbox or phone, asked for in one place.

* A code counts only with the handle that asking for it answered, and only for what it was asked for. One message may
  carry a link as well, which belongs to the browser that asked.
* For an address that leads nowhere the same is kept, with a code that fits nothing: it takes as many guesses and ends
  as any other.
* Each answer costs a try, right or wrong. Another code makes the earlier one worthless; tries and end stay.
* A code or link works once, and no more once something that it relied on has moved at the account. Whoever guesses
  isn't told that; whoever has the right one is.
* Asking once more in the same browser replaces what was asked for before.

[NIST SP 800-63B-4 3.1.3.2; OWASP ASVS 6.5, 6.6]
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.codes import Challenge, ChallengeState
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity, Stamp
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket
from shopaccounts.kernel.vault import Sealed
from shopaccounts.kernel.web import Landing, SetCookie
from shopaccounts.signin.errors import SignInLinkExpired, SignInLinkInvalid, SignInLinkStale, SignInLinkUsed

__all__ = [
    "SENT_CODES",
    "SIGN_IN",
    "SIGN_IN_LINK",
    "STEP",
    "CodeSent",
    "CodeUse",
    "LinkOffer",
    "OpenedElsewhere",
    "SentCode",
    "has_moved",
    "used_up",
]

_REFUSALS: Final = Refusals(SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale)
_FIRST: Final = frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS})


@attrs.frozen(kw_only=True)
class CodeUse:
    """What codes of one kind are for.

    Args:
        handle: The purpose of their handles, and what their codes rely on.
        template: The text that carries them.
        link: The purpose of the link that goes with them; None for codes alone.
    """

    handle: Purpose
    template: str
    link: Purpose | None = None

    @property
    def name(self) -> str:
        """The stable name of the purpose."""
        return self.handle.name


SIGN_IN_LINK: Final = Purpose("sign_in_link", "sil", _FIRST, _REFUSALS)
SIGN_IN: Final = CodeUse(
    handle=Purpose("sign_in_code", "sic", _FIRST, _REFUSALS), template="signin.sign_in_code", link=SIGN_IN_LINK
)
"""To get in."""
STEP: Final = CodeUse(
    handle=Purpose("step_code", "stc", _FIRST | {Stamp.FACTORS}, _REFUSALS),
    template="signin.step_code",
)
"""A second step of sign-in, a fresh proof while signed in, and the first code of a new factor."""


@described(data_class="security", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class SentCode:
    """A code, and the link that went with it, waiting to be used.

    Args:
        id: The selector in its handle and in its link, by which either finds it.
        purpose: What it is for.
        account: Whose it is; None for one that leads nowhere.
        contact: Where it went.
        typed: The address or number as it was asked for.
        mailbox: Keyed digest of it.
        bound: What the code is for besides its purpose, as ``progress`` or ``session`` and its id; empty for none.
        browser: Digest of the browser that asked.
        code: The code, sealed, for the page of a link that was opened elsewhere; None once it is used.
        device, place: On what, and about where, it was asked for.
    """

    id: str
    realm: RealmId
    version: int = 1
    purpose: str = attrs.field(metadata=impersonal("the name of a purpose"))
    account: AccountId | None
    contact: ContactId | None
    typed: Contact
    mailbox: str = attrs.field(metadata=secret("security", "keyed digest of an address"))
    channel: Channel
    bound: str = attrs.field(default="", metadata=impersonal("built from opaque ids"))
    browser: bytes = attrs.field(repr=False, metadata=secret("security", "digest of a browser's value"))
    challenge: Challenge
    handle: Ticket
    link: Ticket | None = None
    code: Sealed | None = attrs.field(default=None, repr=False, metadata=secret("security", "a sealed code"))
    device: str = attrs.field(
        default="", repr=False, metadata=personal("security", Category.TECHNICAL, on_erase=OnErase.BLANK)
    )
    place: str = attrs.field(
        default="", repr=False, metadata=personal("security", Category.LOCATION, on_erase=OnErase.BLANK)
    )
    asked_at: datetime

    @property
    def is_exhausted(self) -> bool:
        """Whether its code takes no more answers."""
        return self.challenge.state is ChallengeState.EXHAUSTED


SENT_CODES = Book(
    name="sent_codes",
    of=SentCode,
    groups={
        "account": lambda s: s.account,
        "issued": lambda s: f"{s.purpose} {s.mailbox} {s.browser.hex()} {s.bound}",
    },
    order=lambda s: s.asked_at,
    keep_until=lambda s: s.handle.expires_at,
    personal=True,
)


@attrs.frozen(kw_only=True)
class CodeSent:
    """What everybody who asks is told, whatever the shop knows of the address.

    Args:
        handle: For this browser alone; the code counts only with it.
        channel: By which way the code goes out.
        masked: Where to, masked.
        resend_after: How long to wait before another message.
        expires_at: When the code is of no use any more.
        set_cookies: What the browser is to keep, if it began its first flow.
    """

    handle: Secret[str]
    channel: Channel
    masked: str
    resend_after: timedelta
    expires_at: datetime
    set_cookies: tuple[SetCookie, ...] = ()


@attrs.frozen(kw_only=True)
class LinkOffer(Landing):
    """What the landing page of a sign-in link shows; looking changes nothing.

    Args:
        masked: Whom it signs in, masked.
        expires_at: When it is of no use any more.
        same_browser: Whether this browser asked for it.
        asked_at, device, place: When, on what and about where it was asked for.
    """

    masked: str
    expires_at: datetime
    same_browser: bool
    asked_at: datetime
    device: str
    place: str


@attrs.frozen(kw_only=True)
class OpenedElsewhere:
    """The link was opened in another browser than the one that asked: nobody is signed in, and it stays good.

    Args:
        code: To be typed where the sign-in began; None where the shop has links alone.
        asked_at, device, place: When, on what and about where it was asked for.
        may_confirm: Whether the link works here all the same, once that was confirmed.
    """

    code: Secret[str] | None
    asked_at: datetime
    device: str
    place: str
    may_confirm: bool


def used_up(sent: SentCode, now: datetime) -> SentCode:
    """Answer what is left of a code or link that was used: neither works again."""
    return attrs.evolve(
        sent,
        challenge=attrs.evolve(sent.challenge, state=ChallengeState.SOLVED),
        handle=attrs.evolve(sent.handle, spent_at=now),
        link=attrs.evolve(sent.link, spent_at=now) if sent.link else None,
        code=None,
    )


def has_moved(sent: SentCode, use: CodeUse, security: AccountSecurity | None) -> bool:
    """Tell whether something that the code relied on has moved at its account, or the account is gone."""
    return security is None or security.stamps.moved(sent.handle.stamps, use.handle.depends_on)
