"""Prove who you are, and stay signed in.

Customers get in the way they like; a stranger who guesses is slowed down without locking out the owner; everybody sees
where they are signed in and can throw others out. Every way in ends at one gate (``Gate``), which alone opens sessions.
"""

from shopaccounts.signin.acquainted import is_owners_browser
from shopaccounts.signin.admitting import CROWD, Admission, Arrival
from shopaccounts.signin.answers import (
    Answer,
    PasskeyAnswer,
    PasswordAnswer,
    RecoveryCodeAnswer,
    SentCodeAnswer,
    TotpCode,
    read_answer,
)
from shopaccounts.signin.authenticators import (
    AUTHENTICATORS,
    Authenticators,
    Enrolling,
    Factor,
    FactorKind,
    Identity,
    Passkey,
    identity_key,
)
from shopaccounts.signin.codes.policy import CodeSignInPolicy, CodeWay, SameBrowser
from shopaccounts.signin.codes.proving import SentCodeProver
from shopaccounts.signin.codes.sending import Answered, Asking, Owner, SentCodes
from shopaccounts.signin.codes.sent import (
    SENT_CODES,
    SIGN_IN,
    STEP,
    CodeSent,
    CodeUse,
    LinkOffer,
    OpenedElsewhere,
    SentCode,
)
from shopaccounts.signin.codes.steps import StepCodes
from shopaccounts.signin.codes.usecases import CodeSignIn
from shopaccounts.signin.confirming import Confirmation
from shopaccounts.signin.devices import device_label
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import (
    CodeExhausted,
    CodeWrong,
    DeviceUnknown,
    EnrolmentEnded,
    EnrolmentNeedsVerifiedContact,
    FactorUnknown,
    ImpersonationNotAllowed,
    LastWayIn,
    NotWhileImpersonating,
    PasskeyRefused,
    PasskeyTaken,
    PasskeyUnknown,
    ProgressEnded,
    SessionUnknown,
    SignInLinkExpired,
    SignInLinkInvalid,
    SignInLinkStale,
    SignInLinkUsed,
    SignInRefused,
    SignInRequired,
    TooManyFactors,
    TooManyPasskeys,
    TooManySessions,
    WayNotOffered,
)
from shopaccounts.signin.factor_check import FactorCheck, Memory, Proven, Prover, Tried, Wrong
from shopaccounts.signin.factor_policy import (
    AccountName,
    RecoveryCodePolicy,
    SecondFactorMode,
    SecondFactorPolicy,
    TotpAlgorithm,
    TotpParameters,
    TotpPolicy,
)
from shopaccounts.signin.factors.apps import TotpFactors
from shopaccounts.signin.factors.changes import FactorChanges
from shopaccounts.signin.factors.model import (
    EnrolledFactors,
    FactorEnrolment,
    FactorOffer,
    FactorSummary,
    FactorWasRemoved,
    RecoveryCodesSummary,
    RecoveryCodesWereRenewed,
    TotpStarted,
)
from shopaccounts.signin.factors.number_risks import RememberedRisks
from shopaccounts.signin.factors.pointing import PointedSteps, pointed_elsewhere
from shopaccounts.signin.factors.ports import NoQrCode, QrCode, Totp
from shopaccounts.signin.factors.proving import RecoveryCodeProver, RecoveryCodeSets, TotpProver, TotpSecrets
from shopaccounts.signin.factors.resealing import reseal_app_secrets
from shopaccounts.signin.factors.sent import SentFactors
from shopaccounts.signin.factors.usecases import Factors
from shopaccounts.signin.factors.withdrawing import Withdrawal, left_of, withdraw, without_added_since
from shopaccounts.signin.gate import Credentials, Gate
from shopaccounts.signin.history import History, HistoryEntry
from shopaccounts.signin.impersonating import IMPERSONATIONS, Impersonated
from shopaccounts.signin.impersonation import Impersonating, Impersonation
from shopaccounts.signin.model import (
    DEVICES,
    REALMS,
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    Acting,
    ActingScope,
    Device,
    DeviceSummary,
    EndReason,
    EnrolmentNeeded,
    FactorOption,
    KnownDevices,
    NoSession,
    PasswordChangeNeeded,
    Resumed,
    SecondFactorNeeded,
    Session,
    SessionSummary,
    SignedIn,
    SignedOut,
    SignInStep,
    WhyNoSession,
)
from shopaccounts.signin.passkeys.adding import PasskeyAdding
from shopaccounts.signin.passkeys.another_device import AnotherDevice
from shopaccounts.signin.passkeys.asking import Ceremonies, Questioned
from shopaccounts.signin.passkeys.ceremonies import (
    CEREMONIES,
    DEVICE_BINDINGS,
    Ceremony,
    CeremonyPurpose,
    DeviceBindingStarted,
    PasskeyRequest,
)
from shopaccounts.signin.passkeys.model import PasskeySignal, PasskeySummary, PasskeyWasAdded, PasskeyWasRemoved
from shopaccounts.signin.passkeys.policy import PasskeyPolicy
from shopaccounts.signin.passkeys.ports import Passkeys, PasskeyUser
from shopaccounts.signin.passkeys.proving import PasskeyCheck, PasskeyProver
from shopaccounts.signin.passkeys.rules import descriptors
from shopaccounts.signin.passkeys.signin import PasskeySignIn
from shopaccounts.signin.passkeys.usecases import PasskeyCare
from shopaccounts.signin.policy import (
    AttemptPolicy,
    DevicePolicy,
    IdleReauth,
    ImpersonationPolicy,
    Overflow,
    RenewalPolicy,
    SessionPolicy,
    StepUpPolicy,
)
from shopaccounts.signin.ports import NoPlaces, NoRiskSignals, NumberRisk, Places, RiskSignals, Unproven
from shopaccounts.signin.progress import PROGRESSES, Progress
from shopaccounts.signin.proving import PasswordCheck
from shopaccounts.signin.reaching import Offered
from shopaccounts.signin.renewing import Renewal
from shopaccounts.signin.second_step import HalfDone, SecondStep, UnderWay
from shopaccounts.signin.sessions import end
from shopaccounts.signin.staying import Sessions
from shopaccounts.signin.throttling import Attempts
from shopaccounts.signin.usecases import SignIn

