"""Accounts elsewhere: people may use the account that they already have, and that never opens somebody else's here.

An identity is issuer and subject. It opens the account that it is linked with, and unlinking never locks anybody out.
What a provider says of an address is believed as far as the shop trusts it. No network is asked inside the rules: the
host sends the browser there and exchanges the code, the use-cases say what to send and judge what comes back.
"""

from shopaccounts.providers.believing import Believing
from shopaccounts.providers.entering import Entering
from shopaccounts.providers.errors import (
    FlowExpired,
    FlowInvalid,
    FlowStale,
    FlowUsed,
    IdentityTaken,
    IdentityUnknown,
    ProviderOff,
    ProviderRefused,
    TooManyIdentities,
    Why,
)
from shopaccounts.providers.id_tokens import IdTokenRefused, OAuthProfile, VerifiedIdentity, judge_id_token
from shopaccounts.providers.keeping import Keeping
from shopaccounts.providers.linking import Linker
from shopaccounts.providers.model import (
    FLOWS,
    EmailNeeded,
    ExchangeOrder,
    FinishAnswer,
    IdentitySummary,
    Intent,
    LinkNeedsProof,
    LinkOutcome,
    ProviderRedirect,
    ProviderTokens,
    StandsStill,
    Unlinked,
)
from shopaccounts.providers.policy import (
    AutoLink,
    ProviderConfig,
    ProviderKind,
    ProviderPolicy,
    Quirk,
    TrustsEmail,
    Vouches,
)
from shopaccounts.providers.ports import NoIdTokens, ProviderKeys, SignedTokens
from shopaccounts.providers.steps import Steps
from shopaccounts.providers.usecases import Providers

__all__ = [
    "FLOWS",
    "AutoLink",
    "Believing",
    "EmailNeeded",
    "Entering",
    "ExchangeOrder",
    "FinishAnswer",
    "FlowExpired",
    "FlowInvalid",
    "FlowStale",
    "FlowUsed",
    "IdTokenRefused",
    "IdentitySummary",
    "IdentityTaken",
    "IdentityUnknown",
    "Intent",
    "Keeping",
    "LinkNeedsProof",
    "LinkOutcome",
    "Linker",
    "NoIdTokens",
    "OAuthProfile",
    "ProviderConfig",
    "ProviderKeys",
    "ProviderKind",
    "ProviderOff",
    "ProviderPolicy",
    "ProviderRedirect",
    "ProviderRefused",
    "ProviderTokens",
    "Providers",
    "Quirk",
    "SignedTokens",
    "StandsStill",
    "Steps",
    "TooManyIdentities",
    "TrustsEmail",
    "Unlinked",
    "VerifiedIdentity",
    "Vouches",
    "Why",
    "judge_id_token",
]
