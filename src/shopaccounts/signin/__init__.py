"""Prove who you are, and stay signed in.

Customers get in the way they like; a stranger who guesses is slowed down without locking out the owner; everybody sees
where they are signed in and can throw others out. Every way in ends at one gate (``Gate``), which alone opens sessions.
"""

from shopaccounts.signin.acquainted import is_owners_browser
from shopaccounts.signin.confirming import Confirmation
from shopaccounts.signin.devices import device_label
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import (
    DeviceUnknown,
    ImpersonationNotAllowed,
    NotWhileImpersonating,
    SessionUnknown,
    SignInRefused,
    SignInRequired,
    TooManySessions,
    WayNotOffered,
)
from shopaccounts.signin.gate import Gate
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
    KnownDevices,
    NoSession,
    PasswordChangeNeeded,
    Resumed,
    Session,
    SessionSummary,
    SignedIn,
    SignedOut,
    SignInStep,
    WhyNoSession,
)
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
from shopaccounts.signin.ports import NoPlaces, Places
from shopaccounts.signin.proving import PasswordCheck
from shopaccounts.signin.renewing import Renewal
from shopaccounts.signin.staying import Sessions
from shopaccounts.signin.throttling import Attempts
from shopaccounts.signin.usecases import SignIn

__all__ = [
    "DEVICES",
    "IMPERSONATIONS",
    "REALMS",
    "SESSIONS",
    "AccountClosing",
    "AccountSuspended",
    "Acting",
    "ActingScope",
    "AttemptPolicy",
    "Attempts",
    "Confirmation",
    "Device",
    "DevicePolicy",
    "DeviceSummary",
    "DeviceUnknown",
    "Gate",
    "History",
    "HistoryEntry",
    "IdleReauth",
    "Impersonated",
    "Impersonating",
    "Impersonation",
    "ImpersonationNotAllowed",
    "ImpersonationPolicy",
    "KnownDevices",
    "NoPlaces",
    "NoSession",
    "NotWhileImpersonating",
    "Overflow",
    "PasswordChangeNeeded",
    "PasswordCheck",
    "Places",
    "Renewal",
    "RenewalPolicy",
    "Resumed",
    "Session",
    "SessionDoorkeeper",
    "SessionPolicy",
    "SessionSummary",
    "SessionUnknown",
    "Sessions",
    "SignIn",
    "SignInRefused",
    "SignInRequired",
    "SignInStep",
    "SignedIn",
    "SignedOut",
    "StepUpPolicy",
    "TooManySessions",
    "WayNotOffered",
    "WhyNoSession",
    "device_label",
    "is_owners_browser",
]
