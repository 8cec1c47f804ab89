"""Passwords that come along from another shop system.

A hash can be taken over without anybody knowing the password. Whoever signs in with it for the first time gets a hash
of ours in its place. The shop names the schemes that it expects; any other row is turned away.

* **Sound schemes** were made to be slow. Their hashes are kept as they are until the first sign-in.
* **Weak schemes** (a bare MD5, SHA-1 or SHA-256, with a salt or without, and passwords in the clear) are never stored
  as they are. What is stored is our own slow hash over the old one, at once and for everybody, and the person is asked
  for another password at the next sign-in: the old text may have been copied long ago. [OWASP Password Storage Cheat
  Sheet, upgrading legacy hashes]

A row is taken over once. An account that has a password keeps it, so a page can be imported again after a crash.
"""

from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords.model import StoredHash

__all__ = ["WEAK", "Adopted", "ImportReport", "ImportRow", "LegacyScheme", "RowOutcome"]


class LegacyScheme(Enum):
    """How another system kept a password."""

    BCRYPT = "bcrypt"
    PBKDF2_SHA256 = "pbkdf2-sha256"
    PBKDF2_SHA512 = "pbkdf2-sha512"
    SCRYPT = "scrypt"
    ARGON2 = "argon2"
    SHA256_CRYPT = "sha256-crypt"
    SHA512_CRYPT = "sha512-crypt"
    PHPASS = "phpass"
    DJANGO_PBKDF2 = "django-pbkdf2-sha256"
    DJANGO_SCRYPT = "django-scrypt"
    DJANGO_ARGON2 = "django-argon2"
    DJANGO_BCRYPT = "django-bcrypt-sha256"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    PLAIN = "plain"


WEAK: Final = frozenset({LegacyScheme.MD5, LegacyScheme.SHA1, LegacyScheme.SHA256, LegacyScheme.PLAIN})
"""Schemes whose text is never stored."""


class RowOutcome(Enum):
    """What became of one row."""

    IMPORTED = "imported"
    UNPARSABLE = "unparsable"
    UNKNOWN_ACCOUNT = "unknown_account"
    HAS_PASSWORD = "has_password"  # noqa: S105  (an outcome)
    SCHEME_NOT_ALLOWED = "scheme_not_allowed"


@attrs.frozen
class Adopted:
    """A hash that was taken over.

    Args:
        stored: What is kept.
        weak: The old text was of little worth, so the person is to choose another password.
    """

    stored: StoredHash
    weak: bool


@attrs.frozen(kw_only=True)
class ImportRow:
    """One password of another system.

    Args:
        account: Whose it is; the account was imported before, with an address that counts as proven.
        scheme: How the other system kept it.
        text: What the other system kept.
    """

    account: AccountId
    scheme: LegacyScheme
    text: Secret[str]


@attrs.frozen
class ImportReport:
    """What became of each row of a page, in its order."""

    rows: tuple[tuple[AccountId, RowOutcome], ...]

    def count(self, outcome: RowOutcome) -> int:
        """Answer how many rows ended like this."""
        return sum(each is outcome for _, each in self.rows)
