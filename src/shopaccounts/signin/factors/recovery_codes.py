"""Recovery codes: a way in for the day on which the phone is gone.

* An account gets a set of them, and sees it once. What is kept is a keyed digest of each, made for this account alone:
  another account's code is wrong here.
* A code is so long that nobody guesses it; it is read in groups of four. How it is typed makes no difference: case,
  blanks and hyphens are passed over, O is read as 0, I and L as 1.
* Each works once. Two that are used at the same moment are both used up.
* A new set takes the place of the old one, whose codes open nothing from then on.

[NIST SP 800-63B-4 3.1.2.2, 4.2.1.1; OWASP ASVS 6.5.1, 6.5.2]
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.chance import CROCKFORD, Entropy
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.secret import Secret, same
from shopaccounts.kernel.vault import Key
from shopaccounts.signin.authenticators import RecoveryCode, RecoveryCodes
from shopaccounts.signin.factor_policy import RecoveryCodePolicy

__all__ = [
    "NewRecoveryCodes",
    "canonical_recovery_code",
    "draw_recovery_codes",
    "recovery_code_mac",
    "replaced_recovery_code",
    "spent_recovery_code",
]

_GROUP: Final = 4
_BITS: Final = 5
_LONGEST_TYPED: Final = 200
_READ_AS: Final = str.maketrans("OIL", "011", " -")


@attrs.frozen(kw_only=True)
class NewRecoveryCodes:
    """Codes that were drawn: what is kept of them, and the codes themselves, to be shown once."""

    kept: RecoveryCodes
    shown: tuple[Secret[str], ...]


def draw_recovery_codes(
    account: AccountId, policy: RecoveryCodePolicy, key: Key, entropy: Entropy, now: datetime
) -> NewRecoveryCodes:
    """Draw a fresh set for *account*, its digests made with *key*."""
    drawn = [_draw(account, policy, key, entropy) for _ in range(policy.count)]
    codes = tuple(code for code, _ in drawn)
    return NewRecoveryCodes(kept=RecoveryCodes(made_at=now, codes=codes), shown=tuple(shown for _, shown in drawn))


def replaced_recovery_code(
    codes: RecoveryCodes, account: AccountId, policy: RecoveryCodePolicy, key: Key, entropy: Entropy
) -> NewRecoveryCodes:
    """Answer *codes* with a fresh one in place of the first that is spent, and that one to be shown."""
    fresh, shown = _draw(account, policy, key, entropy)
    place = next(place for place, code in enumerate(codes.codes) if code.spent_at is not None)
    changed = (*codes.codes[:place], fresh, *codes.codes[place + 1 :])
    return NewRecoveryCodes(kept=attrs.evolve(codes, codes=changed), shown=(shown,))


def canonical_recovery_code(typed: object) -> str | None:
    """Answer a typed code in the one form that is judged; None if it can't be a code."""
    if not isinstance(typed, str) or len(typed) > _LONGEST_TYPED or not typed.isascii():
        return None
    text = typed.upper().translate(_READ_AS)
    return text if re.fullmatch(f"[{CROCKFORD}]+", text) else None


def recovery_code_mac(key: Secret[bytes], account: AccountId, code: str) -> bytes:
    """Answer the keyed digest of a canonical code of one account."""
    return hmac.digest(key.reveal(), f"recovery_code\0{account}\0{code}".encode(), hashlib.sha256)


def spent_recovery_code(
    codes: RecoveryCodes, account: AccountId, code: str, keys: Iterable[Key], now: datetime
) -> RecoveryCodes | None:
    """Answer *codes* with the one that was given spent; None if it is none of them, or was spent before.

    Args:
        codes: The account's set.
        account: Whose it is.
        code: In its canonical form.
        keys: The keys with which digests may have been made.
        now: When it is spent.
    """
    macs = {key.id: recovery_code_mac(key.secret, account, code) for key in keys}
    after = tuple(_spent(one, macs, now) for one in codes.codes)
    return attrs.evolve(codes, codes=after, last_used_at=now) if after != codes.codes else None


def _spent(one: RecoveryCode, macs: Mapping[str, bytes], now: datetime) -> RecoveryCode:
    is_it = same(one.mac, macs.get(one.key_id, b""))
    return attrs.evolve(one, spent_at=now) if is_it and one.spent_at is None else one


def _draw(
    account: AccountId, policy: RecoveryCodePolicy, key: Key, entropy: Entropy
) -> tuple[RecoveryCode, Secret[str]]:
    code = entropy.base32(policy.bits // _BITS)
    mac = recovery_code_mac(key.secret, account, code)
    return RecoveryCode(mac=mac, key_id=key.id), Secret(_in_groups(code))


def _in_groups(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
