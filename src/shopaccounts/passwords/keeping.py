"""Choosing a password and keeping it: what other contexts need to set one."""

from datetime import datetime

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.record import Book
from shopaccounts.passwords.errors import PasswordUnacceptable
from shopaccounts.passwords.judging import Acceptable, PasswordContext, Unacceptable, judge
from shopaccounts.passwords.model import PasswordRecord, StoredHash
from shopaccounts.passwords.policy import PasswordPolicy
from shopaccounts.passwords.preparing import Prepared, prepare

__all__ = ["PASSWORDS", "choose", "keep"]

PASSWORDS = Book(name="passwords", of=PasswordRecord)


def choose(raw: object, about: PasswordContext, policy: PasswordPolicy) -> tuple[Prepared, Acceptable]:
    """Take a new password.

    Args:
        raw: What the person typed.
        about: The shop, the person and earlier passwords.
        policy: What a good password is in this shop.

    Raises:
        InvalidInput: It isn't text, or no password can be that long.
        PasswordUnacceptable: It won't do, with every reason.
    """
    prepared = prepare(raw)
    verdict = judge(prepared, about, policy)
    if isinstance(verdict, Unacceptable):
        raise PasswordUnacceptable(verdict.findings)
    return prepared, verdict


def keep(account: AccountId, realm: RealmId, stored: StoredHash, verdict: Acceptable, now: datetime) -> PasswordRecord:
    """Answer the record of a password that was just chosen."""
    return PasswordRecord(
        id=account,
        realm=realm,
        hash=stored.text,
        set_at=now,
        meets_single_factor_minimum=verdict.meets_single_factor_minimum,
    )
