"""What a good password is, and how it is kept.

People may choose long passwords that they can remember; they are told kindly why one won't do, are never made to change
one without a reason, and a stolen database is of little use.

``prepare`` takes what was typed, ``judge`` says whether it will do under a ``PasswordPolicy``, ``describe`` says the
rules beforehand, ``rate`` drives a meter, ``suggest`` draws a strong one. A ``Hasher`` keeps and checks it.
"""

from shopaccounts.passwords.common import BUILT_IN, CommonPasswords, Fingerprints
from shopaccounts.passwords.context_words import PersonalWords, ShopWords
from shopaccounts.passwords.errors import (
    FactorProtectsShortPassword,
    NoOtherWayIn,
    PasswordUnacceptable,
    WrongPassword,
)
from shopaccounts.passwords.guide import PasswordGuide, describe, suggest
from shopaccounts.passwords.judging import Acceptable, PasswordContext, Unacceptable, judge
from shopaccounts.passwords.keeping import PASSWORDS, choose, keep
from shopaccounts.passwords.meter import Strength, rate
from shopaccounts.passwords.model import (
    Finding,
    FindingCode,
    GuidanceKey,
    Match,
    MustChange,
    PasswordRecord,
    StoredHash,
)
from shopaccounts.passwords.patterns import Pattern
from shopaccounts.passwords.policy import Argon2Profile, PasswordPolicy, PasswordRule
from shopaccounts.passwords.ports import Hasher
from shopaccounts.passwords.preparing import Prepared, prepare, prepare_to_verify

__all__ = [
    "BUILT_IN",
    "PASSWORDS",
    "Acceptable",
    "Argon2Profile",
    "CommonPasswords",
    "FactorProtectsShortPassword",
    "Finding",
    "FindingCode",
    "Fingerprints",
    "GuidanceKey",
    "Hasher",
    "Match",
    "MustChange",
    "NoOtherWayIn",
    "PasswordContext",
    "PasswordGuide",
    "PasswordPolicy",
    "PasswordRecord",
    "PasswordRule",
    "PasswordUnacceptable",
    "Pattern",
    "PersonalWords",
    "Prepared",
    "ShopWords",
    "StoredHash",
    "Strength",
    "Unacceptable",
    "WrongPassword",
    "choose",
    "describe",
    "judge",
    "keep",
    "prepare",
    "prepare_to_verify",
    "rate",
    "suggest",
]
