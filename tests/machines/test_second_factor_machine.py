"""An owner with every kind of second step, and a thief who has one thing: who gets in, and who changes what.

The owner has an app, recovery codes, a phone and passkeys, comes in by password, code, passkey and provider, trusts a
browser, and adds and removes what can be added and removed. The thief knows the password, reads the mailbox, holds the
phone, or has the account at the provider; one of these. They try every way in with it, ask for resets, guess, start the
way back for lost factors, and hold out what they get wherever something is taken. What is checked after each step:

* the thief has no session, and nothing of what the account has is added, replaced or removed by them;
* no session stands higher than its proofs, none is there that only one proof opened, and recovery codes count once;
* steps of the app only go up; and in the end the owner comes in.
"""

import io
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.assurance import Level, level_of
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import Intent, ProviderPolicy
from shopaccounts.signin import (
    AUTHENTICATORS,
    Factor,
    FactorKind,
    PasskeyAnswer,
    PasskeyPolicy,
    PasswordAnswer,
    RecoveryCodeAnswer,
    Resumed,
    SecondFactorNeeded,
    SentCodeAnswer,
    SignedIn,
    TotpCode,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.authenticator import SoftwareAuthenticator
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens

MAILBOX, TEL, SUBJECT = "ann@lamp.example", "+4915112345678", "4711"
OWNER = request_from("192.0.2.10", agent="owner", browser=Secret("the browser of the owner, at home"))
THIEF = request_from("203.0.113.66", agent="thief", browser=Secret("the browser of a thief, elsewhere"))
DOMAIN = "lampenhaus.example"
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)
HAS = ("password", "mailbox", "phone", "provider")
FIRSTS = ("password", "mail code", "mail link", "text message", "provider", "passkey")
SECONDS = {
    "app": "totp",
    "recovery code": "recovery_codes",
    "text message": "sms",
    "passkey": "passkey",
    "password": "password",
}


