"""What a shop asks for beyond the first proof, and what its codes look like."""

from datetime import timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.signin.authenticators import FactorKind

__all__ = [
    "AccountName",
    "RecoveryCodePolicy",
    "SecondFactorMode",
    "SecondFactorPolicy",
    "TotpAlgorithm",
    "TotpParameters",
    "TotpPolicy",
]

_FEWEST_BITS: Final = 112
"""Secrets shorter than that can be searched for. [NIST SP 800-63B-4 3.1.4.1, 3.1.2.2]"""
_MOST_CODES: Final = 32
_DIGITS: Final = (6, 7, 8)
_SHORTEST_PERIOD, _LONGEST_PERIOD = timedelta(seconds=15), timedelta(minutes=2)
_MOST_STEPS: Final = 2
_BITS_OF_A_CHARACTER: Final = 5
_BITS_OF_A_BYTE: Final = 8


class SecondFactorMode(Enum):
    """Whether a password alone opens an account.

    Args:
        OPTIONAL: It does, unless its owner enrolled a second factor.
        REQUIRED: It doesn't: who has no second factor enrols one first.
    """

    OPTIONAL = "optional"
    REQUIRED = "required"


class TotpAlgorithm(Enum):
    """The hash under the codes of an authenticator app, as RFC 6238 section 1.2 names them."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"


@attrs.frozen(kw_only=True)
class TotpParameters:
    """How the codes of one authenticator app are made.

    Args:
        digits: How long they are.
        period: For how many seconds each is shown.
        algorithm: The hash under them.
    """

    digits: int = 6
    period: int = 30
    algorithm: TotpAlgorithm = TotpAlgorithm.SHA1


class AccountName(Enum):
    """Under which name the account stands in an authenticator app.

    Args:
        MASKED: The verified contact, masked: who looks at the phone doesn't read the address.
        CHOSEN: The name that the customer gave the factor.
    """

    MASKED = "masked"
    CHOSEN = "chosen"


_STRONGER: Final = frozenset({FactorKind.TOTP, FactorKind.PASSKEY})


@attrs.frozen(kw_only=True)
class SecondFactorPolicy:
    """Whether the shop asks for a second factor, and which kinds there are.

    Args:
        mode: Whether everybody needs one.
        kinds: What customers may enrol.
        end_other_sessions: Whether the other sessions of an account end when its factors change.
        sms_needs_alternative: Whether texts to a phone are offered only to who has a stronger kind too.

    Why these defaults:
        mode: optional; a shop that demands one of everybody loses customers, and the standards ask for it from the
            second level on. [OWASP ASVS 6.3.3 (2); NIST SP 800-63B-4 2.2]
        kinds: all of them; the restricted one, SMS, with its warning. [NIST SP 800-63B-4 3.1.3.3; OWASP ASVS 6.6.1]
        end_other_sessions: yes. [OWASP ASVS 7.4.3]
        sms_needs_alternative: yes, a number can be taken over. [NIST SP 800-63B-4 3.2.9; OWASP ASVS 6.6.1]
    """

    mode: SecondFactorMode = SecondFactorMode.OPTIONAL
    kinds: frozenset[FactorKind] = frozenset(FactorKind)
    end_other_sessions: bool = True
    sms_needs_alternative: bool = True

    def __attrs_post_init__(self) -> None:
        required = self.mode is SecondFactorMode.REQUIRED
        factors = self.kinds - {FactorKind.EMAIL_STEP, FactorKind.RECOVERY_CODES}
        require(not required or bool(factors), "who has to enrol a second factor can enrol one")
        alone = FactorKind.SMS in self.kinds and self.sms_needs_alternative and not self.kinds & _STRONGER
        require(not alone, "texts that need a stronger kind beside them have one to stand beside")

    def offers(self, kind: FactorKind) -> bool:
        """Tell whether customers may enrol this kind."""
        return kind in self.kinds


@attrs.frozen(kw_only=True)
class TotpPolicy:
    """What the codes of authenticator apps are made of, and which of them count.

    A factor keeps the parameters that it was enrolled with: changing these changes new factors only, except for the
    steps, which are looked at with each code.

    Args:
        digits: How long a code is: 6, 7 or 8.
        period: For how long a code is shown, in whole seconds.
        algorithm: The hash under it.
        secret_bits: How much chance is in a secret, in whole bytes.
        past_steps: How many codes before the current one count as well.
        future_steps: How many after it.
        account_name: What the app calls the account.

    Why these defaults:
        digits, period, algorithm: six digits, 30 seconds, SHA-1: what every app understands. [RFC 6238 4, 5.2]
        secret_bits: 160, as long as the hash. [RFC 4226 4 R6; NIST SP 800-63B-4 3.1.4.1 asks for 112]
        past_steps, future_steps: one each, since clocks differ and people type slowly. [RFC 6238 5.2]
        account_name: masked; of the house.
    """

    digits: int = 6
    period: timedelta = timedelta(seconds=30)
    algorithm: TotpAlgorithm = TotpAlgorithm.SHA1
    secret_bits: int = 160
    past_steps: int = 1
    future_steps: int = 1
    account_name: AccountName = AccountName.MASKED

    @property
    def parameters(self) -> TotpParameters:
        """What a factor that is enrolled now keeps."""
        return TotpParameters(digits=self.digits, period=self.period // timedelta(seconds=1), algorithm=self.algorithm)

    def __attrs_post_init__(self) -> None:
        require(self.digits in _DIGITS, "codes have 6 to 8 digits [RFC 4226 5.3]")
        whole = self.period % timedelta(seconds=1) == timedelta(0)
        require(whole and _SHORTEST_PERIOD <= self.period <= _LONGEST_PERIOD, "a code is shown for 15 to 120 seconds")
        fits = self.secret_bits >= _FEWEST_BITS and self.secret_bits % _BITS_OF_A_BYTE == 0
        require(fits, "a secret has at least 112 bits, in whole bytes [NIST SP 800-63B-4 3.1.4.1]")
        require(0 <= self.past_steps <= _MOST_STEPS, "at most two earlier codes count")
        require(0 <= self.future_steps <= _MOST_STEPS, "at most two later codes count")


@attrs.frozen(kw_only=True)
class RecoveryCodePolicy:
    """The codes on paper that open an account whose phone is lost.

    Args:
        count: How many an account gets.
        bits: How much chance is in each; a multiple of 20, the bits of a group of four characters.
        low_mark: At how many left the shop hears of it.
        replace_used: Whether who uses one is shown a fresh one for it.

    Why these defaults:
        count: ten, as is common; of the house.
        bits: 120, so that a keyed digest is enough to keep. [NIST SP 800-63B-4 3.1.2.2; OWASP ASVS 6.5.2]
        low_mark: three; of the house.
        replace_used: no; who wants new ones renews them all. [NIST SP 800-63B-4 4.2.1.1 wants it]
    """

    count: int = 10
    bits: int = 120
    low_mark: int = 3
    replace_used: bool = False

    def __attrs_post_init__(self) -> None:
        require(1 <= self.count <= _MOST_CODES, f"an account has 1 to {_MOST_CODES} recovery codes")
        groups = 4 * _BITS_OF_A_CHARACTER
        fits = self.bits >= _FEWEST_BITS and self.bits % groups == 0
        require(fits, "a recovery code has at least 112 bits, in groups of 20 [NIST SP 800-63B-4 3.1.2.2]")
        require(0 <= self.low_mark <= self.count, "the low mark is at most the number of codes")
