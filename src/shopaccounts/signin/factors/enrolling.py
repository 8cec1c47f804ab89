"""What an account may enrol, and what it needs for that.

* Who enrols has a proven address or number: somebody has to hear of it.
* An enrolment waits a quarter of an hour for its first value, and is dropped then.
* The first second step beyond e-mail brings recovery codes along, and the last one takes them away.
* A phone stands beside something stronger, where the shop's policy says so.

[NIST SP 800-63B-4 4.1.2.1, 4.5; OWASP Multifactor Authentication Cheat Sheet; OWASP ASVS 6.5.6, 6.6.1]
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import ContactPoint, Customer, is_verified
from shopaccounts.kernel.contact import ContactKind, mask
from shopaccounts.kernel.errors import Rejected
from shopaccounts.signin.authenticators import Authenticators, Enrolling, Factor, FactorKind
from shopaccounts.signin.errors import EnrolmentEnded, EnrolmentNeedsVerifiedContact, TooManyFactors, WayNotOffered
from shopaccounts.signin.factor_policy import SecondFactorPolicy
from shopaccounts.signin.factors.model import FactorOffer

__all__ = [
    "ENROLMENT_LIFE",
    "MOST_FACTORS",
    "account_name",
    "begun",
    "check_may_enrol",
    "confirmed",
    "dropped",
    "has_more_than_email",
    "offers",
    "waiting",
    "with_codes_for_something",
    "without",
]

ENROLMENT_LIFE: Final = timedelta(minutes=15)
MOST_FACTORS: Final = 20
_MORE_THAN_EMAIL: Final = frozenset({FactorKind.TOTP, FactorKind.SMS, FactorKind.PASSKEY})
_WARNINGS: Final = MappingProxyType({FactorKind.SMS: "sms_is_weaker"})


def has_more_than_email(own: Authenticators | None) -> bool:
    """Tell whether the account has a second step that is more than one's mailbox."""
    return own is not None and (bool(own.passkeys) or any(factor.kind in _MORE_THAN_EMAIL for factor in own.factors))


def check_may_enrol(
    customer: Customer, own: Authenticators | None, kind: FactorKind, policy: SecondFactorPolicy
) -> None:
    """Check that a second step of this kind may be enrolled.

    Raises:
        WayNotOffered: The shop doesn't offer it, or not to who has nothing stronger.
        EnrolmentNeedsVerifiedContact: Nothing of the account is proven.
        TooManyFactors: The account has as many as it may have.
    """
    if not policy.offers(kind):
        raise WayNotOffered(kind.value)
    if not any(is_verified(contact) for contact in customer.contacts):
        raise EnrolmentNeedsVerifiedContact
    if own is not None and len(own.factors) >= MOST_FACTORS:
        raise TooManyFactors(MOST_FACTORS)
    if kind is FactorKind.SMS and policy.sms_needs_alternative and not _has_stronger_than_sms(own):
        raise WayNotOffered(kind.value)


def begun(own: Authenticators, factor: Factor, now: datetime) -> Authenticators:
    """Answer the row with *factor* waiting for its first value; what waited before is dropped."""
    return attrs.evolve(own, enrolling=Enrolling(factor=factor, begun_at=now, expires_at=now + ENROLMENT_LIFE))


def waiting(own: Authenticators | None, now: datetime) -> Factor:
    """Answer the factor that waits for its first value.

    Raises:
        EnrolmentEnded: None does, or it waited too long.
    """
    if own is None or own.enrolling is None or now >= own.enrolling.expires_at:
        raise EnrolmentEnded
    return own.enrolling.factor


def confirmed(own: Authenticators, factor: Factor, now: datetime) -> Authenticators:
    """Answer the row with *factor* among the others, used for the first time; nothing waits any more."""
    active = attrs.evolve(factor, created_at=now, last_used_at=now)
    return attrs.evolve(own, factors=(*own.factors, active), enrolling=None)


def dropped(own: Authenticators) -> Authenticators:
    """Answer the row without what waited too long."""
    return attrs.evolve(own, enrolling=None)


def without(own: Authenticators, ids: Collection[str]) -> Authenticators:
    """Answer the row without these factors, passkeys and identities, and without factors of these contacts."""
    left = attrs.evolve(
        own,
        factors=tuple(factor for factor in own.factors if factor.id not in ids and factor.contact not in ids),
        passkeys=tuple(passkey for passkey in own.passkeys if passkey.id not in ids),
        identities=tuple(identity for identity in own.identities if identity.id not in ids),
    )
    return with_codes_for_something(left) if left != own else own


def with_codes_for_something(own: Authenticators) -> Authenticators:
    """Answer the row without recovery codes where they would stand in for nothing."""
    return own if has_more_than_email(own) else attrs.evolve(own, recovery_codes=None)


def offers(
    customer: Customer,
    own: Authenticators | None,
    policy: SecondFactorPolicy,
    reaches: Callable[[ContactPoint], bool],
) -> tuple[FactorOffer, ...]:
    """Answer what may be added just now; passkeys have offers of their own.

    Args:
        customer: By whom.
        own: What the account has enrolled.
        policy: What the shop offers.
        reaches: Whether the shop can send codes to a contact.
    """
    taken = {factor.contact for factor in own.factors} if own else set()
    points = [one for one in customer.contacts if is_verified(one) and one.id not in taken and reaches(one)]
    phones = [_offer(FactorKind.SMS, one) for one in points if one.kind is ContactKind.PHONE]
    mailbox = [_offer(FactorKind.EMAIL_STEP, one) for one in points if one.value == customer.sign_in_email]
    wanted = (FactorOffer(kind=FactorKind.TOTP), *phones, *mailbox)
    return tuple(offer for offer in wanted if _may_enrol(customer, own, offer.kind, policy))


def account_name(customer: Customer) -> str:
    """Answer how an app may call an account without telling whose it is: its proven address or number, masked."""
    proven = [contact.value for contact in customer.contacts if is_verified(contact)]
    return next((mask(value) for value in (customer.sign_in_email, *proven) if value is not None), "")


def _offer(kind: FactorKind, point: ContactPoint) -> FactorOffer:
    return FactorOffer(kind=kind, contact=point.id, hint=mask(point.value), warning=_WARNINGS.get(kind, ""))


def _may_enrol(customer: Customer, own: Authenticators | None, kind: FactorKind, policy: SecondFactorPolicy) -> bool:
    try:
        check_may_enrol(customer, own, kind, policy)
    except Rejected:
        return False
    return True


def _has_stronger_than_sms(own: Authenticators | None) -> bool:
    usable = own is not None and any(f.kind is FactorKind.TOTP and not f.is_disabled for f in own.factors)
    return usable or (own is not None and any(not passkey.is_disabled for passkey in own.passkeys))
