"""Which policies a shop takes that has to meet a standard, and where a shop's own policies are weaker than one.

There are five profiles. ``shop-default`` is for shops that answer to nobody but their customers; the others are named
after a level of OWASP ASVS 5.0.0 or of NIST SP 800-63B-4. A profile is a set of policies with a name. A shop may change
any of them: ``deviations`` then tells what it does less than a standard's profile, in the standard's own numbering, and
``check`` refuses what no exception could justify.
"""

from datetime import timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.deviations import ROWS, links_by_address, said
from shopaccounts.kernel.assurance import Level, Operation, Requirement
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.policy import Deviation, require
from shopaccounts.passwords import BreachPolicy, OnOutage, PasswordPolicy
from shopaccounts.recovery import CasePolicy, ResetPolicy, SecondFactorAt
from shopaccounts.settings import Adapters, Policies
from shopaccounts.signin import (
    ActingScope,
    AttemptPolicy,
    CodeSignInPolicy,
    CodeWay,
    DevicePolicy,
    FactorKind,
    IdleReauth,
    ImpersonationPolicy,
    PasskeyPolicy,
    RecoveryCodePolicy,
    SecondFactorMode,
    SecondFactorPolicy,
    SessionPolicy,
    StepUpPolicy,
    TotpPolicy,
)

__all__ = ["AssuranceProfile"]

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_EIGHT: Final = 8


