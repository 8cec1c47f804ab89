"""The life of a session.

A session value is a selector, by which its row is found, and a verifier, of which only a digest is kept. A session is
dead when it was ended, was idle too long, has reached its end, when a stamp it depends on moved, when the account isn't
active, or when it is older than the account's ``not_before``. What a provider vouched for is worth nothing once its
identity is unlinked, or has signed out there. Activity moves the idle end only; nothing but proving
again who one is moves the absolute end. [NIST SP 800-63B-4 5.2; OWASP ASVS 7.3, 7.4]

An account has a limited number of sessions. When one more is opened, those that are dead are put away, and of the live
ones the oldest end, or the new one is refused. [OWASP ASVS 7.1.2]
"""

from collections.abc import Iterable
from datetime import datetime

import attrs

from shopaccounts.customers import AccountStatus, Customer, as_of
from shopaccounts.kernel.assurance import Proof, SessionScope, level_of
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.signin.authenticators import Authenticators, Identity
from shopaccounts.signin.errors import TooManySessions
from shopaccounts.signin.model import SESSION, EndReason, RealmSecurity, Session, WhyNoSession
from shopaccounts.signin.policy import IdleReauth, Overflow, SessionPolicy

__all__ = ["confirmed", "end", "is_live", "is_orphaned", "is_revoked", "judge_session", "made_room", "touched"]

_STATUS_OF_SCOPE = {
    SessionScope.FULL: AccountStatus.ACTIVE,
    SessionScope.CHANGE_PASSWORD: AccountStatus.ACTIVE,
    SessionScope.ENROL_ONLY: AccountStatus.ACTIVE,
    SessionScope.CLOSING: AccountStatus.CLOSING,
}


def judge_session(
    session: Session, customer: Customer, security: AccountSecurity, realm: RealmSecurity | None, now: datetime
) -> WhyNoSession | None:
    """Answer why the session opens nothing, or None if it is live."""
    stopped = as_of(customer, now).status is not _STATUS_OF_SCOPE[session.auth.scope]
    reasons = (
        (WhyNoSession.ENDED, session.ended not in {None, EndReason.LAPSED}),
        (WhyNoSession.OVER, now >= session.ends_at),
        (WhyNoSession.REVOKED, is_revoked(session, security, realm)),
        (WhyNoSession.ACCOUNT_STOPPED, stopped),
        (WhyNoSession.IDLE, now >= session.idle_until),
        (WhyNoSession.ENDED, session.ended is not None),
    )
    return next((reason for reason, holds in reasons if holds), None)


def is_revoked(session: Session, security: AccountSecurity, realm: RealmSecurity | None) -> bool:
    """Tell whether something happened to the account, or to all of them, that ended this session."""
    limits = (security.not_before, realm.not_before if realm else None)
    too_old = any(limit is not None and session.created_at < limit for limit in limits)
    return too_old or security.stamps.moved(session.stamps, SESSION.depends_on)


def is_orphaned(session: Session, own: Authenticators | None, closed: frozenset[str] = frozenset()) -> bool:
    """Tell whether a session rests on the word of a provider that doesn't count any more.

    Args:
        session: Which one.
        own: What its account is linked with.
        closed: The providers whose sessions end since they were switched off.
    """
    vouched_for = (proof for proof in session.auth.proofs if proof.identity is not None)
    return any(_is_void(proof, own.identity(proof.identity) if own else None, closed) for proof in vouched_for)


def _is_void(proof: Proof, identity: Identity | None, closed: frozenset[str]) -> bool:
    if identity is None or identity.provider in closed:
        return True
    return identity.not_before is not None and proof.at < identity.not_before


def is_live(session: Session, security: AccountSecurity, realm: RealmSecurity | None, now: datetime) -> bool:
    """Tell whether the owner still sees this session in the list."""
    in_time = now < min(session.ends_at, session.idle_until)
    return session.ended is None and in_time and not is_revoked(session, security, realm)


def touched(session: Session, policy: SessionPolicy, now: datetime) -> Session | None:
    """Answer the session after activity, None if it was noted a short while ago."""
    is_first_use = session.generation > 0 and not session.is_used
    was_noted = now - session.last_seen < policy.touch_every and not is_first_use
    if was_noted or session.auth.scope is not SessionScope.FULL:
        return None
    idle, _ = policy.lives(remembered=session.remembered)
    idle_until = max(session.idle_until, min(now + idle, session.ends_at))
    return attrs.evolve(session, last_seen=now, idle_until=idle_until, is_used=True)


def end(session: Session, reason: EndReason, now: datetime) -> Session:
    """Answer the session ended; the first reason stays."""
    return session if session.ended else attrs.evolve(session, ended=reason, ended_at=now)


def confirmed(session: Session, proof: Proof, policy: SessionPolicy, now: datetime) -> Session:
    """Answer the session with one more proof, which takes the place of an earlier one of its method.

    Its last end moves only if the proof alone is as strong as the session: so a session of two factors that goes on
    with one of them still ends in its time. One that was opened for a single task ends as it would have.
    """
    proofs = (*(earlier for earlier in session.auth.proofs if earlier.method is not proof.method), proof)
    auth = attrs.evolve(session.auth, proofs=proofs, level=level_of(proofs), authenticated_at=now)
    if auth.scope is not SessionScope.FULL:
        return attrs.evolve(session, auth=auth)
    idle, absolute = policy.lives(remembered=session.remembered)
    ends_at = now + absolute if level_of((proof,)) >= session.auth.level else session.ends_at
    return attrs.evolve(session, auth=auth, ends_at=ends_at, idle_until=min(now + idle, ends_at))


def made_room(
    still_open: Iterable[Session],
    security: AccountSecurity,
    realm: RealmSecurity | None,
    policy: SessionPolicy,
    now: datetime,
) -> tuple[tuple[Session, Session], ...]:
    """Answer what becomes of an account's sessions before one more is opened: those that end, as they were and are.

    Args:
        still_open: The sessions that nobody has ended, oldest first.
        security: The account's row.
        realm: The realm's row, if there is one.
        policy: How many there may be.
        now: When the new one is opened.

    Raises:
        TooManySessions: There are as many as there may be, and the oldest is not to end for it.
    """
    own = tuple(session for session in still_open if session.acting is None)
    live = tuple(session for session in own if _may_go_on(session, security, realm, policy, now))
    surplus = max(0, len(live) + 1 - policy.max_sessions)
    if surplus and policy.overflow is Overflow.REFUSE:
        raise TooManySessions(policy.max_sessions)
    staying = {session.id for session in live[surplus:]}
    crowded_out = {session.id for session in live[:surplus]}
    reasons = dict.fromkeys(crowded_out, EndReason.CROWDED_OUT)
    ending = (session for session in own if session.id not in staying)
    return tuple((session, end(session, reasons.get(session.id, EndReason.LAPSED), now)) for session in ending)


def _may_go_on(
    session: Session, security: AccountSecurity, realm: RealmSecurity | None, policy: SessionPolicy, now: datetime
) -> bool:
    until = session.ends_at if policy.idle_reauth is IdleReauth.ANY_FACTOR else min(session.ends_at, session.idle_until)
    return now < until and not is_revoked(session, security, realm)