class SecondFactorMachine(RuleBasedStateMachine):
    """Both act through the shop alone; the machine knows what each of them has."""

    @initialize(has=st.sampled_from(HAS))
    def opens(self, has) -> None:
        courier = ConsoleCourier(io.StringIO())
        self.builder: Any = ShopBuilder(couriers={Channel.SMS: courier})
        self.provider = LittleProvider(self.builder.clock.now)
        self.builder.ports = {"id_tokens": QuickTokens(self.provider)}
        self.builder.policies = quick_policies(
            sends=WIDE,
            passkeys=PasskeyPolicy(rp_id=DOMAIN, rp_name="Lampenhaus", origins=(f"https://{DOMAIN}",)),
            providers=ProviderPolicy(configs=(self.provider.config(),)),
        )
        self.shop: Any = self.builder.build()
        self.has, self.password = has, PASSWORD
        account = run(self.shop.open_account(MAILBOX))
        self.account, self.session = account.id, account.session
        self.device = SoftwareAuthenticator(entropy=ScriptedEntropy("device"))
        self.steps: dict[str, int] = {}
        self.known: Secret[str] | None = None
        self.came: set[tuple[str, str]] = set()
        self._gets_everything()
        self.spent: set[bytes] = set()
        self.protected_at = self.builder.clock.now()
        self.before = self.belongings

    def _gets_everything(self) -> None:
        now = self.builder.clock.now()
        phone = ContactPoint(
            id=ContactId("phone"),
            kind=ContactKind.PHONE,
            value=PhoneNumber.parse(TEL),
            added_at=now,
            roles=frozenset({ContactRole.NOTIFY, ContactRole.LOGIN}),
        ).proven(VerificationMethod.CODE, "a challenge", now)
        run(self.builder.edit(CUSTOMERS, self.account, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone))))
        enrolled = run(enrol_app(self.shop.factors, self.session, OWNER, self.builder.clock))
        self.app, self.factor, self.codes = enrolled.app, enrolled.id, list(enrolled.recovery_codes)
        sms = Factor(id="sms", kind=FactorKind.SMS, created_at=now, contact=phone.id)
        run(self.builder.edit(AUTHENTICATORS, self.account, lambda o: attrs.evolve(o, factors=(*o.factors, sms))))
        self.session = enrolled.session
        self.comes_in("password", "app")
        self.adds_a_passkey()
        self.comes_in("password", "app")
        browser = Browser(shop=self.shop, provider=self.provider, held=OWNER.binding, session=self.session)
        run(browser.comes(SUBJECT, Intent.LINK))
        self.session = browser.session

    # What is found

    @property
    def row(self):
        return run(self.builder.kept(AUTHENTICATORS, self.account))

    @property
    def belongings(self):
        """What the account has, without how often and when it was used."""
        row = self.row
        customer = run(self.builder.kept(CUSTOMERS, self.account))
        return (
            {factor.id: factor.kind for factor in row.factors},
            {passkey.id: passkey.credential for passkey in row.passkeys},
            {identity.subject for identity in row.identities},
            tuple(code.mac for code in row.recovery_codes.codes) if row.recovery_codes else (),
            tuple(contact.key for contact in customer.contacts),
        )

    def rows(self, book):
        return list(self.builder.storage.snapshot()["main"].books[book].values())

    def newest(self, *templates):
        return next(one for one in reversed(self.builder.mailbag.letters) if one.template in templates)

    # Ways in

    def first(self, way, context):
        """Begin to sign in by a way; what comes of it is awaited."""
        shop = self.shop
        self.builder.clock.advance(timedelta(seconds=1))
        if way == "password":
            return shop.signin.sign_in_with_password(MAILBOX, self.password, context)
        if way == "provider":
            browser = Browser(shop=shop, provider=self.provider, held=context.binding)
            return browser.comes(SUBJECT)
        return {
            "mail code": self._by_code,
            "mail link": self._by_link,
            "text message": self._by_text,
            "passkey": self._by_passkey,
        }[way](context)

    async def _by_code(self, context):
        sent = await self.shop.code_signin.request_sign_in_code(MAILBOX, Channel.EMAIL, context)
        return await self.shop.code_signin.sign_in_with_code(sent.handle, self.builder.mailbag.last.code, context)

    async def _by_text(self, context):
        sent = await self.shop.code_signin.request_sign_in_code(TEL, Channel.SMS, context)
        return await self.shop.code_signin.sign_in_with_code(sent.handle, self.builder.mailbag.last.code, context)

    async def _by_link(self, context):
        await self.shop.code_signin.request_sign_in_link(MAILBOX, context)
        return await self.shop.code_signin.sign_in_with_link(self.builder.mailbag.last.token, context)

    async def _by_passkey(self, context):
        asked = await self.shop.passkey_signin.passkey_options(context)
        return await self.shop.passkey_signin.sign_in_with_passkey(
            asked.handle, self.device.get(asked.options), context
        )

    async def second(self, way, progress, context):
        """Answer what one gives as a second step."""
        self.builder.clock.advance(timedelta(seconds=1))
        if way == "app":
            return TotpCode(self.app.next_code(), self.factor)
        if way == "recovery code":
            return RecoveryCodeAnswer(self.codes.pop())
        if way == "password":
            return PasswordAnswer(self.password)
        if way == "passkey":
            asked = await self.shop.passkey_signin.step_options(progress, context)
            return PasskeyAnswer(asked.handle, self.device.get(asked.options))
        sent = await self.shop.step_codes.send_step_code(progress, "sms", context)
        return SentCodeAnswer(sent.handle, self.builder.mailbag.last.code, "sms")

    async def goes_on(self, step, way, context):
        answer = await self.second(way, step.progress, context)
        return await self.shop.second_step.give_second_factor(step.progress, answer, context)

    def comes_in(self, first, second):
        step: Any = run(self.first(first, OWNER))
        if isinstance(step, SecondFactorNeeded):
            step = run(self.goes_on(step, second, OWNER))
        assert isinstance(step, SignedIn), step
        self.session = step.session

    def is_in(self):
        return isinstance(run(self.shop.sessions.resume(self.session, OWNER)), Resumed)

    def waits_for_a_thief(self):
        """Wait as long as somebody's guesses may make everybody wait."""
        self.builder.clock.advance(timedelta(hours=2))

    def shows_all(self):
        self.waits_for_a_thief()
        if not self.is_in():
            self.comes_in("password", "app")
        for answer in (self.password, TotpCode(self.app.next_code(), self.factor)):
            self.session = run(self.shop.signin.confirm_identity(self.session, answer, OWNER)).session

    # What the owner does

    @rule(first=st.sampled_from(FIRSTS), second=st.sampled_from(sorted(SECONDS)))
    def the_owner_comes_in(self, first, second) -> None:
        if (second == "recovery code" and not self.codes) or (first == "passkey" and not self.device.held):
            return
        self.waits_for_a_thief()
        step: Any = run(self.first(first, OWNER))
        if isinstance(step, SecondFactorNeeded):
            if SECONDS[second] not in {option.kind for option in step.options}:
                assert second not in {"app", "recovery code"}
                return
            step = run(self.goes_on(step, second, OWNER))
        assert isinstance(step, SignedIn), step
        self.session = step.session
        self.came.add((first, second))

    def adds_a_passkey(self):
        self.shows_all()
        asked = run(self.shop.passkeys.start_adding(self.session, OWNER))
        made = self.device.create(asked.options)
        added = run(self.shop.passkeys.add_passkey(self.session, asked.handle, made, "phone", OWNER))
        self.session = added.next_value.session

    @precondition(lambda self: len(self.device.held) < 3)
    @rule()
    def the_owner_adds_a_passkey(self) -> None:
        self.adds_a_passkey()
        self.before = self.belongings

    @precondition(lambda self: self.device.held)
    @rule()
    def the_owner_removes_a_passkey(self) -> None:
        self.shows_all()
        gone = self.device.held.pop()
        (id,) = [passkey.id for passkey in self.row.passkeys if passkey.credential == gone.credential]
        removed = run(self.shop.passkeys.remove_passkey(self.session, id, OWNER))
        self.session = removed.next_value.session
        self.before = self.belongings

    @rule()
    def the_owner_renews_recovery_codes(self) -> None:
        self.shows_all()
        answer = run(self.shop.factors.renew_recovery_codes(self.session, OWNER))
        self.codes = [code.reveal() for code in answer.recovery_codes]
        self.session = answer.next_value.session
        self.spent, self.before = set(), self.belongings

    @rule()
    def the_owner_trusts_this_browser(self) -> None:
        self.waits_for_a_thief()
        context = attrs.evolve(OWNER, device=self.known)
        step: Any = run(self.first("password", context))
        if isinstance(step, SecondFactorNeeded):
            code = TotpCode(self.app.next_code(), self.factor)
            step = run(self.shop.second_step.give_second_factor(step.progress, code, context, trust_device=True))
        assert isinstance(step, SignedIn)
        self.session = step.session
        for cookie in step.set_cookies:
            if "device" in cookie.name:
                self.known = cookie.value

    # What the thief does

    @property
    def thiefs_ways(self):
        return {
            "password": ("password",),
            "mailbox": ("mail code", "mail link"),
            "phone": ("text message",),
            "provider": ("provider",),
        }[self.has]

    @rule(way=st.integers(0, 1), answer=st.integers(0, 5), resets=st.booleans())
    def the_thief_tries_to_come_in(self, way, answer, resets) -> None:
        self.builder.clock.advance(timedelta(hours=2))
        ways = self.thiefs_ways
        if resets and self.has == "mailbox":
            self.the_thief_resets()
            ways = ("password",)
        step: Any = self.tries(self.first(ways[way % len(ways)], THIEF))
        assert not isinstance(step, SignedIn), (self.has, ways)
        if not isinstance(step, SecondFactorNeeded):
            return
        for given in self.guesses(step)[answer:]:
            through = self.tries(self.shop.second_step.give_second_factor(step.progress, given, THIEF))
            assert not isinstance(through, SignedIn), (self.has, given)
        for inside in (self.shop.factors.start_totp(step.progress, "", THIEF), self.opens_a_case(step)):
            self.tries(inside)

    def the_thief_resets(self) -> None:
        self.builder.clock.advance(timedelta(seconds=1))
        if self.tries(self.shop.recovery.request_reset(MAILBOX, THIEF)):
            letter = self.newest("recovery.reset_password")
            if self.tries(self.shop.recovery.reset_password(letter.token, f"{self.password} again", THIEF)):
                self.password = f"{self.password} again"

    def guesses(self, step):
        """What a thief answers: what they have, codes of their own asking, and what was used before."""
        sent = self.tries(self.shop.step_codes.send_step_code(step.progress, "sms", THIEF))
        phone = self.builder.mailbag.last.code if sent and self.has == "phone" else "000000"
        texted = [SentCodeAnswer(sent.handle, phone, "sms")] if sent else []
        mail = self.tries(self.shop.code_signin.request_sign_in_code(MAILBOX, Channel.EMAIL, THIEF))
        mailed = self.builder.mailbag.last.code if mail and self.has == "mailbox" else "000000"
        password = self.password if self.has == "password" else "a wild guess of a thief"
        return [
            *texted,
            PasswordAnswer(password),
            TotpCode(self.app.code(), "another"),
            RecoveryCodeAnswer("BCDFG-HJKLM"),
            *([SentCodeAnswer(mail.handle, mailed)] if mail else []),
        ]

    async def opens_a_case(self, step):
        """Begin the way back for who lost the second factor; the owner hears of it, and says no in time."""
        sent = await self.shop.lost_factor.send_case_code(step.progress, Channel.EMAIL, THIEF)
        code = self.builder.mailbag.last.code if self.has == "mailbox" else "000000"
        await self.shop.lost_factor.open_factor_case(step.progress, [SentCodeAnswer(sent.handle, code)], THIEF)
        waiting = self.newest("recovery.factor_case_waiting")
        await self.shop.cases.cancel_case(waiting.ticket("cancel_link"), OWNER)

    def tries(self, work):
        try:
            return run(work)
        except Rejected:
            return None

    @rule(passes=st.sampled_from([timedelta(minutes=1), timedelta(minutes=20), timedelta(hours=9), timedelta(days=2)]))
    def time_passes(self, passes) -> None:
        self.builder.clock.advance(passes)
        run(self.shop.upkeep.tick())

    # What always holds

    @invariant()
    def a_thief_has_nothing_and_changed_nothing(self) -> None:
        if hasattr(self, "before"):
            assert self.belongings == self.before
            assert not [session for session in self.rows("sessions") if session.agent == "thief"]

    @invariant()
    def sessions_stand_on_their_proofs(self) -> None:
        for session in self.rows("sessions") if hasattr(self, "before") else ():
            assert session.auth.level <= level_of(session.auth.proofs)
            if session.created_at > self.protected_at and not self.known:
                assert len(session.auth.proofs) > 1 or session.auth.level is Level.MULTI

    @invariant()
    def codes_count_once(self) -> None:
        if not hasattr(self, "before"):
            return
        row = self.row
        spent = {code.mac for code in row.recovery_codes.codes if code.spent_at}
        assert self.spent <= spent
        assert len(row.recovery_codes.codes) - len(spent) == len(self.codes)
        self.spent = spent
        for factor in row.factors:
            if factor.totp:
                assert factor.totp.last_step >= self.steps.get(factor.id, -1)
                self.steps[factor.id] = factor.totp.last_step

    def teardown(self) -> None:
        if hasattr(self, "before"):
            self.builder.clock.advance(timedelta(hours=30))
            self.comes_in("password", "app")


