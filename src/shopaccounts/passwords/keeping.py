"""Keeping a password: what other contexts need to set one."""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.record import Book
from shopaccounts.passwords.model import GuidanceKey, PasswordRecord, StoredHash
from shopaccounts.passwords.policy import PasswordPolicy
from shopaccounts.passwords.reminding import scheduled

__all__ = ["PASSWORDS", "SEVERAL_PEPPERS", "WITHOUT_PEPPER", "NewPassword", "keep"]

WITHOUT_PEPPER: Final = "none"
"""The group of the passwords whose hashes aren't sealed."""
SEVERAL_PEPPERS: Final = "several"
"""The group of the passwords that don't lie under the same key as those before them."""
_PEPPERED: Final = "pepper"


def _pepper(record: PasswordRecord) -> str:
    """Answer the id of the key that the hashes are sealed with, as their texts name it."""
    stored = [StoredHash(text) for text in (record.hash, *record.earlier)]
    keys = {one.text.split("$")[2] if one.scheme == _PEPPERED else WITHOUT_PEPPER for one in stored}
    return keys.pop() if len(keys) == 1 else SEVERAL_PEPPERS


PASSWORDS = Book(name="passwords", of=PasswordRecord, groups={"pepper": _pepper}, due=lambda p: p.remind_at)


@attrs.frozen(kw_only=True)
class NewPassword:
    """A password that was chosen, and hashed for its owner.

    Args:
        stored: Its hash.
        meets_single_factor_minimum: It is long enough to open the account alone.
        breach_unchecked: The list of leaked passwords didn't answer.
        guidance: What the person should know of it.
    """

    stored: StoredHash
    meets_single_factor_minimum: bool
    breach_unchecked: bool = False
    guidance: tuple[GuidanceKey, ...] = ()


def keep(
    account: AccountId,
    realm: RealmId,
    new: NewPassword,
    policy: PasswordPolicy,
    now: datetime,
    was: PasswordRecord | None = None,
) -> PasswordRecord:
    """Answer the record of a password that was just chosen; of earlier ones, it remembers as many as the shop wants.

    Args:
        account: Whose password it is.
        realm: The pool of customers that the account belongs to.
        new: The password.
        policy: How many earlier ones are remembered, and when the shop reminds of its age.
        now: When it was chosen.
        was: The one that it replaces.
    """
    record = PasswordRecord(
        id=account,
        realm=realm,
        hash=new.stored.text,
        set_at=now,
        meets_single_factor_minimum=new.meets_single_factor_minimum,
        breach_unchecked=new.breach_unchecked,
        earlier=(was.hash, *was.earlier)[: policy.history] if was else (),
    )
    return scheduled(record, policy)
