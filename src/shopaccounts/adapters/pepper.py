"""The pepper: every password hash lies sealed, so that a stolen database can't even be guessed at without the keys.

The rules, in plain English:

* Another hasher makes the hash; what is kept is ``$pepper$``, the id of a key of the ring ``pepper``, and the hash
  sealed with it in base 64. Scheme and cost of the hash stand inside the seal.
* A seal is bound to the realm and the account. A hash that was moved to another account doesn't open, and no password
  matches it.
* A key that is missing is a defect. It is never a yes, and the defect costs as much as an answer does.
* A hash that isn't sealed, from the time before the pepper, still counts, and asks to be made anew; so does one under
  an older key. ``reseal`` moves both without knowing any password. [NIST SP 800-63B-4 3.1.1.2; OWASP Password Storage]
"""

from base64 import b64decode, b64encode
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.bounds import MAX_PAGE
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.resealing import ResealAt, ResealedPage, reseal_page
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import KeyMissing, Keyring, Ring, SealBroken, SealContext, Sealed, Vault
from shopaccounts.passwords import (
    PASSWORDS,
    SEVERAL_PEPPERS,
    WITHOUT_PEPPER,
    Adopted,
    Hasher,
    LegacyHashes,
    LegacyScheme,
    Match,
    PasswordRecord,
    Prepared,
    RowOutcome,
    StoredHash,
)

__all__ = ["PepperedHasher", "ResealAt", "ResealedPage", "reseal"]

_MARK: Final = "$pepper$"


class PepperedHasher:
    """Seals what another hasher makes. Keeps the promises of ``Hasher`` that the other keeps.

    Its methods are coroutines that suspend only if the other hasher or the vault does, so both hosts can use it.

    Args:
        inner: Makes and checks the hashes.
        vault: Seals them.
        realm: The pool of customers whose hashes these are.
    """

    def __init__(self, inner: Hasher, vault: Vault, realm: RealmId) -> None:
        self._inner, self._vault, self._realm = inner, vault, realm

    async def hash(self, password: Prepared, owner: str) -> StoredHash:
        """Hash *password* for *owner*, and seal it."""
        return await self._sealed(await got(self._inner.hash(password, owner)), owner)

    async def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        """Tell whether *password* is the one that was hashed for *owner*.

        Raises:
            KeyMissing: The keyring no longer has the key.
        """
        sealed = _read(stored.text)
        if sealed is None:
            match = await got(self._inner.verify(stored, password, owner))
            return attrs.evolve(match, rehash=match.ok)
        try:
            opened = await self._opened(sealed, owner)
            old = await got(self._vault.reseal(sealed, self._place(owner))) is not None
        except SealBroken:
            await got(self._inner.spend(password))
            return Match(ok=False, unusable=True)
        except KeyMissing:
            await got(self._inner.spend(password))
            raise
        match = await got(self._inner.verify(opened, password, owner))
        return attrs.evolve(match, rehash=match.ok and (match.rehash or old))

    async def spend(self, password: Prepared | None) -> None:
        """Do the work of a ``verify`` and answer nothing."""
        await got(self._inner.spend(password))

    async def adopt(self, text: Secret[str], scheme: LegacyScheme, owner: str) -> Adopted | RowOutcome:
        """Take over a hash of another system, as the other hasher does, and seal it."""
        if not isinstance(self._inner, LegacyHashes):
            return RowOutcome.SCHEME_NOT_ALLOWED
        adopted: Adopted | RowOutcome = await got(self._inner.adopt(text, scheme, owner))
        if not isinstance(adopted, Adopted):
            return adopted
        return attrs.evolve(adopted, stored=await self._sealed(adopted.stored, owner))

    async def resealed(self, stored: StoredHash, owner: str) -> StoredHash | None:
        """Answer *stored* under the current key, None if it is already.

        Raises:
            KeyMissing, SealBroken: It can't be opened.
        """
        sealed = _read(stored.text)
        if sealed is None:
            return await self._sealed(stored, owner)
        fresh: Sealed | None = await got(self._vault.reseal(sealed, self._place(owner)))
        return _written(fresh) if fresh else None

    async def _sealed(self, stored: StoredHash, owner: str) -> StoredHash:
        plain = Secret(stored.text.encode("utf-8", "surrogatepass"))
        return _written(await got(self._vault.seal(plain, self._place(owner))))

    async def _opened(self, sealed: Sealed, owner: str) -> StoredHash:
        plain: Secret[bytes] = await got(self._vault.open(sealed, self._place(owner)))
        return StoredHash(plain.reveal().decode("utf-8", "surrogatepass"))

    def _place(self, owner: str) -> SealContext:
        return SealContext(ring=Ring.PEPPER, realm=self._realm, kind="account", id=owner, field="password")


async def reseal(
    records: Records, keyring: Keyring, hasher: PepperedHasher, at: ResealAt | None = None, limit: int = MAX_PAGE
) -> ResealedPage:
    """Bring one page of password hashes under the current key; safe at any time, and again after a crash.

    Args:
        records: The books of the hasher's realm.
        keyring: Tells which keys there are.
        hasher: Opens and seals.
        at: Where the last page says to go on; None to begin.
        limit: How many hashes to look at, at most 500.

    Raises:
        Defect: A *limit* below 1 or above 500.
    """

    async def fresh(record: PasswordRecord) -> PasswordRecord:
        """Answer *record* with its hash, and those before it, under the current key."""
        texts = []
        for text in (record.hash, *record.earlier):
            resealed = await hasher.resealed(StoredHash(text), record.id)
            texts.append(resealed.text if resealed else text)
        return attrs.evolve(record, hash=texts[0], earlier=tuple(texts[1:]))

    _, *older = await got(keyring.all(Ring.PEPPER))
    keys = [WITHOUT_PEPPER, SEVERAL_PEPPERS, *(key.id for key in older)]
    return await reseal_page(records, PASSWORDS, "pepper", keys, fresh, at, limit)


def _written(sealed: Sealed) -> StoredHash:
    return StoredHash(f"{_MARK}{sealed.key_id}${b64encode(sealed.data).decode()}")


def _read(text: str) -> Sealed | None:
    """Answer what is sealed in *text*, None if the text is no pepper's; what is damaged opens nowhere."""
    if not text.startswith(_MARK):
        return None
    try:
        return Sealed(b64decode(text.rpartition("$")[2], validate=True))
    except ValueError:
        return Sealed(b"")
