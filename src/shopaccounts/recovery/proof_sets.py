"""What somebody has to show who says that they are the owner, and how long it makes wait.

* Which proofs open a case, and how long it waits then, is a table. The fewer and weaker they are, the longer it takes.
  A recovery address counts that was proven as long before as the case is going to wait, so that whoever got hold of a
  password gains nothing by adding one.
* A lost second factor is made good by the password and what comes by other ways than the factor: a code in the
  mailbox, quicker with one to a phone as well. A phone that is a second factor itself doesn't count, nor one that was
  proven less long before than the case is going to wait.
* Agents vouch by what they checked, never by what they know: kept are the kind of evidence and whether it was right.
  Two different ones have to agree.

[NIST SP 800-63B-4 4.2; OWASP ASVS 6.4.4]
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.customers import ContactPoint, ContactRole, Customer
from shopaccounts.kernel.assurance import AuthContext, Level, Method, level_of
from shopaccounts.kernel.contact import EmailAddress, PhoneNumber
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.recovery.errors import EvidenceInsufficient, ProofsMissing
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.signin import Authenticators

__all__ = [
    "PROOF_SETS",
    "CaseKind",
    "Evidence",
    "EvidenceKind",
    "ProofSet",
    "Shown",
    "check_evidence",
    "mailbox_of",
    "named",
    "phone_of",
    "quickest",
    "recovery_addresses",
    "shown_by",
    "vouching_phone",
]


class CaseKind(Enum):
    """What was lost."""

    FACTOR = "factor"
    MAILBOX = "mailbox"
    EVERYTHING = "everything"


class Shown(Enum):
    """What somebody can show for it that they are the owner."""

    TWO_FACTORS = "two_factors"
    PASSWORD = "password"  # noqa: S105  (the name of a proof)
    MAILBOX_CODE = "mailbox_code"
    PHONE_CODE = "phone_code"
    RECOVERY_ADDRESS = "recovery_address"
    TWO_AGENTS = "two_agents"


@attrs.frozen
class ProofSet:
    """Proofs that together open a case of a kind; *wait* answers how long it waits then, None if that isn't offered."""

    kind: CaseKind
    shown: frozenset[Shown]
    wait: Callable[[CasePolicy], timedelta | None]


PROOF_SETS: Final = (
    ProofSet(
        CaseKind.FACTOR,
        frozenset({Shown.PASSWORD, Shown.MAILBOX_CODE, Shown.PHONE_CODE}),
        lambda p: p.factor_by_two_methods,
    ),
    ProofSet(CaseKind.FACTOR, frozenset({Shown.PASSWORD, Shown.MAILBOX_CODE}), lambda p: p.factor_by_mailbox),
    ProofSet(CaseKind.MAILBOX, frozenset({Shown.TWO_FACTORS}), lambda p: p.mailbox_by_two_factors),
    ProofSet(
        CaseKind.MAILBOX, frozenset({Shown.PASSWORD, Shown.RECOVERY_ADDRESS}), lambda p: p.mailbox_by_recovery_address
    ),
    ProofSet(CaseKind.MAILBOX, frozenset({Shown.PASSWORD, Shown.PHONE_CODE}), lambda p: p.mailbox_by_phone),
    ProofSet(CaseKind.EVERYTHING, frozenset({Shown.TWO_AGENTS}), lambda p: p.everything_by_agents),
)
"""What opens which case."""


class EvidenceKind(Enum):
    """What an agent can check."""

    ORDER_AND_POSTAL_CODE = "order_and_postal_code"
    ORDER_AMOUNT_AND_DATE = "order_amount_and_date"
    PAYMENT_METHOD_END = "payment_method_end"
    DOCUMENT = "document"


@described(data_class="security", default=impersonal("closed words"))
@attrs.frozen
class Evidence:
    """What an agent checked, and whether it was right; never what it was."""

    kind: EvidenceKind
    right: bool