__all__ = [
    "AUTHENTICATORS",
    "CEREMONIES",
    "CROWD",
    "DEVICES",
    "DEVICE_BINDINGS",
    "IMPERSONATIONS",
    "PROGRESSES",
    "REALMS",
    "SENT_CODES",
    "SESSIONS",
    "SIGN_IN",
    "STEP",
    "AccountClosing",
    "AccountName",
    "AccountSuspended",
    "Acting",
    "ActingScope",
    "Admission",
    "AnotherDevice",
    "Answer",
    "Answered",
    "Arrival",
    "Asking",
    "AttemptPolicy",
    "Attempts",
    "Authenticators",
    "Ceremonies",
    "Ceremony",
    "CeremonyPurpose",
    "CodeExhausted",
    "CodeSent",
    "CodeSignIn",
    "CodeSignInPolicy",
    "CodeUse",
    "CodeWay",
    "CodeWrong",
    "Confirmation",
    "Credentials",
    "Device",
    "DeviceBindingStarted",
    "DevicePolicy",
    "DeviceSummary",
    "DeviceUnknown",
    "EndReason",
    "EnrolledFactors",
    "Enrolling",
    "EnrolmentEnded",
    "EnrolmentNeeded",
    "EnrolmentNeedsVerifiedContact",
    "Factor",
    "FactorChanges",
    "FactorCheck",
    "FactorEnrolment",
    "FactorKind",
    "FactorOffer",
    "FactorOption",
    "FactorSummary",
    "FactorUnknown",
    "FactorWasRemoved",
    "Factors",
    "Gate",
    "HalfDone",
    "History",
    "HistoryEntry",
    "Identity",
    "IdleReauth",
    "Impersonated",
    "Impersonating",
    "Impersonation",
    "ImpersonationNotAllowed",
    "ImpersonationPolicy",
    "KnownDevices",
    "LastWayIn",
    "LinkOffer",
    "Memory",
    "NoPlaces",
    "NoQrCode",
    "NoRiskSignals",
    "NoSession",
    "NotWhileImpersonating",
    "NumberRisk",
    "Offered",
    "OpenedElsewhere",
    "Overflow",
    "Owner",
    "Passkey",
    "PasskeyAdding",
    "PasskeyAnswer",
    "PasskeyCare",
    "PasskeyCheck",
    "PasskeyPolicy",
    "PasskeyProver",
    "PasskeyRefused",
    "PasskeyRequest",
    "PasskeySignIn",
    "PasskeySignal",
    "PasskeySummary",
    "PasskeyTaken",
    "PasskeyUnknown",
    "PasskeyUser",
    "PasskeyWasAdded",
    "PasskeyWasRemoved",
    "Passkeys",
    "PasswordAnswer",
    "PasswordChangeNeeded",
    "PasswordCheck",
    "Places",
    "PointedSteps",
    "Progress",
    "ProgressEnded",
    "Proven",
    "Prover",
    "QrCode",
    "Questioned",
    "RecoveryCodeAnswer",
    "RecoveryCodePolicy",
    "RecoveryCodeProver",
    "RecoveryCodeSets",
    "RecoveryCodesSummary",
    "RecoveryCodesWereRenewed",
    "RememberedRisks",
    "Renewal",
    "RenewalPolicy",
    "Resumed",
    "RiskSignals",
    "SameBrowser",
    "SecondFactorMode",
    "SecondFactorNeeded",
    "SecondFactorPolicy",
    "SecondStep",
    "SentCode",
    "SentCodeAnswer",
    "SentCodeProver",
    "SentCodes",
    "SentFactors",
    "Session",
    "SessionDoorkeeper",
    "SessionPolicy",
    "SessionSummary",
    "SessionUnknown",
    "Sessions",
    "SignIn",
    "SignInLinkExpired",
    "SignInLinkInvalid",
    "SignInLinkStale",
    "SignInLinkUsed",
    "SignInRefused",
    "SignInRequired",
    "SignInStep",
    "SignedIn",
    "SignedOut",
    "StepCodes",
    "StepUpPolicy",
    "TooManyFactors",
    "TooManyPasskeys",
    "TooManySessions",
    "Totp",
    "TotpAlgorithm",
    "TotpCode",
    "TotpFactors",
    "TotpParameters",
    "TotpPolicy",
    "TotpProver",
    "TotpSecrets",
    "TotpStarted",
    "Tried",
    "UnderWay",
    "Unproven",
    "WayNotOffered",
    "WhyNoSession",
    "Withdrawal",
    "Wrong",
    "descriptors",
    "device_label",
    "end",
    "identity_key",
    "is_owners_browser",
    "left_of",
    "pointed_elsewhere",
    "read_answer",
    "reseal_app_secrets",
    "withdraw",
    "without_added_since",
]
