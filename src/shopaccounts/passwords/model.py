"""What is kept of a password, and what is said about a candidate."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType

import attrs
from attrs.validators import and_, instance_of, min_len

from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.web import ClearCookie

__all__ = [
    "Finding",
    "FindingCode",
    "GuidanceKey",
    "Match",
    "MustChange",
    "PasswordRecord",
    "PasswordWasChanged",
    "StoredHash",
]


class GuidanceKey(Enum):
    """What would help; a shop's page words each key for people."""

    USE_SEVERAL_WORDS = "use_several_words"
    ADD_LENGTH = "add_length"
    AVOID_SHOP_NAME = "avoid_shop_name"
    AVOID_OWN_DETAILS = "avoid_own_details"
    AVOID_REPEATS = "avoid_repeats"
    AVOID_SEQUENCES = "avoid_sequences"
    CHOOSE_UNRELATED_WORDS = "choose_unrelated_words"
    USE_PASSWORD_MANAGER = "use_password_manager"  # noqa: S105  (a piece of advice)
    SEEN_IN_BREACH_ELSEWHERE = "seen_in_breach_elsewhere"
    CHANGE_IT_THERE_TOO = "change_it_there_too"
    UNICODE_MAY_DIFFER = "unicode_may_differ"


class FindingCode(Enum):
    """Why a password won't do."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    CHARACTERS_NOT_ALLOWED = "characters_not_allowed"
    COMMON = "common"
    PATTERN = "pattern"
    CONTEXT_WORD = "context_word"
    SAME_AS_CURRENT = "same_as_current"
    USED_BEFORE = "used_before"
    BREACHED = "breached"


def _frozen(facts: Mapping[str, int | str]) -> Mapping[str, int | str]:
    return MappingProxyType(dict(facts))


@attrs.frozen
class Finding:
    """One reason why a password won't do, and what would help.

    Args:
        code: The reason.
        facts: Figures that go with it; never the password, a part of it, or a word of a list.
        guidance: What would help, at least one key.
    """

    code: FindingCode
    facts: Mapping[str, int | str] = attrs.field(converter=_frozen)
    guidance: tuple[GuidanceKey, ...] = attrs.field(validator=min_len(1))


class MustChange(Enum):
    """The evidence on which a password has to be changed; age is none.

    [NIST SP 800-63B-4 3.1.1.2(6)]
    """

    BREACHED = "breached"
    REPORTED = "reported"
    STAFF_FLAG = "staff_flag"
    IMPORT_WEAK = "import_weak"


@attrs.frozen
class StoredHash:
    """A hash as it is kept: text that begins with the name of its scheme, ``$scheme$...``."""

    text: str = attrs.field(validator=and_(instance_of(str), min_len(1)), repr=False)

    @property
    def scheme(self) -> str:
        """The name of the scheme; empty if the text names none."""
        return self.text[1:].partition("$")[0] if self.text.startswith("$") else ""


@attrs.frozen
class Match:
    """How a check ended.

    Args:
        ok: It is the password.
        rehash: It is, and its hash was made with other settings than the current ones: hash it anew.
        unusable: The stored hash can't be computed here (foreign, damaged or too costly), so no password can match.
    """

    ok: bool
    rehash: bool = False
    unusable: bool = False


@described(data_class="security", default=impersonal("ids, times, switches"))
@attrs.frozen(kw_only=True)
class PasswordRecord:
    """The password of one account. An account without a record has no password, and none can match.

    Args:
        id: The account.
        realm: The pool of customers that the account belongs to.
        version: How often the record was written.
        hash: The text of a ``StoredHash``.
        set_at: When the person chose it.
        meets_single_factor_minimum: It is long enough to open the account alone.
        breach_unchecked: The breach service was out when it was chosen; it is asked again.
        must_change: Why it has to be changed; None if it may stay.
        must_change_since: Since when.
        is_disabled: It opens nothing until its owner has reset it, since it was tried too often.
        earlier: Hashes of the passwords before it, newest first, as many as the shop remembers.
        reminded_at: When its owner was last reminded of its age.
        remind_at: When its age is looked at next; None for never.
    """

    id: AccountId
    realm: RealmId
    version: int = 1
    hash: str = attrs.field(
        validator=and_(instance_of(str), min_len(1)), repr=False, metadata=secret("security", "hash of the password")
    )
    set_at: datetime
    meets_single_factor_minimum: bool
    breach_unchecked: bool = False
    must_change: MustChange | None = None
    must_change_since: datetime | None = None
    is_disabled: bool = False
    earlier: tuple[str, ...] = attrs.field(
        default=(), repr=False, metadata=secret("security", "hashes of earlier passwords")
    )
    reminded_at: datetime | None = None
    remind_at: datetime | None = None

    @property
    def stored(self) -> StoredHash:
        """The hash, for a ``Hasher``."""
        return StoredHash(self.hash)


@attrs.frozen(kw_only=True)
class PasswordWasChanged:
    """The password was changed, set or removed, and every other session has ended.

    Args:
        next_value: What this browser's session has for a value now; None where the session was opened for the change
            alone, and the customer signs in again.
        clear_cookies: What to remove from the browser.
        guidance: What the person should know of the new password.
    """

    next_value: NextValue | None
    clear_cookies: tuple[ClearCookie, ...] = ()
    guidance: tuple[GuidanceKey, ...] = ()
