"""The life of a session.

A session value is a selector, by which its row is found, and a verifier, of which only a digest is kept. A session is
dead when it was ended, was idle too long, has reached its end, when a stamp it depends on moved, when the account isn't
active, or when it is older than the account's ``not_before``. Activity moves the idle end only; nothing but proving
again who one is moves the absolute end. [NIST SP 800-63B-4 5.2; OWASP ASVS 7.3, 7.4]
"""

from datetime import datetime

import attrs

from shopaccounts.customers import AccountStatus, Customer, as_of
from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.signin.model import SESSION, EndReason, Session, WhyNoSession
from shopaccounts.signin.policy import SessionPolicy

__all__ = ["end", "judge_session", "touched"]

_STATUS_OF_SCOPE = {
    SessionScope.FULL: AccountStatus.ACTIVE,
    SessionScope.CLOSING: AccountStatus.CLOSING,
}


def judge_session(
    session: Session, customer: Customer, security: AccountSecurity, now: datetime
) -> WhyNoSession | None:
    """Answer why the session opens nothing, or None if it is live."""
    stopped = as_of(customer, now).status is not _STATUS_OF_SCOPE[session.auth.scope] or security.frozen
    reasons = {
        WhyNoSession.ENDED: session.ended is not None,
        WhyNoSession.OVER: now >= session.ends_at,
        WhyNoSession.IDLE: now >= session.idle_until,
        WhyNoSession.REVOKED: is_revoked(session, security),
        WhyNoSession.ACCOUNT_STOPPED: stopped,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def is_revoked(session: Session, security: AccountSecurity) -> bool:
    """Tell whether something happened to the account that ended this session."""
    too_old = security.not_before is not None and session.created_at < security.not_before
    return too_old or security.stamps.moved(session.stamps, SESSION.depends_on)


def is_live(session: Session, security: AccountSecurity, now: datetime) -> bool:
    """Tell whether the owner still sees this session in the list."""
    in_time = now < min(session.ends_at, session.idle_until)
    return session.ended is None and in_time and not is_revoked(session, security)


def touched(session: Session, policy: SessionPolicy, now: datetime) -> Session | None:
    """Answer the session after activity, None if it was noted a short while ago."""
    if now - session.last_seen < policy.touch_every or session.auth.scope is not SessionScope.FULL:
        return None
    idle, _ = policy.lives(remembered=session.remembered)
    return attrs.evolve(session, last_seen=now, idle_until=max(session.idle_until, min(now + idle, session.ends_at)))


def end(session: Session, reason: EndReason) -> Session:
    """Answer the session ended; the first reason stays."""
    return attrs.evolve(session, ended=session.ended or reason)
