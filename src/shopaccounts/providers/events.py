"""What happened between accounts and providers; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event, SecurityEvent
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "IdentityLinked",
    "IdentityUnlinked",
    "LinkProposed",
    "ProviderSessionsEnded",
    "ProviderSignInRefused",
    "UpstreamEmailDiffers",
]


@attrs.frozen(kw_only=True)
class IdentityLinked(SecurityEvent):
    """An account can be opened with an identity of a provider."""

    name: ClassVar[str] = "providers.linked"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    identity: str
    provider: str


@attrs.frozen(kw_only=True)
class IdentityUnlinked(SecurityEvent):
    """An identity opens an account no more, and the sessions that it opened have ended."""

    name: ClassVar[str] = "providers.unlinked"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    identity: str
    provider: str


@attrs.frozen(kw_only=True)
class ProviderSignInRefused(Event):
    """What came from a provider was not believed; ``reason`` is a key."""

    name: ClassVar[str] = "providers.sign_in_refused"
    owasp_name: ClassVar[str] = "authn_login_fail"
    provider: str
    reason: str
    network: str


@attrs.frozen(kw_only=True)
class LinkProposed(SecurityEvent):
    """Somebody with the account's address at a provider may link it by proving that the account is theirs."""

    name: ClassVar[str] = "providers.proposal_made"
    account: AccountId
    provider: str


@attrs.frozen(kw_only=True)
class UpstreamEmailDiffers(Event):
    """A provider knows a linked customer by an address that isn't the account's; nothing was changed."""

    name: ClassVar[str] = "providers.upstream_email_differs"
    account: AccountId
    provider: str


@attrs.frozen(kw_only=True)
class ProviderSessionsEnded(SecurityEvent):
    """A provider told that a customer signed out there, and the sessions that it had opened have ended."""

    name: ClassVar[str] = "providers.sessions_ended"
    owasp_name: ClassVar[str] = "session_expired"
    account: AccountId
    provider: str
