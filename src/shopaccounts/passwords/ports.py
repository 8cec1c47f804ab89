"""What passwords need from the outside."""

from typing import Protocol

from shopaccounts.kernel.answers import Answer
from shopaccounts.passwords.model import Match, StoredHash
from shopaccounts.passwords.preparing import Prepared

__all__ = ["Hasher"]


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
