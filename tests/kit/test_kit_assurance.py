"""The tests of an assurance profile find every value that a shop keeps otherwise than it says."""

import pytest

from shopaccounts.testing.assurance import AssuranceContract

SHOP = """
import attrs
import pytest
from datetime import timedelta

from shopaccounts import Adapters, AssuranceProfile
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.request import TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.sending import SendPolicy
from shopaccounts.kernel.assurance import Operation
from shopaccounts.passwords import BreachPolicy, OnOutage, PasswordRule
from shopaccounts.providers import AutoLink, ProviderConfig, ProviderPolicy, TrustsEmail, Vouches
from shopaccounts.recovery import CasePolicy, SecondFactorAt, SecurityQuestionsPolicy
from shopaccounts.signin import (
    ActingScope, CodeWay, DevicePolicy, FactorKind, IdleReauth, PasskeyPolicy, RenewalPolicy, SecondFactorMode
)
from shopaccounts.testing.assurance import AssuranceContract
from shopaccounts.testing.assurance.setting import tried

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MANY = Window(limit=30, per=HOUR)


SHOP = "https://lampenhaus.example"
PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=(SHOP,))
ELSEWHERE = ProviderConfig(
    id="elsewhere",
    issuer="https://elsewhere.example",
    client_id="the shop",
    redirect_uri=f"{SHOP}/from-elsewhere",
    keys="https://elsewhere.example/keys",
    trusts_email=TrustsEmail.WHEN_VERIFIED,
)


def weaker(name):
    return lambda **values: lambda p: attrs.evolve(p, **{name: attrs.evolve(getattr(p, name), **values)})


passwords, sessions, registration = weaker("passwords"), weaker("sessions"), weaker("registration")
codes, factors, apps, paper = map(weaker, ["code_sign_in", "second_factor", "totp", "recovery_codes"])
resets, cases, sends, passkeys = map(weaker, ["resets", "cases", "sends", "passkeys"])


def waits(name="password", **values):
    return lambda p: weaker("attempts")(**{name: attrs.evolve(getattr(p.attempts, name), **values)})(p)


def code_waits(**values):
    return lambda p: codes(waits=attrs.evolve(p.code_sign_in.waits, **values))(p)


def elsewhere(**values):
    return lambda p: weaker("providers")(configs=tuple(attrs.evolve(one, **values) for one in p.providers.configs))(p)


def stale_factors(p):
    rule = attrs.evolve(p.step_up.rules[Operation.CHANGE_FACTORS], max_age=HOUR)
    return weaker("step_up")(rules={**p.step_up.rules, Operation.CHANGE_FACTORS: rule})(p)


WEAKER = {
    "shorter": passwords(min_single_factor=14),
    "cut": passwords(max_length=200),
    "common": passwords(rules=tuple(rule for rule in PasswordRule if rule is not PasswordRule.COMMON)),
    "patterns": passwords(rules=tuple(rule for rule in PasswordRule if rule is not PasswordRule.PATTERN)),
    "context": passwords(rules=tuple(rule for rule in PasswordRule if rule is not PasswordRule.CONTEXT)),
    "leaked": passwords(breach=None),
    "outage": passwords(breach=BreachPolicy(on_outage=OnOutage.ACCEPT_AND_FLAG)),
    "sign-in": passwords(breach=BreachPolicy(on_outage=OnOutage.REFUSE, at_sign_in=False)),
    "free": waits(free=6),
    "base": waits(base=timedelta(seconds=1)),
    "cap": waits(cap=HOUR / 2),
    "forgets": waits(forget_after=DAY),
    "never": waits(disable_after=None),
    "tries": registration(code_tries=6),
    "code": registration(code_life=timedelta(minutes=9)),
    "proof": registration(link_life=DAY / 2),
    "mailbox": lambda p: attrs.evolve(p, sends=attrs.evolve(p.sends, mailbox_hourly=MANY, mailbox_daily=MANY)),
    "network": lambda p: attrs.evolve(p, sends=attrs.evolve(p.sends, network_hourly=MANY)),
    "idle": sessions(idle=2 * DAY),
    "goes on": sessions(idle_reauth=IdleReauth.ANY_FACTOR),
    "longer": sessions(absolute=31 * DAY),
    "remembers": sessions(remembers=True),
    "more": sessions(max_sessions=60),
    "renews": sessions(renewal=RenewalPolicy()),
    "stale": lambda p: attrs.evolve(p, step_up=p.step_up.within(HOUR)),
    "reset": lambda p: attrs.evolve(p, resets=attrs.evolve(p.resets, link_life=2 * HOUR)),
    "lets go": lambda p: attrs.evolve(p, contact_changes=attrs.evolve(p.contact_changes, hold_after=HOUR)),
    "settles": lambda p: attrs.evolve(p, contact_changes=attrs.evolve(p.contact_changes, undo_window=5 * DAY)),
    "way back": lambda p: attrs.evolve(p, cases=CasePolicy()),
    "asks": lambda p: attrs.evolve(p, questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True)),
    "open": lambda p: attrs.evolve(p, transport=TransportPolicy(require_secure=False)),
    "assist": lambda p: attrs.evolve(p, impersonation=attrs.evolve(p.impersonation, scopes=frozenset(ActingScope))),
    "phone vouches": cases(mailbox_by_phone=7 * DAY),
    "ages": passwords(remind_after=365 * DAY),
    "required": factors(mode=SecondFactorMode.REQUIRED),
    "mail opens": codes(ways=frozenset({CodeWay.EMAIL_CODE, CodeWay.SMS_CODE})),
    "links open": codes(ways=frozenset({CodeWay.EMAIL_LINK, CodeWay.SMS_CODE})),
    "sign-in code": codes(code_life=9 * MINUTE, link_life=9 * MINUTE),
    "sign-in tries": codes(tries=6),
    "sign-in challenge": codes(challenge_life=20 * MINUTE),
    "code free": code_waits(free=6),
    "code base": code_waits(base=timedelta(seconds=1)),
    "code cap": code_waits(cap=HOUR / 2),
    "texts": sends(phone_hourly=MANY, phone_daily=MANY),
    "stale factors": stale_factors,
    "has passkeys": lambda p: attrs.evolve(p, passkeys=PASSKEYS),
    "has providers": lambda p: attrs.evolve(p, providers=ProviderPolicy(configs=(ELSEWHERE,))),
}
LAXER = {
    "optional": factors(mode=SecondFactorMode.OPTIONAL),
    "beside": passwords(min_with_second_factor=9),
    "phones open": codes(ways=frozenset({CodeWay.SMS_CODE})),
    "mail steps": factors(kinds=frozenset(FactorKind)),
    "texts alone": factors(sms_needs_alternative=False),
    "earlier": apps(past_steps=2),
    "later": apps(future_steps=2),
    "on paper": paper(count=12),
    "long on paper": paper(bits=140),
    "not replaced": paper(replace_used=False),
    "trusts": lambda p: attrs.evolve(p, devices=DevicePolicy(trusted_for=30 * DAY)),
    "step free": waits("factor", free=6),
    "step base": waits("factor", base=timedelta(seconds=1)),
    "step cap": waits("factor", cap=HOUR / 2),
    "step never": waits(disable_after=None),
    "afterwards": resets(second_factor_at=SecondFactorAt.SIGN_IN),
    "reset code": resets(sms_code_life=9 * MINUTE),
    "by mailbox": cases(factor_by_mailbox=2 * DAY),
    "by agent": cases(factor_by_mailbox_takes_agent=True),
    "by two": cases(factor_by_two_methods=HOUR),
    "by agents": cases(everything_by_agents=6 * DAY),
    "by two factors": cases(mailbox_by_two_factors=2 * DAY),
    "no passkeys": lambda p: attrs.evolve(p, passkeys=None),
    "unasked": passkeys(user_verification="discouraged"),
    "flags": passkeys(counter="flag"),
    "links by address": elsewhere(auto_link=AutoLink.BOTH_VERIFIED),
    "vouches": elsewhere(amr_map={"pwd": Vouches.MULTI}),
}


class Listed:
    def range(self, prefix):
        return ()


class OurShop(AssuranceContract):
    @pytest.fixture
    def host(self):
        return "blocking"

    @pytest.fixture
    def adapters(self):
        keyring = RootKeyring([Secret(b"k" * 32)])
        return Adapters(storage=MemoryStorage(), keyring=keyring, breached_passwords=Listed())


class TestOurShop(OurShop):
    @pytest.fixture
    def profile(self):
        return AssuranceProfile.named("nist-aal1")


class TestStrictShop(OurShop):
    @pytest.fixture
    def profile(self):
        profile = AssuranceProfile.named("nist-aal2").with_passkeys(PASSKEYS)
        providers = ProviderPolicy(configs=(ELSEWHERE,))
        return attrs.evolve(profile, policies=attrs.evolve(profile.policies, providers=providers))


class TestCarelessShop(TestOurShop):
    @pytest.fixture(params=WEAKER)
    def policies(self, profile, request):
        return tried(WEAKER[request.param](profile.policies))


class TestLaxShop(TestStrictShop):
    @pytest.fixture(params=LAXER)
    def policies(self, profile, request):
        return tried(LAXER[request.param](profile.policies))
"""
FOUND_BY = {
    "shorter": "shortest_length",
    "cut": "longest_length",
    "common": "everybody_tries_first",
    "patterns": "everybody_tries_first",
    "context": "everybody_tries_first",
    "leaked": "a_leaked_password",
    "outage": "list_of_leaks_is_out",
    "sign-in": "leaked_since",
    "free": "guesses_wait_longer",
    "base": "guesses_wait_longer",
    "cap": "guesses_wait_longer",
    "forgets": "silence_forgets",
    "never": "a_password_is_disabled",
    "tries": "tries_and_the_life_of_a_code",
    "code": "the_code_of_a_registration",
    "proof": "a_verification_link",
    "mailbox": "a_mailbox_gets",
    "network": "a_network_causes",
    "idle": "ends_when_it_is_idle",
    "goes on": "an_idle_session_goes_on",
    "longer": "however_busy",
    "remembers": "is_remembered_or_not",
    "more": "the_oldest_session_ends",
    "renews": "renewed_only_where",
    "stale": "a_proof_that_is_fresh",
    "reset": "a_reset_link_lives",
    "lets go": "nothing_of_value_leaves",
    "settles": "can_be_taken_back",
    "way back": "a_lost_mailbox_waits",
    "asks": "security_questions_are_asked",
    "open": "over_an_open_connection",
    "assist": "agents_act_for_customers",
    "phone vouches": "a_phone_vouches",
    "ages": "reminded_of_the_age",
    "required": "a_first_proof_opens",
    "mail opens": "a_code_to_the_mailbox",
    "links open": "a_link_to_the_mailbox",
    "sign-in code": "a_sign_in_code_works",
    "sign-in tries": "the_life_of_a_sign_in_code",
    "sign-in challenge": "the_life_of_a_sign_in_code",
    "code free": "guesses_at_sign_in_codes",
    "code base": "guesses_at_sign_in_codes",
    "code cap": "guesses_at_sign_in_codes",
    "texts": "a_phone_gets",
    "stale factors": "a_proof_that_is_fresh",
    "has passkeys": "a_passkey_that_verifies_its_user",
    "has providers": "a_provider_counts_for_two",
    "optional": "a_first_proof_opens",
    "beside": "a_password_beside_a_second_factor",
    "phones open": "a_code_to_a_phone_is",
    "mail steps": "the_kinds_of_second_factors",
    "texts alone": "texts_are_a_second_factor",
    "earlier": "so_many_earlier_and_later",
    "later": "so_many_earlier_and_later",
    "on paper": "recovery_codes_are_as_many",
    "long on paper": "recovery_codes_are_as_many",
    "not replaced": "recovery_codes_are_as_many",
    "trusts": "a_device_stands_for",
    "step free": "guesses_at_a_second_step",
    "step base": "guesses_at_a_second_step",
    "step cap": "guesses_at_a_second_step",
    "step never": "a_second_step_is_disabled",
    "afterwards": "a_reset_takes_the_second_factor",
    "reset code": "a_reset_code_to_a_phone",
    "by mailbox": "by_the_mailbox_alone",
    "by agent": "by_the_mailbox_alone",
    "by two": "by_mailbox_and_phone",
    "by agents": "takes_two_agents",
    "by two factors": "a_lost_mailbox_waits",
    "no passkeys": "a_passkey_that_verifies_its_user",
    "unasked": "does_not_verify_its_user",
    "flags": "whose_counter_stood_still",
    "links by address": "a_provider_opens_an_account",
    "vouches": "a_provider_counts_for_two",
}
NOT_A_VALUE = {
    "test_a_code_of_an_app_works_once_and_no_older_one_after_it",
    "test_a_new_address_is_in_force_once_the_old_one_has_agreed_or_two_factors_have",
    "test_a_password_is_kept_at_the_cost_of_the_profile",
    "test_a_sign_in_from_a_device_that_nobody_knows_is_told",
    "test_nobody_is_signed_in_before_an_address_is_proven",
    "test_nobody_learns_who_is_a_customer",
    "test_the_profile_accepts_the_policies_and_the_adapters",
    "test_who_has_a_second_factor_is_asked_for_it",
}
"""Tests of what no policy could set otherwise."""