@attrs.frozen(kw_only=True)
class AssuranceProfile:
    """Every policy of a shop, by the name of the standard that they were chosen for.

    Change what your shop needs with ``attrs.evolve(profile, policies=attrs.evolve(profile.policies, ...))``.

    Args:
        name: ``shop-default``, ``asvs-l1``, ``asvs-l2``, ``nist-aal1`` or ``nist-aal2``.
        policies: Give them to ``ShopAccounts(policies=...)``.
    """

    name: str
    policies: Policies

    @classmethod
    def named(cls, name: str) -> "AssuranceProfile":
        """Answer a profile as the library ships it.

        Raises:
            BadPolicy: There is no profile of that name.
        """
        require(name in _PROFILES, f"there is no profile {name!r}, but {', '.join(_PROFILES)}")
        return cls(name=name, policies=_PROFILES[name]())

    @classmethod
    def shop_default(cls) -> "AssuranceProfile":
        """Answer the profile for shops that answer to nobody but their customers: every policy's defaults."""
        return cls.named("shop-default")

    def with_eight_characters(self) -> "AssuranceProfile":
        """Answer this profile with passwords of 8 characters, which ASVS 6.2.1 allows and NIST 3.1.1.2(1) doesn't."""
        shorter = attrs.evolve(self.policies.passwords, min_single_factor=_EIGHT)
        return attrs.evolve(self, policies=attrs.evolve(self.policies, passwords=shorter))

    def with_clock_drift(self) -> "AssuranceProfile":
        """Answer this profile with codes of apps that count half a minute longer, as RFC 6238 5.2 allows for clocks.

        ASVS 6.5.5 wants them to count for 30 seconds.
        """
        drifting = attrs.evolve(self.policies.totp, past_steps=1, future_steps=1)
        return attrs.evolve(self, policies=attrs.evolve(self.policies, totp=drifting))

    def with_passkeys(self, passkeys: PasskeyPolicy) -> "AssuranceProfile":
        """Answer this profile with passkeys for the shop's domain, as strict as its standard wants them.

        Args:
            passkeys: Whose they are, and all that standards leave to the shop.
        """
        strict = self.name in _COUNTERS_REFUSED
        chosen = attrs.evolve(passkeys, counter="refuse") if strict else passkeys
        return attrs.evolve(self, policies=attrs.evolve(self.policies, passkeys=chosen))

    def asvs_l3_overlay(self) -> "AssuranceProfile":
        """Answer this profile with what ASVS asks for at its third level.

        Nothing that is sent opens an account or is a second step, passkeys verify their users, a session stays with its
        browser, and goods that a stored payment pays go to a new address only after a fresh proof.

        Raises:
            BadPolicy: There are no passkeys: name the shop's domain by ``with_passkeys`` first. [ASVS 6.3.3]
        """
        passkeys, rules = self.policies.passkeys, self.policies.step_up.rules
        if passkeys is None:
            raise BadPolicy(_NO_PASSKEYS)
        shipping = Requirement(level=Level.MULTI, max_age=min(rule.max_age for rule in rules.values()))
        policies = attrs.evolve(
            self.policies,
            code_sign_in=attrs.evolve(self.policies.code_sign_in, ways=frozenset()),
            second_factor=attrs.evolve(self.policies.second_factor, kinds=_NOT_SENT),
            passkeys=attrs.evolve(passkeys, user_verification="required"),
            sessions=attrs.evolve(self.policies.sessions, pin_agent=True),
            step_up=StepUpPolicy(rules={**rules, Operation.SHIP_TO_NEW_ADDRESS: shipping}),
        )
        return attrs.evolve(self, policies=policies)

    def check(self, adapters: Adapters) -> None:
        """Refuse, at start-up, what this profile forbids and adapters that it can't do without.

        Args:
            adapters: Those that the shop is built with.

        Raises:
            BadPolicy: Hashes that protect nobody, secrets that may travel unencrypted, leaked passwords to be refused
                with no list to ask; in a standard's profile also reminders of a password's age, and security questions;
                beyond the first level of ASVS accounts that are linked by their address; in the profile of NIST's
                second level no passkeys.
        """
        passwords, transport = self.policies.passwords, self.policies.transport
        require(not passwords.hashing.for_tests, "a hash for tests protects nobody's password")
        require(transport.require_secure, "secrets travel over TLS [ASVS 12.2.1, NIST 5.1]")
        listed = passwords.breach is None or adapters.breached_passwords is not None
        require(listed, "leaked passwords are refused, but Adapters(breached_passwords=...) is missing")
        if self.name in _STANDARDS:
            age = "no standard's profile reminds people of a password's age [NIST 3.1.1.2(6), ASVS 6.2.10]"
            require(passwords.remind_after is None, age)
            asked = "no standard's profile asks security questions [NIST 3.1.1.2(8), ASVS 6.4.2]"
            require(not self.policies.questions.enabled, asked)
        linked = self.name in _NEVER_LINKED and links_by_address(self.policies)
        require(not linked, "no provider opens accounts by their address alone in this profile [ASVS 6.8.1]")
        unphishable = self.name != "nist-aal2" or self.policies.passkeys is not None
        require(unphishable, _NO_PASSKEYS)

    def deviations(self, standard: str) -> tuple[Deviation, ...]:
        """Answer every value that is weaker than in the profile of a standard.

        Args:
            standard: ``asvs-l1``, ``asvs-l2``, ``nist-aal1`` or ``nist-aal2``.

        Returns:
            Each with the standard's requirement, or with "house" where the standard leaves the value to the shop.

        Raises:
            BadPolicy: There is no such standard.
        """
        require(standard in _STANDARDS, f"there is no standard {standard!r}, but {', '.join(_STANDARDS)}")
        asked = _PROFILES[standard]()
        found = ((row, row.value(self.policies), row.value(asked)) for row in ROWS)
        passkeys = self.policies.passkeys
        flags = passkeys is not None and passkeys.counter == "flag" and standard in _COUNTERS_REFUSED
        return ((_CLONED,) if flags else ()) + tuple(
            Deviation(row.rule(standard), f"{row.what}: {said(ours)}, asked for {said(theirs)}")
            for row, ours, theirs in found
            if not row.enough(ours, theirs)
        )


# --- The profiles ----------------------------------------------------------------------------------------------------


def _asvs_l1() -> Policies:
    return Policies(passwords=PasswordPolicy(min_single_factor=_EIGHT))


