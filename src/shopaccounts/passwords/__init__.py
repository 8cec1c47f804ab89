"""What a good password is, and how it is kept.

People may choose long passwords that they can remember; they are told kindly why one won't do, are never made to change
one without a reason, and a stolen database is of little use.

``prepare`` takes what was typed, ``judge`` says whether it will do under a ``PasswordPolicy``, ``describe`` says the
rules beforehand, ``rate`` drives a meter, ``suggest`` draws a strong one. A ``Hasher`` keeps and checks it.
"""

from shopaccounts.passwords.breach_check import Breaches
from shopaccounts.passwords.breaches import BreachVerdict, Clean, Outage, Seen, Unchecked
from shopaccounts.passwords.common import BUILT_IN, CommonPasswords, Fingerprints
from shopaccounts.passwords.context_words import PersonalWords, ShopWords
from shopaccounts.passwords.errors import (
    FactorProtectsShortPassword,
    NoOtherWayIn,
    NoPassword,
    PasswordAlreadySet,
    PasswordUnacceptable,
    WrongPassword,
)
from shopaccounts.passwords.forcing import ChangeVia, change_via, flagged
from shopaccounts.passwords.guide import PasswordGuide, describe, suggest
from shopaccounts.passwords.importing import Adopted, ImportReport, ImportRow, LegacyScheme, RowOutcome
from shopaccounts.passwords.imports import PasswordImports
from shopaccounts.passwords.judging import Acceptable, PasswordContext, Unacceptable, judge
from shopaccounts.passwords.keeping import PASSWORDS, SEVERAL_PEPPERS, WITHOUT_PEPPER, NewPassword, keep
from shopaccounts.passwords.meter import Strength, rate
from shopaccounts.passwords.model import (
    Finding,
    FindingCode,
    GuidanceKey,
    Match,
    MustChange,
    PasswordRecord,
    PasswordWasChanged,
    StoredHash,
)
from shopaccounts.passwords.neighbours import CurrentPasswords, Resets
from shopaccounts.passwords.patterns import Pattern
from shopaccounts.passwords.policy import Argon2Profile, BreachPolicy, OnOutage, PasswordPolicy, PasswordRule
from shopaccounts.passwords.ports import BreachedPasswords, Hasher, LegacyHashes
from shopaccounts.passwords.preparing import Prepared, prepare, prepare_to_verify
from shopaccounts.passwords.reminding import ReminderDue, reminder_due
from shopaccounts.passwords.removing import check_factor_may_go, check_password_may_go
from shopaccounts.passwords.taking import Chooser, Chosen, words_of
from shopaccounts.passwords.tending import Caretaker, Tended
from shopaccounts.passwords.usecases import Passwords

__all__ = [
    "BUILT_IN",
    "PASSWORDS",
    "SEVERAL_PEPPERS",
    "WITHOUT_PEPPER",
    "Acceptable",
    "Adopted",
    "Argon2Profile",
    "BreachPolicy",
    "BreachVerdict",
    "BreachedPasswords",
    "Breaches",
    "Caretaker",
    "ChangeVia",
    "Chooser",
    "Chosen",
    "Clean",
    "CommonPasswords",
    "CurrentPasswords",
    "FactorProtectsShortPassword",
    "Finding",
    "FindingCode",
    "Fingerprints",
    "GuidanceKey",
    "Hasher",
    "ImportReport",
    "ImportRow",
    "LegacyHashes",
    "LegacyScheme",
    "Match",
    "MustChange",
    "NewPassword",
    "NoOtherWayIn",
    "NoPassword",
    "OnOutage",
    "Outage",
    "PasswordAlreadySet",
    "PasswordContext",
    "PasswordGuide",
    "PasswordImports",
    "PasswordPolicy",
    "PasswordRecord",
    "PasswordRule",
    "PasswordUnacceptable",
    "PasswordWasChanged",
    "Passwords",
    "Pattern",
    "PersonalWords",
    "Prepared",
    "ReminderDue",
    "Resets",
    "RowOutcome",
    "Seen",
    "ShopWords",
    "StoredHash",
    "Strength",
    "Tended",
    "Unacceptable",
    "Unchecked",
    "WrongPassword",
    "change_via",
    "check_factor_may_go",
    "check_password_may_go",
    "describe",
    "flagged",
    "judge",
    "keep",
    "prepare",
    "prepare_to_verify",
    "rate",
    "reminder_due",
    "suggest",
    "words_of",
]
