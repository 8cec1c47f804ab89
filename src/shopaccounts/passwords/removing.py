"""What has to stay when something that opens an account goes.

* A password goes only if another way into the account stays.
* The last second factor beyond e-mail goes only if the password is long enough to open the account alone, or a longer
  one comes at the same time; a password that is protected by a second factor may be shorter.

[NIST SP 800-63B-4 3.1.1.2(1), 4.5]
"""

from collections.abc import Collection

from shopaccounts.passwords.errors import FactorProtectsShortPassword, NoOtherWayIn
from shopaccounts.passwords.keeping import NewPassword
from shopaccounts.passwords.model import PasswordRecord
from shopaccounts.passwords.policy import PasswordPolicy

__all__ = ["check_factor_may_go", "check_password_may_go"]


def check_password_may_go(others: Collection[object]) -> None:
    """Check that a password may be removed.

    Args:
        others: The usable ways into the account besides the password.

    Raises:
        NoOtherWayIn: There are none.
    """
    if not others:
        raise NoOtherWayIn


def check_factor_may_go(
    record: PasswordRecord | None, policy: PasswordPolicy, replacement: NewPassword | None = None
) -> None:
    """Check that the last second factor beyond e-mail may be removed.

    Args:
        record: The account's password; None if it has none.
        policy: How long a password is that opens an account alone.
        replacement: A password that comes in its place at the same time.

    Raises:
        FactorProtectsShortPassword: The password that stays is too short to open the account alone.
    """
    stays = replacement or record
    if stays is not None and not stays.meets_single_factor_minimum:
        raise FactorProtectsShortPassword(policy.min_single_factor)