def _asvs_l2() -> Policies:
    return Policies(
        passwords=_REFUSING,
        sessions=SessionPolicy(idle=_HOUR, absolute=_DAY, remembers=False),
        step_up=StepUpPolicy().within(5 * _MINUTE),
        second_factor=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED, kinds=_FACTORS),
        totp=TotpPolicy(past_steps=0, future_steps=0),
        devices=_UNTRUSTED,
        resets=_BY_LINK_AND_FACTOR,
        cases=attrs.evolve(_BY_TWO_FACTORS, factor_by_mailbox_takes_agent=True),
        impersonation=_LOOKING,
    )


def _nist_aal1() -> Policies:
    return Policies(
        passwords=_REFUSING,
        sessions=SessionPolicy(idle=_DAY, absolute=30 * _DAY, remembers=False),
        step_up=StepUpPolicy().within(5 * _MINUTE),
        code_sign_in=CodeSignInPolicy(ways=frozenset({CodeWay.SMS_CODE, CodeWay.VOICE})),
        second_factor=SecondFactorPolicy(kinds=_FACTORS),
        recovery_codes=RecoveryCodePolicy(replace_used=True),
        devices=_UNTRUSTED,
        attempts=_DISABLING,
        resets=_BY_LINK_AND_FACTOR,
        cases=_BY_TWO_FACTORS,
        impersonation=_LOOKING,
    )


def _nist_aal2() -> Policies:
    sessions = SessionPolicy(idle=_HOUR, absolute=_DAY, remembers=False, idle_reauth=IdleReauth.ANY_FACTOR)
    nobody = ImpersonationPolicy(scopes=frozenset())
    return attrs.evolve(
        _nist_aal1(),
        sessions=sessions,
        code_sign_in=CodeSignInPolicy(ways=frozenset()),
        second_factor=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED, kinds=_FACTORS),
        impersonation=nobody,
    )


_NO_PASSKEYS: Final = "passkeys are offered: name the shop's domain by with_passkeys(...) [NIST 2.2.2, ASVS 6.3.3]"
_REFUSING: Final = PasswordPolicy(breach=BreachPolicy(on_outage=OnOutage.REFUSE))
_BY_TWO_FACTORS: Final = CasePolicy(
    factor_by_two_methods=timedelta(0), mailbox_by_recovery_address=None, mailbox_by_phone=None
)
_BY_LINK_AND_FACTOR: Final = ResetPolicy(second_factor_at=SecondFactorAt.RESET)
_FACTORS: Final = frozenset(FactorKind) - {FactorKind.EMAIL_STEP}
_NOT_SENT: Final = _FACTORS - {FactorKind.SMS}
_UNTRUSTED: Final = DevicePolicy(trusted_for=None)
_LOOKING: Final = ImpersonationPolicy(scopes=frozenset({ActingScope.READ_ONLY}))
_DISABLING: Final = AttemptPolicy(
    password=Wait(free=5, base=timedelta(seconds=30), cap=_HOUR, forget_after=None, disable_after=100)
)
_COUNTERS_REFUSED: Final = frozenset({"asvs-l2", "nist-aal2"})
"""Profiles in which a passkey whose counter stood still opens nothing."""
_CLONED: Final = Deviation("house", "passkeys whose counter stood still are refused: no, asked for yes")
_NEVER_LINKED: Final = frozenset({"asvs-l2", "nist-aal1", "nist-aal2"})
"""Profiles in which no provider opens an account that wasn't linked by its owner."""
_STANDARDS: Final = ("asvs-l1", "asvs-l2", "nist-aal1", "nist-aal2")
_PROFILES: Final = MappingProxyType(
    {
        "shop-default": Policies,
        "asvs-l1": _asvs_l1,
        "asvs-l2": _asvs_l2,
        "nist-aal1": _nist_aal1,
        "nist-aal2": _nist_aal2,
    }
)
