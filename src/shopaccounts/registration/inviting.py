"""Invitations: one person is asked to come, and nobody else can take up what was meant for them.

The rules, in plain English:

* An invitation waits until it is accepted, declined, taken back, or its time is over. Each of these is the end.
* It goes to one address and is good for that address alone: for a new account with it, or for an account that has
  proven it.
* A customer has a number of places for invitations that wait; a further one needs a free place.
* Inviting the same address again takes back the earlier invitation.
* Who invited learns that it was accepted, and nothing of the account.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.limits import counter_key
from shopaccounts.kernel.messages import Message, MessageCategory
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import Purpose, Ticket, mint, peek
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.kernel.web import Landing
from shopaccounts.registration.errors import InvitationForAnotherContact
from shopaccounts.registration.policy import MAX_OPEN, InvitationPolicy
from shopaccounts.registration.verifying import REFUSALS

__all__ = [
    "INVITATIONS",
    "INVITATION_STEPS",
    "INVITE",
    "Answer",
    "Invitation",
    "InvitationOffer",
    "InvitationState",
    "InvitationSummary",
    "Invited",
    "Invites",
    "check_meant",
    "ended",
    "free_place",
    "open_invitation",
    "summary",
]

INVITE: Final = Purpose("invitation", "inv", frozenset(), REFUSALS)


class InvitationState(Enum):
    """How far an invitation got."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Answer(Enum):
    """What can happen to an open invitation."""

    ACCEPT = "accept"
    DECLINE = "decline"
    REVOKE = "revoke"
    EXPIRE = "expire"


INVITATION_STEPS: Final = MappingProxyType[tuple[InvitationState, Answer], InvitationState](
    {
        (InvitationState.OPEN, Answer.ACCEPT): InvitationState.ACCEPTED,
        (InvitationState.OPEN, Answer.DECLINE): InvitationState.DECLINED,
        (InvitationState.OPEN, Answer.REVOKE): InvitationState.REVOKED,
        (InvitationState.OPEN, Answer.EXPIRE): InvitationState.EXPIRED,
    }
)
_BY_WHO_WAS_INVITED: Final = frozenset({Answer.ACCEPT, Answer.DECLINE})


