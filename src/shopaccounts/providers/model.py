"""What begins at a shop, goes on at a provider, and ends at the shop; and the answers of each step."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

import attrs

from shopaccounts.customers import AccountStatus
from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import Category, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket
from shopaccounts.kernel.vault import Sealed
from shopaccounts.kernel.web import ClearCookie, SetCookie
from shopaccounts.providers.errors import FlowExpired, FlowInvalid, FlowStale, FlowUsed
from shopaccounts.signin import SignInStep

__all__ = [
    "EMAIL_WANTED",
    "EXCHANGE",
    "FLOWS",
    "FLOW_STEPS",
    "LINK_PROPOSAL",
    "PROVIDER_STATE",
    "EmailNeeded",
    "ExchangeOrder",
    "FinishAnswer",
    "FlowState",
    "FlowTrigger",
    "IdentitySummary",
    "Intent",
    "LinkNeedsProof",
    "LinkOutcome",
    "ProviderFlow",
    "ProviderRedirect",
    "ProviderTokens",
    "StandsStill",
    "Unlinked",
    "WaitingIdentity",
]

REFUSALS: Final = Refusals(FlowInvalid, FlowExpired, FlowUsed, FlowStale)
_LINKING: Final = frozenset({Stamp.ACCOUNT, Stamp.PROVIDERS})
PROVIDER_STATE: Final = Purpose("provider_state", "pst", _LINKING, REFUSALS)
"""Goes to the provider and comes back from there: which flow an answer belongs to."""
EXCHANGE: Final = Purpose("provider_exchange", "pex", _LINKING, REFUSALS)
"""Stays with the shop while it exchanges the provider's code: which flow a token belongs to."""
LINK_PROPOSAL: Final = Purpose("link_proposal", "lnk", _LINKING, REFUSALS)
"""Links an identity with the one account that has its address, once its owner proves to be that."""
EMAIL_WANTED: Final = Purpose("provider_email", "pem", frozenset(), REFUSALS)
"""Names an address for an identity that came without one that is believed."""


class Intent(Enum):
    """What somebody wants at a provider."""

    SIGN_IN = "sign_in"
    LINK = "link"
    STEP_UP = "step_up"


class FlowState(Enum):
    """How far a flow got."""

    STARTED = "started"
    CALLBACK_SEEN = "callback_seen"
    PROPOSED = "proposed"
    EMAIL_WANTED = "email_wanted"
    FINISHED = "finished"
    REFUSED = "refused"


class FlowTrigger(Enum):
    """What can happen to a flow."""

    SEE_CALLBACK = "see_callback"
    PROPOSE = "propose"
    ASK_FOR_EMAIL = "ask_for_email"
    FINISH = "finish"
    REFUSE = "refuse"


FLOW_STEPS: Final = MappingProxyType[tuple[FlowState, FlowTrigger], FlowState](
    {
        (FlowState.STARTED, FlowTrigger.SEE_CALLBACK): FlowState.CALLBACK_SEEN,
        (FlowState.STARTED, FlowTrigger.REFUSE): FlowState.REFUSED,
        (FlowState.CALLBACK_SEEN, FlowTrigger.FINISH): FlowState.FINISHED,
        (FlowState.CALLBACK_SEEN, FlowTrigger.PROPOSE): FlowState.PROPOSED,
        (FlowState.CALLBACK_SEEN, FlowTrigger.ASK_FOR_EMAIL): FlowState.EMAIL_WANTED,
        (FlowState.CALLBACK_SEEN, FlowTrigger.REFUSE): FlowState.REFUSED,
        (FlowState.PROPOSED, FlowTrigger.FINISH): FlowState.FINISHED,
        (FlowState.PROPOSED, FlowTrigger.REFUSE): FlowState.REFUSED,
        (FlowState.EMAIL_WANTED, FlowTrigger.FINISH): FlowState.FINISHED,
    }
)
"""Where each step leads; any other is a flow that was used before."""


@described(data_class="provider_flow", default=impersonal("names of the provider"))
@attrs.frozen(kw_only=True)
class WaitingIdentity:
    """Who somebody is at a provider, before any account is linked with it."""

    provider: str = attrs.field(metadata=impersonal("the id of a configuration"))
    issuer: str = attrs.field(metadata=impersonal("the name of a provider"))
    subject: str = attrs.field(repr=False, metadata=personal("provider_flow", Category.IDENTITY))


