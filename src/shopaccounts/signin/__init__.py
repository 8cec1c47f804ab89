"""Prove who you are, and stay signed in.

Customers get in the way they like; a stranger who guesses is slowed down without locking out the owner; everybody sees
where they are signed in and can throw others out. Every way in ends at one gate (``Gate``), which alone opens sessions.
"""

from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import SessionUnknown, SignInRefused, SignInRequired
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import (
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    NoSession,
    Resumed,
    Session,
    SessionSummary,
    SignedIn,
    SignedOut,
    SignInStep,
    WhyNoSession,
)
from shopaccounts.signin.policy import AttemptPolicy, SessionPolicy, StepUpPolicy
from shopaccounts.signin.staying import Sessions
from shopaccounts.signin.throttling import Attempts
from shopaccounts.signin.usecases import SignIn

__all__ = [
    "SESSIONS",
    "AccountClosing",
    "AccountSuspended",
    "AttemptPolicy",
    "Attempts",
    "Gate",
    "NoSession",
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
    "WhyNoSession",
]
