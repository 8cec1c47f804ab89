"""What passwords need from the outside."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords.breaches import Outage
from shopaccounts.passwords.importing import Adopted, LegacyScheme, RowOutcome
from shopaccounts.passwords.model import Match, StoredHash
from shopaccounts.passwords.preparing import Prepared

__all__ = ["BreachedPasswords", "Hasher", "LegacyHashes"]


class BreachedPasswords(Protocol):
    """A list of passwords that were seen in leaked data, asked by the first digits of a fingerprint.

    Promises:
        1. Only the five digits leave the shop, in one request; nothing is tried again.
        2. Padding is asked for; it comes back with a count of 0, like any other line.
        3. A line that isn't 35 upper-case hex digits, a colon and a count is skipped.
        4. No answer in time, a refusal, or an answer that breaks off, has no end or no line: an ``Outage``, never an
           exception and never an empty list.
    """

    def range(self, prefix: str) -> Answer[Sequence[tuple[str, int]] | Outage]:
        """Answer every listed fingerprint that begins with *prefix*.

        Args:
            prefix: Five upper-case hex digits.

        Returns:
            The 35 digits that follow, each with how often that password was seen.
        """
        ...


class Hasher(Protocol):
    """Turns passwords into text that is of little use to a thief, and checks attempts against it.

    A password of None stands for input that no password can look like (``prepare_to_verify`` answers it): it is wrong,
    and costs the same.

    Promises:
        1. ``verify`` says yes only to the password that was hashed, and only for the owner it was hashed for.
        2. ``verify`` never raises for wrong input, or for a stored hash that is foreign or damaged: it says no.
        3. ``spend`` does the work that ``verify`` does with the current settings, whatever the password; a ``verify``
           that can't compute the stored hash does it too.
        4. ``rehash`` accompanies a yes iff the stored hash was made with another scheme, cost, salt length or hash
           length than the current ones (or sealed with an older key).
        5. The stored text names its scheme and its cost.
        6. Each hash has a fresh salt of at least 16 bytes.
        7. A stored hash that asks for more than 256 MiB, 10 passes or 16 lanes is not computed: the answer is no, and
           ``unusable``.
        8. At most as many hashes as allowed are computed at once; the others wait, and are refused when it takes too
           long.
    """

    def hash(self, password: Prepared, owner: str) -> Answer[StoredHash]:
        """Hash *password* for *owner*.

        Args:
            password: An acceptable password.
            owner: The id of whoever it belongs to; the hash is of no use to anybody else.

        Raises:
            InvalidInput: The password is empty.
            TryLater: Too many hashes are waiting.
        """
        ...

    def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Answer[Match]:
        """Tell whether *password* is the one that was hashed for *owner*.

        Raises:
            TryLater: Too many hashes are waiting.
        """
        ...

    def spend(self, password: Prepared | None) -> Answer[None]:
        """Do the work of a ``verify`` where there is nothing to verify, so that nobody can tell from the time it takes.

        Raises:
            TryLater: Too many hashes are waiting.
        """
        ...


@runtime_checkable
class LegacyHashes(Protocol):
    """Takes over hashes that another system made, so that the ``Hasher`` it belongs to can check them.

    Promises:
        1. Only schemes that the shop allows are taken over.
        2. What can't be read, or would cost more than any of our own hashes may, is turned away, never raised.
        3. A text of a weak scheme is nowhere in what is kept.
        4. What is kept opens for its owner and the password that the other system took, and asks for a new hash.
    """

    def adopt(self, text: Secret[str], scheme: LegacyScheme, owner: str) -> Answer[Adopted | RowOutcome]:
        """Answer what is to be kept for *text*, or why it is turned away.

        Args:
            text: What the other system kept.
            scheme: How it was kept.
            owner: The account.

        Raises:
            TryLater: Too many hashes are waiting.
        """
        ...
