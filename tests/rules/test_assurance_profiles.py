"""The five profiles hold what their standards ask for, and tell where a shop does less."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts import Adapters, AssuranceProfile, Policies
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.deviations import ROWS
from shopaccounts.kernel.assurance import Level, Operation, Requirement
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.limits import Wait, Window
from shopaccounts.kernel.request import TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.sending import SendPolicy
from shopaccounts.passwords import Argon2Profile, BreachPolicy, OnOutage, PasswordPolicy, PasswordRule
from shopaccounts.providers import AutoLink, ProviderConfig, ProviderPolicy, TrustsEmail
from shopaccounts.recovery import CasePolicy, SecondFactorAt, SecurityQuestionsPolicy
from shopaccounts.registration import ConfirmOld, ContactChangePolicy, RegistrationPolicy
from shopaccounts.signin import (
    ActingScope,
    AttemptPolicy,
    CodeSignInPolicy,
    CodeWay,
    FactorKind,
    IdleReauth,
    Overflow,
    PasskeyPolicy,
    RenewalPolicy,
    SecondFactorMode,
    SecondFactorPolicy,
    SessionPolicy,
    StepUpPolicy,
)

PASSKEYS = PasskeyPolicy(rp_id="lamp.example", rp_name="Lampenhaus", origins=("https://lamp.example",))
ALL = ("shop-default", "asvs-l1", "asvs-l2", "nist-aal1", "nist-aal2")
STANDARDS = ALL[1:]
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


def each(**values):
    """One value for each profile, in the order of ``ALL``."""
    return [(name, what, value) for what, row in values.items() for name, value in zip(ALL, row, strict=True)]


def same(value):
    return (value,) * len(ALL)


OPTIONAL, REQUIRED = SecondFactorMode.OPTIONAL, SecondFactorMode.REQUIRED
WAITING = Wait(free=5, base=SECOND, cap=HOUR, forget_after=DAY)
DISABLING = Wait(free=5, base=30 * SECOND, cap=HOUR, forget_after=None, disable_after=100)
TABLE = each(
    shortest_password=(15, 8, 15, 15, 15),
    shortest_with_a_second_factor=same(8),
    longest_password=same(256),
    rules=same(set(PasswordRule)),
    breach_at_sign_in=same(True),
    breach_outage=(OnOutage.ACCEPT_AND_FLAG, OnOutage.ACCEPT_AND_FLAG, *(OnOutage.REFUSE,) * 3),
    history=same(0),
    reminder=same(None),
    hashing=same(Argon2Profile.owasp_46mib()),
    pepper=same(False),
    code=same((10 * MINUTE, 5, 30 * MINUTE)),
    password_waits=(WAITING, WAITING, WAITING, DISABLING, DISABLING),
    network_waits=same(Wait(free=50, base=SECOND, cap=15 * MINUTE, forget_after=HOUR)),
    mails=same(((5, HOUR), (10, DAY), (20, HOUR))),
    remembered=((14 * DAY, 30 * DAY), (14 * DAY, 30 * DAY), None, None, None),
    session=((2 * HOUR, DAY), (2 * HOUR, DAY), (HOUR, DAY), (DAY, 30 * DAY), (HOUR, DAY)),
    second_factor=(OPTIONAL, OPTIONAL, REQUIRED, OPTIONAL, REQUIRED),
    second_factor_kinds=(set(FactorKind), set(FactorKind), *(set(FactorKind) - {FactorKind.EMAIL_STEP},) * 3),
    app_steps=((1, 1), (1, 1), (0, 0), (1, 1), (1, 1)),
    recovery_codes=((10, 120, False), (10, 120, False), (10, 120, False), (10, 120, True), (10, 120, True)),
    mailbox_opens=(True, True, True, False, False),
    phone_opens=(True, True, True, True, False),
    trusted_devices=(30 * DAY, 30 * DAY, None, None, None),
    sms_beside_a_stronger_kind=same(True),
    sign_in_code=same((10 * MINUTE, 10 * MINUTE, 5, 30 * MINUTE)),
    code_waits=same(Wait(free=5, base=30 * SECOND, cap=HOUR, forget_after=DAY)),
    recovery_code_waits=same(Wait(free=5, base=MINUTE, cap=HOUR, forget_after=None)),
    texts=same(((3, HOUR), (5, DAY))),
    reset_code=same(10 * MINUTE),
    factor_waits=same(Wait(free=5, base=30 * SECOND, cap=HOUR, forget_after=None)),
    idle_reauth=(*(IdleReauth.FULL,) * 4, IdleReauth.ANY_FACTOR),
    sessions_at_once=same((50, Overflow.END_OLDEST)),
    renewal=same(None),
    reuse_grace=same(10 * SECOND),
    step_up=(15 * MINUTE, 15 * MINUTE, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE),
    reset_link=same(HOUR),
    verification_link=same(DAY),
    contact_change=same((ConfirmOld.UNLESS_MULTI_FACTOR, DAY, 30 * DAY, 72 * HOUR)),
    impersonation=(set(ActingScope), set(ActingScope), {ActingScope.READ_ONLY}, {ActingScope.READ_ONLY}, set()),
    impersonation_life=same(30 * MINUTE),
    questions=same(False),
    second_factor_at=(*(SecondFactorAt.SIGN_IN,) * 2, *(SecondFactorAt.RESET,) * 3),
    lost_factor=(
        (DAY, 3 * DAY, False),
        (DAY, 3 * DAY, False),
        (timedelta(0), 3 * DAY, True),
        *((timedelta(0), 3 * DAY, False),) * 2,
    ),
    lost_mailbox=((3 * DAY, 7 * DAY), (3 * DAY, 7 * DAY), *((3 * DAY, None),) * 3),
    lost_everything=same(7 * DAY),
    secure_transport=same((True, False)),
)
READ = {
    "shortest_password": lambda p: p.passwords.min_single_factor,
    "shortest_with_a_second_factor": lambda p: p.passwords.min_with_second_factor,
    "longest_password": lambda p: p.passwords.max_length,
    "rules": lambda p: set(p.passwords.rules),
    "breach_at_sign_in": lambda p: p.passwords.breach.at_sign_in,
    "breach_outage": lambda p: p.passwords.breach.on_outage,
    "history": lambda p: p.passwords.history,
    "reminder": lambda p: p.passwords.remind_after,
    "hashing": lambda p: p.passwords.hashing,
    "pepper": lambda p: p.passwords.pepper,
    "code": lambda p: (p.registration.code_life, p.registration.code_tries, p.registration.challenge_life),
    "password_waits": lambda p: p.attempts.password,
    "network_waits": lambda p: p.attempts.network,
    "mails": lambda p: tuple(
        (window.limit, window.per) for window in (p.sends.mailbox_hourly, p.sends.mailbox_daily, p.sends.network_hourly)
    ),
    "remembered": lambda p: p.sessions.lives(remembered=True) if p.sessions.remembers else None,
    "session": lambda p: p.sessions.lives(remembered=False),
    "second_factor": lambda p: p.second_factor.mode,
    "second_factor_kinds": lambda p: set(p.second_factor.kinds),
    "app_steps": lambda p: (p.totp.past_steps, p.totp.future_steps),
    "recovery_codes": lambda p: (p.recovery_codes.count, p.recovery_codes.bits, p.recovery_codes.replace_used),
    "mailbox_opens": lambda p: CodeWay.EMAIL_CODE in p.code_sign_in.ways and CodeWay.EMAIL_LINK in p.code_sign_in.ways,
    "phone_opens": lambda p: CodeWay.SMS_CODE in p.code_sign_in.ways,
    "trusted_devices": lambda p: p.devices.trusted_for,
    "sms_beside_a_stronger_kind": lambda p: p.second_factor.sms_needs_alternative,
    "sign_in_code": lambda p: (
        p.code_sign_in.code_life,
        p.code_sign_in.link_life,
        p.code_sign_in.tries,
        p.code_sign_in.challenge_life,
    ),
    "code_waits": lambda p: p.code_sign_in.waits,
    "recovery_code_waits": lambda p: p.attempts.recovery_code,
    "texts": lambda p: tuple((window.limit, window.per) for window in (p.sends.phone_hourly, p.sends.phone_daily)),
    "reset_code": lambda p: p.resets.sms_code_life,
    "factor_waits": lambda p: p.attempts.factor,
    "idle_reauth": lambda p: p.sessions.idle_reauth,
    "sessions_at_once": lambda p: (p.sessions.max_sessions, p.sessions.overflow),
    "renewal": lambda p: p.sessions.renewal,
    "reuse_grace": lambda p: (p.sessions.renewal or RenewalPolicy()).reuse_grace,
    "step_up": lambda p: max(rule.max_age for rule in p.step_up.rules.values()),
    "reset_link": lambda p: p.resets.link_life,
    "verification_link": lambda p: p.registration.link_life,
    "contact_change": lambda p: (
        p.contact_changes.confirm_old,
        p.contact_changes.link_life,
        p.contact_changes.undo_window,
        p.contact_changes.hold_after,
    ),
    "impersonation": lambda p: set(p.impersonation.scopes),
    "second_factor_at": lambda p: p.resets.second_factor_at,
    "lost_factor": lambda p: (
        p.cases.factor_by_two_methods,
        p.cases.factor_by_mailbox,
        p.cases.factor_by_mailbox_takes_agent,
    ),
    "lost_mailbox": lambda p: (p.cases.mailbox_by_two_factors, p.cases.mailbox_by_recovery_address),
    "lost_everything": lambda p: p.cases.everything_by_agents,
    "questions": lambda p: p.questions.enabled,
    "impersonation_life": lambda p: p.impersonation.life,
    "secure_transport": lambda p: (p.transport.require_secure, p.transport.allow_loopback),
}


@pytest.mark.parametrize(("name", "what", "expected"), TABLE)
def test_each_profile_has_the_values_of_its_standard(name, what, expected) -> None:
    assert READ[what](AssuranceProfile.named(name).policies) == expected


def test_the_default_of_every_policy_is_the_profile_for_shops() -> None:
    assert AssuranceProfile.shop_default() == AssuranceProfile.named("shop-default")
    assert AssuranceProfile.shop_default().policies == Policies()


@pytest.mark.parametrize("name", ["asvs-l3", "shop", "", "NIST-AAL1"])
def test_a_profile_that_does_not_exist_is_refused_with_those_that_do(name) -> None:
    with pytest.raises(BadPolicy, match="shop-default, asvs-l1, asvs-l2, nist-aal1, nist-aal2"):
        AssuranceProfile.named(name)
    with pytest.raises(BadPolicy, match="asvs-l1, asvs-l2, nist-aal1, nist-aal2"):
        AssuranceProfile.shop_default().deviations(name)


# Deviations


@pytest.mark.parametrize("name", STANDARDS)
def test_a_profile_meets_its_own_standard(name) -> None:
    assert AssuranceProfile.named(name).deviations(name) == ()


@pytest.mark.parametrize(
    ("standard", "rules"),
    [
        ("asvs-l1", []),
        (
            "asvs-l2",
            [
                *["ASVS 16.5.3", "ASVS 6.3.3", "ASVS 6.3.6", "ASVS 6.5.5", "ASVS 6.5.5", "house"],
                *["ASVS 7.3.1", "ASVS 7.3.1", "ASVS 7.3.2", "ASVS 7.5.1", "ASVS 6.4.3"],
                *["ASVS 6.4.4"] * 3,
                "house",
            ],
        ),
        (
            "nist-aal1",
            [
                *["NIST 3.1.1.2", *["NIST 3.2.2"] * 3, "NIST 3.1.3.1", "NIST 4.2.1.1", "NIST 3.1.3.1"],
                *["NIST 5.1"] * 3,
                *["NIST 4.1.2.1", "NIST 4.2.2.2", "NIST 4.2.1.2", "NIST 4.2.1.2", "house"],
            ],
        ),
        (
            "nist-aal2",
            [
                *["NIST 3.1.1.2", *["NIST 3.2.2"] * 3, "NIST 2.2", "NIST 3.1.3.1", "NIST 4.2.1.1", "NIST 3.1.3.1"],
                *["NIST 3.1.3.3", "NIST 5.1", "NIST 2.2.3", "NIST 5.1", "NIST 5.1", "NIST 4.1.2.1"],
                *["NIST 4.2.2.2"] * 3,
                "house",
            ],
        ),
    ],
)
def test_the_profile_for_shops_tells_where_it_does_less_than_a_standard(standard, rules) -> None:
    assert [deviation.rule for deviation in AssuranceProfile.shop_default().deviations(standard)] == rules


@pytest.mark.proves("PAS-1")
def test_eight_characters_are_named_where_a_standard_wants_more() -> None:
    eight = AssuranceProfile.shop_default().with_eight_characters()
    assert eight.policies.passwords.min_single_factor == 8
    assert eight.deviations("asvs-l1") == ()
    assert "NIST 3.1.1.2(1)" in [deviation.rule for deviation in eight.deviations("nist-aal1")]
    (first, *_) = eight.deviations("nist-aal1")
    assert first.why == "shortest password: 8, asked for 15"


@pytest.mark.proves("SIG-79")
def test_the_third_level_of_asvs_sends_nothing_that_opens_and_keeps_a_session_in_its_browser() -> None:
    overlaid = AssuranceProfile.named("asvs-l2").with_passkeys(PASSKEYS).asvs_l3_overlay()
    assert overlaid.policies.sessions.pin_agent
    assert overlaid.policies.code_sign_in.ways == frozenset()
    assert not overlaid.policies.second_factor.kinds & {FactorKind.SMS, FactorKind.EMAIL_STEP}
    assert overlaid.deviations("asvs-l2") == ()


@pytest.mark.proves("SIG-60")
def test_a_new_shipping_address_takes_a_fresh_proof_at_the_third_level_alone() -> None:
    overlaid = AssuranceProfile.named("asvs-l2").with_passkeys(PASSKEYS).asvs_l3_overlay()
    highest = Requirement(level=Level.MULTI, max_age=5 * MINUTE)
    assert overlaid.policies.step_up.rules[Operation.SHIP_TO_NEW_ADDRESS] == highest
    for name in ALL:
        assert Operation.SHIP_TO_NEW_ADDRESS not in AssuranceProfile.named(name).policies.step_up.rules


def test_the_third_level_does_not_do_without_passkeys() -> None:
    with pytest.raises(BadPolicy, match="with_passkeys"):
        AssuranceProfile.named("asvs-l2").asvs_l3_overlay()


def test_clocks_that_drift_are_a_deviation_that_has_a_name() -> None:
    drifting = AssuranceProfile.named("asvs-l2").with_clock_drift()
    assert (drifting.policies.totp.past_steps, drifting.policies.totp.future_steps) == (1, 1)
    assert [one.rule for one in drifting.deviations("asvs-l2")] == ["ASVS 6.5.5", "ASVS 6.5.5"]


def without(rule):
    return Policies(passwords=PasswordPolicy(rules=tuple(other for other in PasswordRule if other is not rule)))


def guessed(**values):
    return Policies(attempts=AttemptPolicy(password=attrs.evolve(WAITING, **values)))


def second_guessed(**values):
    return Policies(attempts=AttemptPolicy(factor=attrs.evolve(AttemptPolicy().factor, **values)))


def code_guessed(**values):
    return Policies(code_sign_in=CodeSignInPolicy(waits=attrs.evolve(CodeSignInPolicy().waits, **values)))


def linking(auto_link):
    config = ProviderConfig(
        id="elsewhere",
        issuer="https://elsewhere.example",
        client_id="the shop",
        redirect_uri="https://lamp.example/from-elsewhere",
        keys="https://elsewhere.example/keys",
        trusts_email=TrustsEmail.WHEN_VERIFIED,
        auto_link=auto_link,
    )
    return ProviderPolicy(configs=(config,))


def sent(**values):
    return Policies(sends=SendPolicy(**values))


def stayed(**values):
    return Policies(sessions=SessionPolicy(**values))


CRAMMED = Window(limit=30, per=HOUR)
LAX = {**StepUpPolicy().rules, Operation.CLOSE_ACCOUNT: Requirement(level=Level.SINGLE, max_age=15 * MINUTE)}
WEAKER = {
    "shortest password": Policies(passwords=PasswordPolicy(min_single_factor=14)),
    "common passwords are refused": without(PasswordRule.COMMON),
    "simple patterns are refused": without(PasswordRule.PATTERN),
    "words of shop and person are refused": without(PasswordRule.CONTEXT),
    "leaked passwords are refused": Policies(passwords=PasswordPolicy(breach=None)),
    "leaks are looked for at sign-in": Policies(passwords=PasswordPolicy(breach=BreachPolicy(at_sign_in=False))),
    "unchecked passwords are refused": Policies(),
    "passwords may grow old": Policies(passwords=PasswordPolicy(remind_after=365 * DAY)),
    "questions are not asked": Policies(questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True)),
    "hashes are dear": Policies(passwords=PasswordPolicy(hashing=Argon2Profile.tests_only())),
    "guesses without a wait": guessed(free=6),
    "first wait": guessed(base=SECOND / 2),
    "longest wait": guessed(cap=HOUR / 2),
    "failures are forgotten after": guessed(forget_after=2 * HOUR),
    "failures that disable": guessed(disable_after=101),
    "guesses at a second step without a wait": second_guessed(free=6),
    "first wait after wrong second steps": second_guessed(base=SECOND),
    "longest wait after wrong second steps": second_guessed(cap=MINUTE),
    "wrong second steps are forgotten after": second_guessed(forget_after=DAY),
    "guesses at a sign-in code without a wait": code_guessed(free=6),
    "first wait after wrong sign-in codes": code_guessed(base=SECOND),
    "longest wait after wrong sign-in codes": code_guessed(cap=MINUTE),
    "wrong sign-in codes are forgotten after": code_guessed(forget_after=HOUR),
    "answers to a sign-in code": Policies(code_sign_in=CodeSignInPolicy(tries=6)),
    "a second factor is asked of everybody": Policies(),
    "the mailbox is a second step": Policies(),
    "texts need a stronger step": Policies(second_factor=SecondFactorPolicy(sms_needs_alternative=False)),
    "a new factor ends sessions": Policies(second_factor=SecondFactorPolicy(end_other_sessions=False)),
    "passkeys ask for their user": Policies(passkeys=attrs.evolve(PASSKEYS, user_verification="discouraged")),
    "accounts are linked by their address": Policies(providers=linking(AutoLink.BOTH_VERIFIED)),
    "earlier codes of an app that count": Policies(),
    "later codes of an app that count": Policies(),
    "a recovery code that was used is replaced": Policies(),
    "the mailbox opens accounts": Policies(),
    "a phone opens accounts": Policies(),
    "a device stands for the second step for": Policies(),
    "free failures of a network": Policies(
        attempts=AttemptPolicy(network=Wait(free=51, base=SECOND, cap=MINUTE, forget_after=HOUR))
    ),
    "mails to a mailbox, by the hourly rate a day": sent(mailbox_hourly=Window(limit=6, per=HOUR)),
    "mails to a mailbox a day": sent(mailbox_daily=Window(limit=11, per=DAY)),
    "texts to a phone, by the hourly rate a day": sent(phone_hourly=Window(limit=4, per=HOUR)),
    "texts to a phone a day": sent(phone_daily=Window(limit=6, per=DAY)),
    "mails for a network a day": sent(network_hourly=CRAMMED),
    "registrations of a network a day": Policies(registration=RegistrationPolicy(attempts_per_network=CRAMMED)),
    "idle sessions end after": stayed(idle=25 * HOUR, absolute=40 * DAY),
    "sessions end after": stayed(absolute=31 * DAY),
    "who wants to stays signed in without a visit for": stayed(idle_remembered=15 * DAY),
    "who wants to stays signed in for": stayed(absolute_remembered=31 * DAY),
    "idle sessions are over": stayed(idle_reauth=IdleReauth.ANY_FACTOR),
    "sessions at once": stayed(max_sessions=51),
    "a renewed value works again for": stayed(renewal=RenewalPolicy(reuse_grace=MINUTE)),
    "proofs for what matters are younger than": Policies(step_up=StepUpPolicy().within(16 * MINUTE)),
    "operations below their level": Policies(step_up=StepUpPolicy(rules=LAX)),
    "a reset takes the second factor": Policies(),
    "a lost second factor waits, by two methods": Policies(cases=CasePolicy(factor_by_two_methods=23 * HOUR)),
    "a lost second factor waits, by the mailbox": Policies(cases=CasePolicy(factor_by_mailbox=2 * DAY)),
    "a lost second factor takes an agent, by the mailbox": Policies(),
    "a lost mailbox waits, by two factors": Policies(cases=CasePolicy(mailbox_by_two_factors=2 * DAY)),
    "a lost mailbox waits, by a recovery address": Policies(cases=CasePolicy(mailbox_by_recovery_address=6 * DAY)),
    "a lost mailbox waits, by a phone": Policies(cases=CasePolicy(mailbox_by_phone=6 * DAY)),
    "who lost everything waits, by two agents": Policies(cases=CasePolicy(everything_by_agents=6 * DAY)),
    "a recovered account is held for": Policies(cases=CasePolicy(hold_after=6 * DAY)),
    "a changed address can be taken back for": Policies(contact_changes=ContactChangePolicy(undo_window=29 * DAY)),
    "a changed address holds the account for": Policies(contact_changes=ContactChangePolicy(hold_after=71 * HOUR)),
    "ways in which agents act for customers": Policies(),
    "secrets travel over TLS": Policies(transport=TransportPolicy(require_secure=False)),
    "even on the own machine": Policies(transport=TransportPolicy(allow_loopback=True)),
}


def test_there_is_an_example_for_every_value_that_is_compared() -> None:
    assert {row.what for row in ROWS} == WEAKER.keys()


@pytest.mark.parametrize("what", WEAKER)
def test_a_weaker_value_is_told_with_ours_and_theirs(what) -> None:
    profile = AssuranceProfile(name="shop-default", policies=WEAKER[what])
    told = [one for standard in STANDARDS for one in profile.deviations(standard) if one.why.startswith(f"{what}: ")]
    assert told
    assert all(", asked for " in one.why for one in told)
    assert all(one.rule.startswith(("ASVS ", "NIST ", "house")) for one in told)


def test_an_operation_that_asks_for_nothing_is_the_weakest_of_all() -> None:
    rules: dict[Operation, Requirement] = {Operation.RECOVER: StepUpPolicy().rules[Operation.RECOVER]}
    profile = AssuranceProfile(name="shop-default", policies=Policies(step_up=StepUpPolicy(rules=rules)))
    whys = [deviation.why for deviation in profile.deviations("asvs-l1")]
    assert whys == ["proofs for what matters are younger than: never, asked for 15 minutes"]


# What is refused


class Listed:
    """A list of leaked passwords on which none stands."""

    def range(self, _prefix):
        return ()


def adapters(**values):
    keyring = RootKeyring([Secret(b"k" * 32)])
    return Adapters(storage=MemoryStorage(), keyring=keyring, breached_passwords=Listed(), **values)


def changed(name, **policies):
    profile = AssuranceProfile.named(name).with_passkeys(PASSKEYS)
    return attrs.evolve(profile, policies=attrs.evolve(profile.policies, **policies))


@pytest.mark.parametrize("name", ALL)
def test_a_profile_as_it_ships_is_accepted_with_passkeys_for_the_shops_domain(name) -> None:
    AssuranceProfile.named(name).with_passkeys(PASSKEYS).check(adapters())


@pytest.mark.proves("SIG-23")
@pytest.mark.parametrize("name", ALL)
def test_the_second_level_of_nist_does_not_do_without_passkeys(name) -> None:
    if name != "nist-aal2":
        AssuranceProfile.named(name).check(adapters())
        return
    with pytest.raises(BadPolicy, match="passkeys"):
        AssuranceProfile.named(name).check(adapters())


@pytest.mark.proves("SIG-24")
@pytest.mark.parametrize("name", ALL)
def test_what_becomes_of_a_counter_that_stood_still_is_a_matter_of_the_standard(name) -> None:
    refused = name in {"asvs-l2", "nist-aal2"}
    profile = AssuranceProfile.named(name).with_passkeys(PASSKEYS)
    assert profile.policies.passkeys == attrs.evolve(PASSKEYS, counter="refuse" if refused else "flag")
    if name == "shop-default":
        return
    flagging = attrs.evolve(profile, policies=attrs.evolve(profile.policies, passkeys=PASSKEYS))
    said = [deviation for deviation in flagging.deviations(name) if "counter" in str(deviation)]
    assert len(said) == refused
    assert not profile.deviations(name)


@pytest.mark.proves("SIG-23")
def test_at_the_third_level_passkeys_verify_their_users() -> None:
    profile = AssuranceProfile.named("asvs-l2").with_passkeys(PASSKEYS).asvs_l3_overlay()
    assert profile.policies.passkeys is not None
    assert profile.policies.passkeys.user_verification == "required"


@pytest.mark.proves("PAS-15")
@pytest.mark.parametrize("name", ALL)
def test_leaked_passwords_can_not_be_refused_without_a_list_of_them(name) -> None:
    with pytest.raises(BadPolicy, match="breached_passwords"):
        AssuranceProfile.named(name).check(attrs.evolve(adapters(), breached_passwords=None))
    unasked = changed(name, passwords=PasswordPolicy(breach=None))
    unasked.check(attrs.evolve(adapters(), breached_passwords=None))


@pytest.mark.proves("PAS-1")
@pytest.mark.parametrize("name", ALL)
def test_no_profile_accepts_hashes_that_are_for_tests(name) -> None:
    cheap = changed(name, passwords=PasswordPolicy(hashing=Argon2Profile.tests_only()))
    with pytest.raises(BadPolicy, match="for tests"):
        cheap.check(adapters())


@pytest.mark.proves("KER-212")
@pytest.mark.parametrize("name", ALL)
def test_no_profile_accepts_secrets_that_travel_unencrypted(name) -> None:
    with pytest.raises(BadPolicy, match="TLS"):
        changed(name, transport=TransportPolicy(require_secure=False)).check(adapters())


@pytest.mark.proves("PAS-26")
@pytest.mark.parametrize("name", ALL)
def test_no_standard_reminds_people_of_the_age_of_a_password(name) -> None:
    reminding = changed(name, passwords=PasswordPolicy(remind_after=365 * DAY))
    if name == "shop-default":
        reminding.check(adapters())
        return
    with pytest.raises(BadPolicy, match="age"):
        reminding.check(adapters())


@pytest.mark.proves("RCV-40")
@pytest.mark.parametrize("name", ALL)
def test_no_standard_asks_security_questions(name) -> None:
    asking = changed(name, questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True))
    if name == "shop-default":
        asking.check(adapters())
        return
    with pytest.raises(BadPolicy, match="questions"):
        asking.check(adapters())


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("name", ALL)
def test_beyond_the_first_level_no_account_is_linked_by_its_address(name) -> None:
    changed(name, providers=linking(AutoLink.NEVER)).check(adapters())
    linked = changed(name, providers=linking(AutoLink.BOTH_VERIFIED))
    if name in {"shop-default", "asvs-l1"}:
        linked.check(adapters())
        return
    with pytest.raises(BadPolicy, match="address"):
        linked.check(adapters())
