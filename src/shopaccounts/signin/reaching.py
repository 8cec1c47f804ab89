"""What an account can be opened with, how far that reaches, and what is asked for after the first proof.

* A way in counts only if it could be used right now. What would take the last one is refused. [NIST SP 800-63B-4 4.2]
* An account reaches two factors with a passkey that verifies its user, or with a password and something one has. The
  mailbox adds nothing to that. Recovery codes count too: else whoever has a second step disabled, by failing at it
  often enough, would be asked for less from then on. [NIST SP 800-63B-4 2.2; OWASP ASVS 6.6]
* Who has enrolled a second step is asked for one after the first proof, unless that was as good as two. What shows the
  same once more, such as a code to the phone that just got one, is no second step.
* A second step that was disabled is still asked for: an account that has one is never opened without. A kind that the
  shop gave up is not.
* Who has a second step shows one of them before any is added, replaced or removed, codes are renewed, or a password is
  set or removed: a session and a password alone change none. Codes by mail count only where there is nothing stronger,
  and a recovery code always counts. A step that was disabled can't be shown; a recovery code, or the way back for lost
  factors, can take it away. [OWASP Multifactor Authentication Cheat Sheet]
* A password may be shorter only where something beyond e-mail is asked for after it. A passkey that opens the account
  but is asked of nobody protects no password. [NIST SP 800-63B-4 3.1.1.2(1)]
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import ContactRole, Customer, is_verified
from shopaccounts.kernel.assurance import (
    BY_MAILBOX,
    KIND_OF,
    AuthContext,
    Level,
    Method,
    Proof,
    Requirement,
    WayIn,
    level_of,
    would_do,
)
from shopaccounts.kernel.contact import ContactKind, mask
from shopaccounts.kernel.errors import FreshSignInNeeded
from shopaccounts.kernel.ids import ContactId
from shopaccounts.passwords import NewPassword, PasswordPolicy, PasswordRecord, check_factor_may_go
from shopaccounts.signin.authenticators import Authenticators, Factor, FactorKind, Passkey
from shopaccounts.signin.errors import LastWayIn
from shopaccounts.signin.factor_policy import SecondFactorMode, SecondFactorPolicy
from shopaccounts.signin.model import FactorOption

__all__ = ["Asked", "Offered"]

_HAVING = frozenset({FactorKind.TOTP, FactorKind.SMS})
"""Kinds that are something one has, and make two factors with a password."""
_ALONE = frozenset({Method.SMS_CODE, Method.PASSKEY})
"""First proofs of something one has: a password is a second factor to them."""

_SHOWN_BY: Final[Mapping[FactorKind, frozenset[Method]]] = MappingProxyType(
    {
        FactorKind.TOTP: frozenset({Method.TOTP}),
        FactorKind.SMS: frozenset({Method.SMS_CODE}),
        FactorKind.EMAIL_STEP: BY_MAILBOX,
        FactorKind.PASSKEY: frozenset({Method.PASSKEY}),
    }
)
_QUARTER: Final = timedelta(minutes=15)


@attrs.frozen(kw_only=True)
class Asked:
    """A second step is asked for; without options only the way back for lost factors is left."""

    options: tuple[FactorOption, ...]


@attrs.frozen(kw_only=True)
class Offered:
    """What the shop offers to get in by.

    Args:
        ways: The ways in that don't need anything enrolled, and passkeys.
        factors: Which second steps there are.
        providers: The providers that are switched on.
        closed: Of those that are switched off, whose sessions have ended with that.
    """

    ways: frozenset[WayIn]
    factors: SecondFactorPolicy
    providers: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    def usable_factors(self, own: Authenticators | None, customer: Customer) -> tuple[Factor, ...]:
        """Answer the factors that can be used now: offered, not disabled, and their contact verified."""
        if own is None:
            return ()
        verified = {contact.id for contact in customer.contacts if is_verified(contact)}
        return tuple(
            factor
            for factor in self._asked_for(own)
            if not factor.is_disabled and (factor.contact is None or factor.contact in verified)
        )

    def usable_passkeys(self, own: Authenticators | None) -> tuple[Passkey, ...]:
        """Answer the passkeys that can be used now."""
        if own is None or WayIn.PASSKEY not in self.ways:
            return ()
        return tuple(passkey for passkey in own.passkeys if not passkey.is_disabled)

    def can_reach(self, customer: Customer, own: Authenticators | None, password: PasswordRecord | None) -> Level:
        """Answer the highest level that the account's usable ways in add up to, recovery codes among them."""
        passkeys = self.usable_passkeys(own)
        factors = any(factor.kind in _HAVING for factor in self.usable_factors(own, customer))
        replaced = self._has_codes(own) and bool(self._asked_for(own) or self._passkeys_asked_for(own))
        having = bool(passkeys) or factors or replaced
        if any(passkey.user_verified for passkey in passkeys) or (having and _is_usable(password)):
            return Level.MULTI
        return Level.SINGLE

    def methods(
        self, customer: Customer, own: Authenticators | None, password: PasswordRecord | None, auth: AuthContext
    ) -> tuple[Method, ...]:
        """Answer with which one proof more a session would stand at the highest level that the account can reach."""
        asked = self.can_reach(customer, own, password)
        kinds = {factor.kind for factor in self.usable_factors(own, customer)}
        passkeys = self.usable_passkeys(own)
        verified = any(passkey.user_verified for passkey in passkeys)
        usable = {
            Method.PASSWORD: _is_usable(password),
            Method.PASSKEY: bool(passkeys),
            Method.TOTP: FactorKind.TOTP in kinds,
            Method.SMS_CODE: FactorKind.SMS in kinds,
            Method.RECOVERY_CODE: self._has_codes(own),
            Method.EMAIL_CODE: customer.sign_in_email is not None and WayIn.EMAIL in self.ways,
            Method.PROVIDER: any(identity.provider in self.providers for identity in own.identities) if own else False,
        }
        return tuple(
            method
            for method, is_usable in usable.items()
            if is_usable and would_do(auth.proofs, _proof(method, auth, verified=verified), asked)
        )

    def ways_in(
        self, customer: Customer, own: Authenticators | None, password: PasswordRecord | None
    ) -> frozenset[WayIn]:
        """Answer how the account could be opened right now."""
        names = customer.contacts_for(ContactRole.LOGIN)
        kinds = {contact.kind for contact in names}
        identities = own.identities if own else ()
        usable = {
            WayIn.PASSWORD: _is_usable(password) and bool(names or customer.username),
            WayIn.PASSKEY: bool(self.usable_passkeys(own)),
            WayIn.PROVIDER: any(identity.provider in self.providers for identity in identities),
            WayIn.EMAIL: WayIn.EMAIL in self.ways and ContactKind.EMAIL in kinds,
            WayIn.SMS: WayIn.SMS in self.ways and ContactKind.PHONE in kinds,
        }
        return frozenset(way for way, is_usable in usable.items() if is_usable)

    def check_way_stays(
        self, customer: Customer, own: Authenticators | None, password: PasswordRecord | None
    ) -> frozenset[WayIn]:
        """Answer the ways in that are left after something went.

        Raises:
            LastWayIn: There are none.
        """
        left = self.ways_in(customer, own, password)
        if not left:
            raise LastWayIn
        return left

    def check_factor_shown(
        self, own: Authenticators | None, auth: AuthContext, rule: Requirement | None, now: datetime
    ) -> None:
        """Check that a session has shown one of the account's second steps lately; who has none shows none.

        Args:
            own: What the account has enrolled.
            auth: What the session has shown.
            rule: How long ago at most; None is 15 minutes.
            now: When it is asked.

        Raises:
            FreshSignInNeeded: It has not.
        """
        showing, max_age = self._showing(own), rule.max_age if rule else _QUARTER
        if showing and not any(now - proof.at < max_age and _shows(proof, showing) for proof in auth.proofs):
            methods = tuple(method.value for method in Method if method in showing)
            raise FreshSignInNeeded(int(Level.MULTI), max_age, methods)

    def must_enrol(self, own: Authenticators | None, proofs: Iterable[Proof]) -> bool:
        """Tell whether somebody with these proofs has to enrol a second factor before anything else."""
        if self.factors.mode is not SecondFactorMode.REQUIRED or level_of(proofs) >= Level.MULTI:
            return False
        return self.password_reaches(own) < Level.MULTI

    def password_reaches(self, own: Authenticators | None) -> Level:
        """Answer how far a sign-in with the password gets, by what is asked for after it; the mailbox adds nothing."""
        factors = any(factor.kind in _HAVING for factor in self._asked_for(own))
        return Level.MULTI if factors or self._passkeys_asked_for(own) else Level.SINGLE

    def check_password_suffices(
        self,
        own: Authenticators | None,
        after: Authenticators | None,
        record: PasswordRecord | None,
        policy: PasswordPolicy,
        new: NewPassword | None = None,
    ) -> None:
        """Check that the last second step beyond e-mail goes only where the password may open the account alone.

        Args:
            own: What the account has enrolled.
            after: What would be left of it.
            record: Its password; None if it has none.
            policy: How long a password is that opens an account alone.
            new: A password that comes in its place at the same time.

        Raises:
            FactorProtectsShortPassword: The password that stays is too short.
        """
        if self.password_reaches(after) < self.password_reaches(own):
            check_factor_may_go(record, policy, new)

    def second_step(
        self,
        customer: Customer,
        own: Authenticators | None,
        password: PasswordRecord | None,
        proofs: tuple[Proof, ...],
        shown: frozenset[str] = frozenset(),
    ) -> Asked | None:
        """Answer what is asked for after the first proof; None if that was enough.

        Args:
            customer: Whose account it is.
            own: What the account has enrolled.
            password: Its password.
            proofs: What was proven.
            shown: The passkey, or the contact that a code went to, that proved it.
        """
        factors, passkeys = self._asked_for(own), self._passkeys_asked_for(own)
        if own is None or level_of(proofs) >= Level.MULTI or not (factors or passkeys):
            return None
        methods = {proof.method for proof in proofs}
        others = tuple(factor for factor in factors if not _shows_the_same(factor, methods, shown))
        more = tuple(passkey for passkey in passkeys if passkey.id not in shown)
        by_password = (FactorOption(kind=WayIn.PASSWORD.value),) if methods <= _ALONE and _is_usable(password) else ()
        if not others and not more:
            return Asked(options=by_password) if by_password else None
        return Asked(options=(*self._options(customer, own, others, more), *by_password))

    def _showing(self, own: Authenticators | None) -> frozenset[Method]:
        """Answer by which methods a second step of this account is shown; by none if it has none."""
        passkeys = {FactorKind.PASSKEY} if self._passkeys_asked_for(own) else set[FactorKind]()
        kinds = {factor.kind for factor in self._asked_for(own)} | passkeys
        if kinds - {FactorKind.EMAIL_STEP}:
            kinds -= {FactorKind.EMAIL_STEP}
        by_kind = frozenset[Method]().union(*(_SHOWN_BY[kind] for kind in kinds))
        return by_kind | {Method.RECOVERY_CODE} if kinds else by_kind

    def _asked_for(self, own: Authenticators | None) -> tuple[Factor, ...]:
        return tuple(factor for factor in own.factors if self.factors.offers(factor.kind)) if own else ()

    def _passkeys_asked_for(self, own: Authenticators | None) -> tuple[Passkey, ...]:
        return own.passkeys if own and self.factors.offers(FactorKind.PASSKEY) else ()

    def _options(
        self, customer: Customer, own: Authenticators, factors: tuple[Factor, ...], passkeys: tuple[Passkey, ...]
    ) -> tuple[FactorOption, ...]:
        usable = self.usable_factors(own, customer)
        has_passkey = any(passkey in passkeys for passkey in self.usable_passkeys(own))
        return (
            *((FactorOption(kind=FactorKind.PASSKEY.value),) if has_passkey else ()),
            *(_option(factor, customer) for factor in factors if factor in usable),
            *((FactorOption(kind=FactorKind.RECOVERY_CODES.value),) if self._has_codes(own) else ()),
        )

    def _has_codes(self, own: Authenticators | None) -> bool:
        codes = own.recovery_codes if own and self.factors.offers(FactorKind.RECOVERY_CODES) else None
        return codes is not None and codes.left > 0


def _proof(method: Method, auth: AuthContext, *, verified: bool) -> Proof:
    kind = KIND_OF[method]
    return Proof(
        method=method, kind=kind, at=auth.authenticated_at, user_verified=verified and method is Method.PASSKEY
    )


def _option(factor: Factor, customer: Customer) -> FactorOption:
    return FactorOption(
        kind=factor.kind.value, factor=factor.id, label=factor.label, hint=_hint(factor.contact, customer)
    )


def _hint(contact: ContactId | None, customer: Customer) -> str:
    return next((mask(point.value) for point in customer.contacts if point.id == contact), "")


def _shows_the_same(factor: Factor, methods: set[Method], shown: frozenset[str]) -> bool:
    """Tell whether a code of this factor would only show once more what was shown already."""
    if factor.kind is FactorKind.EMAIL_STEP:
        return bool(methods & BY_MAILBOX)
    return factor.kind is FactorKind.SMS and factor.contact in shown


def _shows(proof: Proof, showing: frozenset[Method]) -> bool:
    return proof.method in showing or proof.strong is Level.MULTI


def _is_usable(password: PasswordRecord | None) -> bool:
    return password is not None and not password.is_disabled
