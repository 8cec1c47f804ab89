"""Bringing the secrets of apps under the current key, after a new root was put in front."""

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.bounds import MAX_PAGE
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.resealing import ResealAt, ResealedPage, reseal_page
from shopaccounts.kernel.vault import Keyring, Ring, Sealed, Vault
from shopaccounts.signin.authenticators import AUTHENTICATORS, SEVERAL_KEYS, Authenticators, Factor
from shopaccounts.signin.factors.proving import seed_place

__all__ = ["reseal_app_secrets"]


async def reseal_app_secrets(
    records: Records, keyring: Keyring, vault: Vault, at: ResealAt | None = None, limit: int = MAX_PAGE
) -> ResealedPage:
    """Bring one page of accounts' apps under the current key; safe at any time, and again after a crash.

    No code is asked for, and whoever signs in meanwhile does. Accounts whose secrets can't be opened are named: their
    owners set up a new app.

    Args:
        records: The books of one realm.
        keyring: Tells which keys there are.
        vault: Opens and seals.
        at: Where the last page says to go on; None to begin.
        limit: How many accounts to look at, at most 500.

    Raises:
        Defect: A *limit* below 1 or above 500.
    """

    async def fresh(own: Authenticators) -> Authenticators:
        factors = [await _fresh(vault, own, factor) for factor in own.factors]
        waits = own.enrolling
        if waits is not None:
            waits = attrs.evolve(waits, factor=await _fresh(vault, own, waits.factor))
        return attrs.evolve(own, factors=tuple(factors), enrolling=waits)

    _, *older = await got(keyring.all(Ring.SEEDS))
    keys = [SEVERAL_KEYS, *(key.id for key in older)]
    return await reseal_page(records, AUTHENTICATORS, "seeds", keys, fresh, at, limit)


async def _fresh(vault: Vault, own: Authenticators, factor: Factor) -> Factor:
    if factor.totp is None:
        return factor
    anew: Sealed | None = await got(vault.reseal(factor.totp.sealed, seed_place(own.realm, own.id, factor.id)))
    return attrs.evolve(factor, totp=attrs.evolve(factor.totp, sealed=anew)) if anew else factor