@pytest.mark.proves("SIG-1", "SIG-10", "SIG-11", "SIG-32", "SIG-33", "SIG-41", "SIG-36", "RCV-12", "RCV-20")
def test_who_has_one_thing_of_an_account_with_two_steps_has_nothing() -> None:
    run_state_machine_as_test(SecondFactorMachine, settings=settings(max_examples=40, stateful_step_count=20))


@pytest.mark.parametrize("has", HAS)
def test_owner_and_thief_get_as_far_as_they_can(has) -> None:
    """A machine in which nobody gets anywhere proves nothing."""
    machine = SecondFactorMachine()
    machine.opens(has)
    for first in FIRSTS:
        for second in SECONDS:
            machine.the_owner_comes_in(first, second)
    assert len(machine.came) >= 20
    machine.the_owner_adds_a_passkey()
    machine.the_owner_removes_a_passkey()
    machine.the_owner_trusts_this_browser()
    machine.the_owner_trusts_this_browser()
    machine.sessions_stand_on_their_proofs()
    step = run(machine.first(machine.thiefs_ways[0], THIEF))
    assert isinstance(step, SecondFactorNeeded)
    machine.the_thief_tries_to_come_in(0, 0, resets=True)
    machine.a_thief_has_nothing_and_changed_nothing()
    assert (machine.password != PASSWORD) is bool(machine.rows("recovery_cases")) is (has == "mailbox")
    machine.the_owner_renews_recovery_codes()
    machine.codes_count_once()
    machine.teardown()