@described(data_class="provider_flow", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class ProviderFlow:
    """One way to a provider and back.

    Args:
        id: The selector in each of its texts.
        tickets: Of each step that was taken or comes next; each works once.
        nonce_digest: SHA-256 of the nonce that the ID token has to bring.
        verifier: The secret of PKCE, sealed for this flow.
        binding: Digest of what the browser holds that began it.
        account, session: Whose session links or confirms; None at the door.
        max_age: How many seconds ago the customer may have signed in there; None if that wasn't asked.
        waiting: Who it is at the provider, until that is linked.
    """

    id: str
    realm: RealmId
    version: int = 1
    provider: str = attrs.field(metadata=impersonal("the id of a configuration"))
    redirect_uri: str = attrs.field(metadata=impersonal("a page of the shop"))
    intent: Intent
    state: FlowState = FlowState.STARTED
    tickets: tuple[Ticket, ...]
    nonce_digest: bytes = attrs.field(repr=False, metadata=secret("provider_flow", "digest of a nonce"))
    verifier: Sealed = attrs.field(repr=False, metadata=secret("provider_flow", "a sealed secret of PKCE"))
    binding: bytes = attrs.field(repr=False, metadata=secret("provider_flow", "digest of a browser's secret"))
    account: AccountId | None = None
    session: str | None = attrs.field(default=None, metadata=impersonal("an opaque id"))
    max_age: int | None = None
    waiting: WaitingIdentity | None = None
    started_at: datetime

    def ticket(self, purpose: Purpose) -> Ticket | None:
        """Answer the ticket of one step."""
        return next((ticket for ticket in self.tickets if ticket.purpose == purpose.name), None)


FLOWS: Final = Book(
    name="provider_flows",
    of=ProviderFlow,
    groups={"account": lambda f: f.account},
    order=lambda f: f.started_at,
    keep_until=lambda f: max(ticket.expires_at for ticket in f.tickets),
    personal=True,
)


@attrs.frozen(kw_only=True)
class ProviderRedirect:
    """Where a browser is sent, and the cookie that ties the flow to it.

    Args:
        parameters: For the provider's authorization endpoint.
    """

    parameters: Mapping[str, str] = attrs.field(repr=False)
    set_cookies: tuple[SetCookie, ...]

    def url(self, endpoint: str) -> Secret[str]:
        """Answer the address of the provider's page.

        Args:
            endpoint: The provider's ``authorization_endpoint``.
        """
        return Secret(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(self.parameters)}")


@attrs.frozen(kw_only=True)
class ExchangeOrder:
    """What the shop's server sends to the provider's token endpoint, beside its own credentials.

    Args:
        code: From the provider.
        code_verifier: The secret of PKCE.
        redirect_uri: As it was sent before.
        flow: For ``finish_provider``.
    """

    code: Secret[str]
    code_verifier: Secret[str]
    redirect_uri: str
    flow: Secret[str]

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of the request, by their names in RFC 6749 4.1.3 and RFC 7636 4.5."""
        return {
            "grant_type": "authorization_code",
            "code": self.code.reveal(),
            "code_verifier": self.code_verifier.reveal(),
            "redirect_uri": self.redirect_uri,
        }


@attrs.frozen(kw_only=True)
class ProviderTokens:
    """What came from the token endpoint beside the ID token.

    Args:
        access: The access token.
        refresh: The refresh token.
    """

    access: Secret[str]
    refresh: Secret[str] | None = None


@attrs.frozen(kw_only=True)
class EmailNeeded:
    """The provider proves no address: ask for one, and hand it to ``give_email``."""

    handle: Secret[str]
    expires_at: datetime


@attrs.frozen(kw_only=True)
class LinkNeedsProof:
    """An account has this address: who signs in to it may link it with ``answer_proposal``.

    Args:
        masked: The address that the provider proved.
        proposal: For this browser alone.
    """

    masked: str
    proposal: Secret[str]
    expires_at: datetime


@attrs.frozen(kw_only=True)
class StandsStill:
    """The account with this address is stopped or closing, and isn't opened this way.

    Args:
        reason: Why it was stopped, as a key.
        until: When that ends, if it does by itself.
    """

    status: AccountStatus
    reason: str | None
    until: datetime | None


@attrs.frozen(kw_only=True)
class IdentitySummary:
    """What the owner sees of a linked identity."""

    id: str
    provider: str
    linked_at: datetime
    last_used_at: datetime | None


@attrs.frozen(kw_only=True)
class LinkOutcome:
    """The identity is linked.

    Args:
        next_value: Under which the session goes on; None if it was linked before, and nothing has changed.
    """

    identity: IdentitySummary
    next_value: NextValue | None


@attrs.frozen(kw_only=True)
class Unlinked:
    """The identity is unlinked.

    Args:
        next_value: Under which the session goes on; None if it rested on the identity alone, and is over.
    """

    next_value: NextValue | None
    clear_cookies: tuple[ClearCookie, ...]


FinishAnswer = SignInStep | LinkOutcome | NextValue | EmailNeeded | LinkNeedsProof | StandsStill
"""What a provider's word leads to: at the door, for who links, and (``NextValue``) for who confirms."""