@described(data_class="invitation", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class Invitation:
    """One person who was asked to come.

    Args:
        id: The selector in its link.
        inviter: Who asked; None if the shop did.
        place: Which of the inviter's places it takes while it is open; None for the shop, which has any number.
        email: The address it is meant for.
        contact: Keyed digest of that address.
        link: Proves that somebody reads the mailbox.
        ended_at: When it came to its end.
        account: Who accepted it.
    """

    id: str
    realm: RealmId
    version: int = 1
    inviter: AccountId | None
    place: int | None
    email: EmailAddress
    contact: str = attrs.field(metadata=secret("invitation", "keyed digest of an address"))
    locale: str = attrs.field(metadata=personal("invitation", Category.PREFERENCE, on_erase=OnErase.BLANK))
    link: Ticket
    state: InvitationState = InvitationState.OPEN
    sent_at: datetime
    ended_at: datetime | None = None
    account: AccountId | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer, as far as is written."""
        return self.state is InvitationState.OPEN


def _places(invitation: Invitation) -> Iterator[str]:
    if invitation.is_open and invitation.inviter is not None and invitation.place is not None:
        yield f"{invitation.inviter} {invitation.place}"


def _waiting(inviter: AccountId | None, contact: str) -> str:
    """Answer where open invitations are found together: a customer's all in one, the shop's by whom they are for."""
    return inviter or f"the shop {contact}"


INVITATIONS = Book(
    name="invitations",
    of=Invitation,
    unique={"invitation_place": _places},
    groups={
        "inviter": lambda i: i.inviter,
        "waiting": lambda i: _waiting(i.inviter, i.contact) if i.is_open else None,
    },
    order=lambda i: i.sent_at,
    due=lambda i: i.link.expires_at if i.is_open else None,
    keep_until=lambda i: i.ended_at,
    personal=True,
)


@attrs.frozen(kw_only=True)
class Invited:
    """What everybody who invites is told, whatever the shop knows of the address."""

    id: str
    masked: str
    expires_at: datetime


@attrs.frozen(kw_only=True)
class InvitationSummary:
    """What who invited sees of an invitation."""

    id: str
    masked: str
    state: InvitationState
    sent_at: datetime
    expires_at: datetime


@attrs.frozen(kw_only=True)
class InvitationOffer(Landing):
    """What the page of an invitation shows; looking changes nothing.

    Args:
        masked: The address it is meant for.
        has_account: Whether that address has an account, with which to accept.
        expires_at: When it is of no use any more.
    """

    masked: str
    has_account: bool
    expires_at: datetime


def open_invitation(stored: Invitation | None, token: Secret[str], now: datetime) -> Invitation:
    """Answer the invitation that a link belongs to, if it may still be answered.

    Raises:
        ContactLinkInvalid, ContactLinkUsed, ContactLinkExpired: The link is of no use.
        ContactLinkStale: The invitation was taken back.
    """
    peek(stored.link if stored else None, token, INVITE, Stamps(), now)
    if stored is None:
        raise REFUSALS.invalid
    if not stored.is_open:
        raise REFUSALS.stale(INVITE.name)
    return stored


def ended(invitation: Invitation, answer: Answer, now: datetime, account: AccountId | None = None) -> Invitation:
    """Answer an invitation after it was answered; who was invited has used the link by that."""
    state = INVITATION_STEPS[invitation.state, answer]
    link = attrs.evolve(invitation.link, spent_at=now) if answer in _BY_WHO_WAS_INVITED else invitation.link
    return attrs.evolve(invitation, state=state, link=link, ended_at=now, account=account)


def check_meant(invitation: Invitation, proven: Collection[str]) -> None:
    """Refuse an invitation to whoever it isn't meant for.

    Args:
        invitation: An open one.
        proven: The keys of the addresses that are theirs.

    Raises:
        InvitationForAnotherContact: None of them is the invited one.
    """
    if invitation.email.login_key not in proven:
        raise InvitationForAnotherContact


def free_place(waiting: Collection[Invitation], policy: InvitationPolicy, now: datetime) -> int:
    """Answer the first place that none of the inviter's open invitations takes.

    Raises:
        Throttled: All are taken; one is free again when the oldest invitation ends.
    """
    taken = {invitation.place for invitation in waiting}
    for place in range(policy.open_at_most):
        if place not in taken:
            return place
    first = min(invitation.link.expires_at for invitation in waiting)
    raise Throttled(max(first - now, timedelta(0)))


def summary(invitation: Invitation, now: datetime) -> InvitationSummary:
    """Answer what who invited sees; an invitation whose time is over has expired, whether or not anybody wrote so."""
    over = invitation.is_open and now >= invitation.link.expires_at
    return InvitationSummary(
        id=invitation.id,
        masked=mask(invitation.email),
        state=InvitationState.EXPIRED if over else invitation.state,
        sent_at=invitation.sent_at,
        expires_at=invitation.link.expires_at,
    )


@attrs.frozen(kw_only=True)
class Invites:
    """Makes invitations and the messages that carry them."""

    desk: Desk
    records: Records
    keyring: Keyring
    letters: Letters
    policy: InvitationPolicy

    async def contact(self, email: EmailAddress) -> str:
        """Answer the keyed digest by which invitations of one address find each other."""
        lookup = await got(self.keyring.current(Ring.LOOKUP))
        return counter_key(lookup.secret, "invited", email.login_key)

    async def waiting(self, inviter: AccountId | None, contact: str) -> tuple[Invitation, ...]:
        """Answer the open invitations of a customer, or (None) those of the shop to one address."""
        listed = await got(self.records.rows(INVITATIONS, "waiting", _waiting(inviter, contact), None, MAX_OPEN))
        return listed.items

    def make(
        self,
        email: EmailAddress,
        contact: str,
        inviter: AccountId | None,
        place: int | None,
        now: datetime,
        locale: str,
    ) -> tuple[Invitation, Secret[str]]:
        """Answer a new invitation, and the text of its link."""
        link, text = mint(
            INVITE,
            realm=self.desk.scope.realm,
            subject="",
            bound=contact,
            stamps=Stamps(),
            life=self.policy.life,
            now=now,
            entropy=self.desk.entropy,
        )
        invitation = Invitation(
            id=link.selector,
            realm=self.desk.scope.realm,
            inviter=inviter,
            place=place,
            email=email,
            contact=contact,
            locale=locale,
            link=link,
            sent_at=now,
        )
        return invitation, text

    async def letter(self, invitation: Invitation, text: Secret[str], known: Customer | None, template: str) -> Message:
        """Answer the message that carries an invitation, to the spelling of the address's owner where it has one."""
        contact = known.contact_with(ContactKind.EMAIL, invitation.email.login_key) if known else None
        to = contact.value if contact and isinstance(contact.value, EmailAddress) else invitation.email
        return await self.letters.write(
            template,
            to.stored,
            key=f"invite {invitation.id}",
            until=invitation.link.expires_at,
            subject=known.id if known else "",
            locale=(known.locale if known else None) or invitation.locale,
            variables={"days": str(self.policy.life.days)},
            secrets={"link": self.letters.link(INVITE.name, text)},
            category=MessageCategory.TRANSACTIONAL,
        )
