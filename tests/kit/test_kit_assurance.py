"""The tests of an assurance profile find every value that a shop keeps weaker than it says."""

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
from shopaccounts.passwords import BreachPolicy, OnOutage, PasswordRule
from shopaccounts.recovery import CasePolicy, SecurityQuestionsPolicy
from shopaccounts.signin import ActingScope, IdleReauth, RenewalPolicy
from shopaccounts.testing.assurance import AssuranceContract

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MANY = Window(limit=30, per=HOUR)


def passwords(**values):
    return lambda p: attrs.evolve(p, passwords=attrs.evolve(p.passwords, **values))


def sessions(**values):
    return lambda p: attrs.evolve(p, sessions=attrs.evolve(p.sessions, **values))


def waits(**values):
    def weaker(p):
        wait = attrs.evolve(p.attempts.password, **values)
        return attrs.evolve(p, attempts=attrs.evolve(p.attempts, password=wait))

    return weaker


def registration(**values):
    return lambda p: attrs.evolve(p, registration=attrs.evolve(p.registration, **values))


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
}


class Listed:
    def range(self, prefix):
        return ()


class TestOurShop(AssuranceContract):
    @pytest.fixture
    def host(self):
        return "blocking"

    @pytest.fixture
    def profile(self):
        return AssuranceProfile.named("nist-aal1")

    @pytest.fixture
    def adapters(self):
        keyring = RootKeyring([Secret(b"k" * 32)])
        return Adapters(storage=MemoryStorage(), keyring=keyring, breached_passwords=Listed())


class TestCarelessShop(TestOurShop):
    @pytest.fixture(params=WEAKER)
    def builder(self, builder, request):
        return attrs.evolve(builder, policies=WEAKER[request.param](builder.policies))
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
    "code": "tries_and_the_life_of_a_code",
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
}
NOT_A_VALUE = {
    "test_a_new_address_is_in_force_once_the_old_one_has_agreed",
    "test_a_password_is_kept_at_the_cost_of_the_profile",
    "test_nobody_learns_who_is_a_customer",
    "test_the_profile_accepts_the_policies_and_the_adapters",
}


def test_a_value_that_is_weaker_than_the_profile_says_fails_its_test_in_a_project_of_somebody_else(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest('pytest_plugins = ["shopaccounts.testing.plugin"]')
    pytester.makepyfile(SHOP)
    reports = pytester.inline_run("-p", "no:cacheprovider").getreports("pytest_runtest_logreport")
    failed = {report.nodeid.partition("::")[2] for report in reports if report.failed}
    assert not {name for name in failed if name.startswith("TestOurShop")}
    for weaker, test in FOUND_BY.items():
        found = {name for name in failed if test in name and (f"[{weaker}]" in name or f"[{weaker}-" in name)}
        assert found, f"nothing found the shop that is weaker in {weaker!r}"


def test_there_is_a_careless_shop_for_every_test() -> None:
    names = {name for name in dir(AssuranceContract) if name.startswith("test_")}
    unmatched = {name for name in names if not any(part in name for part in FOUND_BY.values())}
    assert unmatched == NOT_A_VALUE
