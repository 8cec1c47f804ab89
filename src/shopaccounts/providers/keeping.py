"""What of an identity stays with its account: the link, fields that were empty, tokens where the shop keeps them."""

import json
from collections.abc import Mapping

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level, Method, Proof, ProofKind
from shopaccounts.kernel.canonical import canonical
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.record import Write
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Ring, SealContext, Sealed, Vault
from shopaccounts.providers.errors import TooManyIdentities
from shopaccounts.providers.id_tokens import VerifiedIdentity
from shopaccounts.providers.model import IdentitySummary, ProviderTokens, WaitingIdentity
from shopaccounts.providers.policy import ProviderPolicy, Vouches
from shopaccounts.registration import FieldRule, Presence
from shopaccounts.signin import AUTHENTICATORS, Authenticators, Identity

__all__ = ["MOST_IDENTITIES", "Keeping", "one_more_link", "proof_of", "summary", "waiting"]

MOST_IDENTITIES = 10


@attrs.frozen(kw_only=True)
class Keeping:
    """Makes links."""

    desk: Desk
    vault: Vault
    policy: ProviderPolicy
    fields: Mapping[str, FieldRule]

    async def link(
        self, waiting: WaitingIdentity, account: str, tokens: ProviderTokens | None, filled: Mapping[str, str]
    ) -> Identity:
        """Answer a new link of an account with an identity.

        Args:
            waiting: Who it is.
            account: Whose.
            tokens: What came along; None if nothing is to be kept.
            filled: The fields of the profile that are filled from there.
        """
        now, id = self.desk.now(), self.desk.entropy.token(128)
        return Identity(
            id=id,
            provider=waiting.provider,
            issuer=waiting.issuer,
            subject=waiting.subject,
            linked_at=now,
            last_used_at=now,
            filled=tuple(sorted(filled)),
            tokens=await self.sealed(waiting.provider, account, id, tokens),
        )

    async def used(self, identity: Identity, account: str, tokens: ProviderTokens | None) -> Identity:
        """Answer a link after its use, with the newest tokens."""
        sealed = await self.sealed(identity.provider, account, identity.id, tokens)
        return attrs.evolve(identity, last_used_at=self.desk.now(), tokens=sealed or identity.tokens)

    async def sealed(self, provider: str, account: str, id: str, tokens: ProviderTokens | None) -> Sealed | None:
        """Answer tokens as they are kept, None where the shop keeps none."""
        config = self.policy.named(provider)
        if tokens is None or config is None or not config.keep_tokens:
            return None
        plain = {"access": tokens.access.reveal(), "refresh": tokens.refresh.reveal() if tokens.refresh else None}
        return await got(self.vault.seal(Secret(canonical(plain).encode()), self._place(account, id)))

    async def opened(self, link: Identity, account: str) -> ProviderTokens | None:
        """Answer the tokens that are kept of a link, None if there are none."""
        if link.tokens is None:
            return None
        plain = json.loads((await got(self.vault.open(link.tokens, self._place(account, link.id)))).reveal())
        refresh = plain["refresh"]
        return ProviderTokens(access=Secret(plain["access"]), refresh=Secret(refresh) if refresh else None)

    def _place(self, account: str, id: str) -> SealContext:
        realm = self.desk.scope.realm
        return SealContext(ring=Ring.PROVIDERS, realm=realm, kind=AUTHENTICATORS.name, id=account, field=f"tokens {id}")

    def filling(self, customer: Customer | None, told: Mapping[str, str]) -> dict[str, str]:
        """Answer what the provider told that fills an empty field of the profile; what is filled in stays."""
        known = customer.fields if customer else {}
        shown = {name: rule for name, rule in self.fields.items() if rule.presence is not Presence.HIDDEN}
        return {
            name: text
            for name, text in told.items()
            if name in shown and not known.get(name) and len(text) <= shown[name].longest
        }


def waiting(identity: VerifiedIdentity) -> WaitingIdentity:
    """Answer who somebody is, without what else the provider told."""
    return WaitingIdentity(provider=identity.provider, issuer=identity.issuer, subject=identity.subject)


def proof_of(identity: VerifiedIdentity, link: Identity) -> Proof:
    """Answer what a provider's word proves here: one federated proof, unless the configuration values it as more."""
    return Proof(
        method=Method.PROVIDER,
        kind=ProofKind.KNOWLEDGE if identity.vouches is Vouches.KNOWLEDGE else ProofKind.FEDERATED,
        at=link.last_used_at or link.linked_at,
        strong=Level.MULTI if identity.vouches is Vouches.MULTI else None,
        identity=link.id,
    )


def one_more_link(own: Authenticators | None, account: AccountId, realm: RealmId, link: Identity) -> Write:
    """Answer the write by which an account has one more link.

    Args:
        own: What it has enrolled.
        account: Which it is.
        realm: Where it is.
        link: The link.

    Raises:
        TooManyIdentities: It has as many as it may have.
    """
    if own is None:
        return AUTHENTICATORS.add(Authenticators(id=account, realm=realm, identities=(link,)))
    if len(own.identities) >= MOST_IDENTITIES:
        raise TooManyIdentities(MOST_IDENTITIES)
    return AUTHENTICATORS.change(own, attrs.evolve(own, identities=(*own.identities, link)))


def summary(link: Identity) -> IdentitySummary:
    """Answer what the owner sees of a link."""
    return IdentitySummary(id=link.id, provider=link.provider, linked_at=link.linked_at, last_used_at=link.last_used_at)
