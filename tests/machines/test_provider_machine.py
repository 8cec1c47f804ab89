"""A victim, a thief, and a provider that both have accounts with: whatever they do, nobody gets what the other proved.

The victim alone reads the mailbox. The provider says of the victim alone that the address is proven; the thief claims
it unproven, registers it, and tries everything with the victim's handles. What is checked after each step:

* an account that has proven the victim's address was opened or is held by the victim alone;
* an identity is linked with one account at most;
* nobody's session is of an account that rests on somebody else's proof;
* an account that had a way in has one.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shopaccounts.customers import is_verified
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.providers import AutoLink, EmailNeeded, Intent, LinkNeedsProof, ProviderPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import CodeSignInPolicy, Resumed
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, without_gaps
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens

MAILBOX = "victim@lampenhaus.example"
VICTIM, THIEF = "the victim", "the thief"
WHO = st.sampled_from([VICTIM, THIEF])


class ProviderMachine(RuleBasedStateMachine):
    """Each of them has a browser, a password of their own, and what the shop answered them last."""

    @initialize(auto=st.sampled_from(AutoLink), codes=st.booleans())
    def opens(self, auto, codes) -> None:
        self.builder: Any = ShopBuilder()
        self.provider = LittleProvider(self.builder.clock.now)
        ways: Any = {} if codes else {"code_sign_in": CodeSignInPolicy(ways=frozenset())}
        policy = ProviderPolicy(configs=(self.provider.config(auto_link=auto),))
        self.builder.policies = quick_policies(sends=without_gaps(), providers=policy, **ways)
        self.builder.ports = {"id_tokens": QuickTokens(self.provider)}
        self.shop: Any = self.builder.build()
        self.browsers = {who: Browser(shop=self.shop, provider=self.provider) for who in (VICTIM, THIEF)}
        self.hand: dict[str, dict[str, Any]] = {VICTIM: {}, THIEF: {}}
        self.had_a_way: set[str] = set()
        self.offered = self.builder.blocking().providers._inner.linker.gate.offered
        self.browsers[THIEF].session = run(
            self.shop.open_account("mallory@evil.example", f"{PASSWORD} of {THIEF}")
        ).session

    def books(self, name):
        return self.builder.storage.snapshot()["main"].books.get(name, {})

    def tries(self, work) -> Any:
        self.builder.clock.advance(timedelta(seconds=20))
        try:
            return run(work)
        except Rejected:
            return None

    # What they do

    @rule(who=WHO, intent=st.sampled_from(Intent))
    def comes(self, who, intent) -> None:
        """The provider says who it is; of the victim it also says that the address is proven."""
        answer = self.tries(
            self.browsers[who].comes(who, intent, email=MAILBOX, email_verified=True if who is VICTIM else "true")
        )
        if isinstance(answer, LinkNeedsProof):
            self.hand[who]["proposal"] = answer.proposal
        if isinstance(answer, EmailNeeded):
            self.hand[who]["handle"] = answer.handle

    @rule(who=WHO, by=st.sampled_from(["form", "handle"]))
    def registers(self, who, by) -> None:
        """Anybody may name the address; the code goes to the victim."""
        browser, form = self.browsers[who], RegistrationForm(identifier=MAILBOX, password=f"{PASSWORD} of {who}")
        handle = self.hand[who].get("handle")
        if by == "handle" and handle is not None:
            started = self.tries(self.shop.providers.give_email(handle, form, browser.context))
        else:
            started = self.tries(self.shop.registration.register(form, browser.context))
        if started is not None:
            self.hand[who]["started"] = started.handle

    @rule()
    def the_victim_proves(self) -> None:
        """Only the victim reads the code, and types it only where the victim had begun."""
        letters = [one for one in self.builder.mailbag.to(MAILBOX) if "code" in one.secrets]
        handle = self.hand[VICTIM].get("started")
        if handle is None or not letters:
            return
        done = self.tries(
            self.shop.registration.complete_registration(handle, letters[-1].code, self.browsers[VICTIM].context)
        )
        if done is not None:
            self.browsers[VICTIM].keeps(done.step)

    @rule(who=WHO, email=st.sampled_from([MAILBOX, "mallory@evil.example"]))
    def signs_in(self, who, email) -> None:
        step = self.tries(
            self.shop.signin.sign_in_with_password(email, f"{PASSWORD} of {who}", self.browsers[who].context)
        )
        if step is not None:
            self.browsers[who].keeps(step)

    @rule(who=WHO, whose=WHO, accept=st.booleans())
    def answers(self, who, whose, accept) -> None:
        """With one's own offer, or a stolen one."""
        proposal, browser = self.hand[whose].get("proposal"), self.browsers[who]
        if proposal is not None:
            answer = self.shop.providers.answer_proposal
            self.keep(who, self.tries(answer(proposal, browser.session, browser.context, accept=accept)))

    @rule(who=WHO, whose=WHO)
    def links_what_came(self, who, whose) -> None:
        handle, browser = self.hand[whose].get("handle"), self.browsers[who]
        if handle is not None:
            link = self.shop.providers.link_after_email
            self.keep(who, self.tries(link(handle, browser.session, browser.context)))

    @rule(who=WHO)
    def unlinks(self, who) -> None:
        browser = self.browsers[who]
        listed = self.tries(self.shop.providers.identities(browser.session, browser.context)) or ()
        for identity in listed[:1]:
            answer = self.tries(self.shop.providers.unlink_provider(browser.session, identity.id, browser.context))
            if answer is not None and answer.next_value is not None:
                browser.session = answer.next_value.session

    @rule(who=WHO)
    def signs_out_there(self, who) -> None:
        self.builder.clock.advance(timedelta(seconds=1))
        self.tries(
            self.shop.providers.accept_logout_token(
                self.provider.id, self.provider.logout_token(who), self.browsers[who].context
            )
        )

    def keep(self, who, answer) -> None:
        if answer is not None:
            self.browsers[who].keeps(answer)

    # What is checked

    @invariant()
    def nobody_has_what_the_other_proved(self) -> None:
        proven = {
            customer.id
            for customer in self.books("customers").values()
            if any(contact.key == MAILBOX and is_verified(contact) for contact in customer.contacts)
        }
        assert len(proven) <= 1
        for id in proven:
            own = self.books("authenticators").get(id)
            assert THIEF not in {link.subject for link in own.identities} if own else True
        browser = self.browsers[THIEF]
        resumed = run(self.shop.sessions.resume(browser.session, browser.context))
        assert not isinstance(resumed, Resumed) or resumed.account not in proven

    @invariant()
    def an_identity_opens_one_account(self) -> None:
        links = [link for own in self.books("authenticators").values() for link in own.identities]
        assert len({(link.issuer, link.subject) for link in links}) == len(links)

    @invariant()
    def who_had_a_way_in_has_one(self) -> None:
        offered, now = self.offered, set()
        for customer in self.books("customers").values():
            own, password = self.books("authenticators").get(customer.id), self.books("passwords").get(customer.id)
            if offered.ways_in(customer, own, password):
                now.add(customer.id)
        assert self.had_a_way <= now
        self.had_a_way = now


@pytest.mark.proves("PVD-30", "PVD-31", "PVD-32", "PVD-34", "REG-31", "SIG-53")
def test_whatever_they_do_nobody_gets_what_the_other_proved() -> None:
    few = settings(max_examples=40, stateful_step_count=15)
    run_state_machine_as_test(ProviderMachine, settings=few)