CONFTEST = f"""
pytest_plugins = ["shopaccounts.testing.plugin"]
FOUND_BY = {FOUND_BY!r}


def pytest_collection_modifyitems(items):
    def is_wanted(item):
        weaker = item.callspec.params.get("policies") if hasattr(item, "callspec") else None
        return weaker is None or FOUND_BY[weaker] in item.name

    items[:] = filter(is_wanted, items)
"""


def test_a_value_that_is_not_as_the_profile_says_fails_its_test_in_a_project_of_somebody_else(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SHOP)
    reports = pytester.inline_run("-p", "no:cacheprovider").getreports("pytest_runtest_logreport")
    assert not [report.nodeid for report in reports if report.failed and report.when != "call"]
    failed = {report.nodeid.partition("::")[2] for report in reports if report.failed}
    assert not {name for name in failed if name.startswith(("TestOurShop", "TestStrictShop"))}
    for weaker, test in FOUND_BY.items():
        found = {name for name in failed if test in name and (f"[{weaker}]" in name or f"[{weaker}-" in name)}
        assert found, f"nothing found the shop that is otherwise in {weaker!r}"


def test_there_is_a_careless_shop_for_every_test() -> None:
    names = {name for name in dir(AssuranceContract) if name.startswith("test_")}
    unmatched = {name for name in names if not any(part in name for part in FOUND_BY.values())}
    assert unmatched == NOT_A_VALUE