def shown_by(auth: AuthContext, policy: CasePolicy, now: datetime) -> frozenset[Shown]:
    """Answer what a session shows by its own fresh proofs."""
    fresh = tuple(proof for proof in auth.proofs if now - proof.at < policy.proofs_within)
    shown = {
        Shown.TWO_FACTORS: level_of(fresh) >= Level.MULTI,
        Shown.PASSWORD: any(proof.method is Method.PASSWORD for proof in fresh),
    }
    return frozenset(what for what, holds in shown.items() if holds)


def recovery_addresses(
    customer: Customer, lost: ContactPoint, policy: CasePolicy, now: datetime
) -> tuple[EmailAddress, ...]:
    """Answer the addresses that vouch for the owner of a lost mailbox: proven for recovery, and not just now."""
    wait = policy.mailbox_by_recovery_address
    return tuple(
        contact.value
        for contact in customer.contacts_for(ContactRole.RECOVERY)
        if wait is not None and contact.verified is not None and now - contact.verified.at >= wait
        if isinstance(contact.value, EmailAddress) and contact.key != lost.key
    )


def mailbox_of(customer: Customer) -> ContactPoint | None:
    """Answer where a code for a lost second factor is mailed: to the address that signs in, or one for recovery."""
    kinds = (ContactRole.LOGIN, ContactRole.RECOVERY)
    proven = (contact for role in kinds for contact in customer.contacts_for(role))
    return next((contact for contact in proven if isinstance(contact.value, EmailAddress)), None)


def phone_of(customer: Customer, own: Authenticators | None, policy: CasePolicy, now: datetime) -> ContactPoint | None:
    """Answer the phone that vouches for the owner of a lost second factor: it is none itself, and not just proven."""
    factors = {factor.contact for factor in own.factors} if own else set()
    return vouching_phone(customer, policy.factor_by_two_methods, now, besides=factors)


def vouching_phone(
    customer: Customer, wait: timedelta | None, now: datetime, besides: Collection[str | None] = ()
) -> ContactPoint | None:
    """Answer the phone that one signs in or recovers by, if it was proven as long ago as a case is going to wait."""
    kinds = (ContactRole.LOGIN, ContactRole.RECOVERY)
    proven = (contact for role in kinds for contact in customer.contacts_for(role) if contact.id not in besides)
    return next(
        (
            contact
            for contact in proven
            if wait is not None and contact.verified is not None and now - contact.verified.at >= wait
            if isinstance(contact.value, PhoneNumber)
        ),
        None,
    )


def quickest(kind: CaseKind, shown: Iterable[Shown], policy: CasePolicy) -> tuple[ProofSet, timedelta]:
    """Answer the proof set that makes wait least, of those that are complete, and how long that is.

    Raises:
        ProofsMissing: None is; what is missing of the one that lacks least is named.
    """
    given = frozenset(shown)
    offered = [(one, wait) for one in PROOF_SETS if one.kind is kind and (wait := one.wait(policy)) is not None]
    complete = [(one, wait) for one, wait in offered if one.shown <= given]
    if not complete:
        near = sorted((one.shown for one, _ in offered), key=lambda shown: (len(shown - given), -len(shown)))
        raise ProofsMissing(needed=named(near[0] - given) if near else ())
    return min(complete, key=lambda pair: pair[1])


def named(shown: Iterable[Shown]) -> tuple[str, ...]:
    """Answer the names of proofs, in order."""
    return tuple(sorted(what.value for what in shown))


def check_evidence(evidence: Iterable[Evidence], policy: CasePolicy) -> tuple[Evidence, ...]:
    """Answer what was checked, if enough of it was right.

    Raises:
        EvidenceInsufficient: It isn't.
    """
    checked = tuple(evidence)
    if len({one.kind for one in checked if one.right}) < policy.least_evidence:
        raise EvidenceInsufficient
    return checked
