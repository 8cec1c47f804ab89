"""In no order do a stranger's preparations survive that the mailbox's owner proves the address.

A stranger and the owner do things to one address, or one number, in every order; then the owner proves it in every way
there is. What the stranger brought (password, name, agreement, session, handle, another address to carry the account
to, an identity elsewhere, a further address or a change of their own account) is gone.
"""

from contextlib import suppress
from datetime import timedelta
from itertools import permutations
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, is_verified
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import EmailNeeded, Intent, ProviderPolicy, TrustsEmail
from shopaccounts.registration import FieldRule, RegistrationForm, RegistrationPolicy
from shopaccounts.signin import SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from, without_gaps
from shopaccounts.testing.phones import with_phones
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens

ANN, TYPO, BOB, EVE = "ann@lamp.example", "amn@lamp.example", "bob@lamp.example", "eve@lamp.example"
TEL, TYPED_WRONG = "+4915112345678", "+4915112345679"
OWNER = request_from("192.0.2.10", agent="owner", browser=Secret("the browser of the owner, at home"))
STRANGER = request_from("203.0.113.66", agent="stranger", browser=Secret("the browser of a stranger, somewhere"))
OWNERS, STRANGERS = "my own lamps by the river", "a stranger in the lamp shop"
POLICY = RegistrationPolicy(fields={"given_name": FieldRule()}, human_check_after=None)
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)
MINUTE = timedelta(minutes=1)


def form(address, name, password):
    return RegistrationForm(
        identifier=address, password=password, fields={"given_name": name}, choices={"newsletter": name == "Eve"}
    )


class Keys:
    """Where the keys of two providers come from."""

    def __init__(self, *providers):
        self.by_address = {f"{provider.issuer}/keys": provider for provider in providers}

    def fetch(self, address: str) -> Any:
        """Answer what one of them publishes."""
        return self.by_address[address].fetch(address)


class Story:
    """Who has what in hand."""

    address, typo = ANN, TYPO

    def __init__(self):
        self.builder = with_phones("blocking", registration=POLICY, sends=WIDE)
        self.provider, self.unsure = LittleProvider(self.builder.clock.now), LittleProvider(self.builder.clock.now, "u")
        configs = (self.provider.config(), self.unsure.config(trusts_email=TrustsEmail.NEVER))
        self.builder.policies = attrs.evolve(self.builder.policies, providers=ProviderPolicy(configs=configs))
        self.builder.ports = {**self.builder.ports, "id_tokens": QuickTokens(Keys(self.provider, self.unsure))}
        self.shop = self.builder.build()
        program = attrs.evolve(Scope.single(), actor=Actor(ActorKind.SYSTEM))
        self.program = attrs.evolve(self.builder, scope=program).build()
        self.handles, self.strangers = [], []

    async def begin(self):
        self.inviter = await self.shop.open_account(BOB)
        self.eve = await self.shop.open_account(EVE)

    def letters(self, template):
        return [letter for letter in self.builder.mailbag.to(self.address) if letter.template == template]

    async def eves(self):
        step: Any = await self.shop.signin.sign_in_with_password(EVE, PASSWORD, STRANGER)
        return step.session

    async def stranger_registers(self):
        started = await self.shop.registration.register(form(self.address, "Eve", STRANGERS), STRANGER)
        self.strangers.append(started.handle)

    async def stranger_corrects_a_typo_to_it(self):
        started = await self.shop.registration.register(form(self.typo, "Eve", STRANGERS), STRANGER)
        await self.shop.registration.change_attempt_contact(started.handle, self.address, STRANGER)
        self.strangers.append(started.handle)

    async def stranger_wants_more_than_is_proven(self):
        """Factors, links, passwords and other addresses take a session, which no handle is."""
        for handle in self.strangers:
            for refused in (
                self.shop.factors.start_totp(handle, "mine", STRANGER),
                self.shop.factors.add_email_step(handle, STRANGER),
                self.shop.passwords.set_first_password(handle, STRANGERS, STRANGER),
                self.shop.contact_changes.promote_contact(handle, "eve@second.example", STRANGER),
                self.shop.contacts.add_contact(handle, "eve@second.example", STRANGER),
                self.shop.providers.start_provider(self.provider.id, Intent.LINK, STRANGER, handle),
            ):
                with pytest.raises(SignInRequired):
                    await refused

    async def stranger_adds_it_to_an_account(self):
        await self.shop.contacts.add_contact(await self.eves(), self.address, STRANGER)

    async def stranger_changes_an_account_to_it(self):
        await self.shop.contact_changes.promote_contact(await self.eves(), self.address, STRANGER)

    async def stranger_comes_from_a_provider_that_proves_nothing(self):
        browser = Browser(shop=self.shop, provider=self.unsure, held=STRANGER.binding)
        needed = await browser.comes("eve", email=self.address, email_verified=True)
        self.builder.clock.advance(MINUTE)
        if isinstance(needed, EmailNeeded):
            started = await self.shop.providers.give_email(
                needed.handle, form(self.address, "Eve", STRANGERS), browser.context
            )
            self.strangers.append(started.handle)

    async def owner_registers(self):
        started = await self.shop.registration.register(form(self.address, "Ann", OWNERS), OWNER)
        self.handles.append(started.handle)

    async def somebody_asks_for_a_reset(self):
        await self.shop.recovery.request_reset(self.address, STRANGER, self.channel)

    async def somebody_asks_for_a_code_to_sign_in(self):
        await self.shop.code_signin.request_sign_in_code(self.address, self.channel, STRANGER)

    async def the_shop_imports_it(self):
        await self.program.assisted.import_account(self.address, invite=False)

    async def somebody_invites(self):
        await self.shop.invitations.invite(self.inviter.session, self.address, STRANGER)

    @property
    def channel(self):
        return Channel.EMAIL if self.address == ANN else Channel.SMS

    async def by_code(self):
        if not self.handles:
            return None
        code = self.letters("registration.verify_contact")[-1].code
        return await self.shop.registration.complete_registration(self.handles[-1], code, OWNER)

    async def by_link(self):
        found = self.letters("registration.verify_contact")
        return await self.shop.registration.take_over_contact(found[-1].token, OWNERS, OWNER) if found else None

    async def by_invitation(self):
        found = self.letters("registration.invitation")
        if not found:
            return None
        return await self.shop.invitations.accept_invitation(found[-1].token, form(self.address, "Ann", OWNERS), OWNER)

    async def by_provider(self):
        browser = Browser(shop=self.shop, provider=self.provider, held=OWNER.binding)
        step = await browser.comes("ann", email=self.address, email_verified=True)
        return await self._with_a_password(step)

    async def _with_a_password(self, step):
        if not isinstance(step, SignedIn):
            return None
        await self.shop.passwords.set_first_password(step.session, OWNERS, OWNER)
        return step


class ByPhone(Story):
    """The same with a number."""

    address, typo = TEL, TYPED_WRONG


STEPS = [name for name in vars(Story) if name.split("_")[0] in {"stranger", "owner", "somebody", "the"}]
NOT_BY_PHONE = {"the_shop_imports_it", "somebody_invites", "stranger_changes_an_account_to_it"}
REGISTERING = ["stranger_registers", "stranger_corrects_a_typo_to_it", "owner_registers"]
PROOFS = [name for name in vars(Story) if name.startswith("by_")]


@pytest.mark.proves("REG-30", "REG-31", "REG-33", "REG-12", "REG-51", "GUE-25", "PVD-30")
@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("first", STEPS)
def test_nothing_of_a_strangers_survives(first, proof) -> None:
    orders = [(first, *rest) for rest in permutations([step for step in STEPS if step != first], 2)]
    last = STEPS if first == "owner_registers" else REGISTERING
    reached = [run(ends_well(Story(), order, proof)) for order in orders if order[-1] in last]
    assert any(reached), "a proof that nobody gets to proves nothing"


@pytest.mark.proves("REG-30", "REG-31", "REG-33", "REG-12")
@pytest.mark.parametrize("first", STEPS)
def test_nor_with_a_number(first) -> None:
    orders = [(first, *rest) for rest in permutations([step for step in STEPS if step != first], 2)]
    reached = [run(ends_well(ByPhone(), order, "by_code")) for order in orders if order[-1] == "owner_registers"]
    assert first == "owner_registers" or any(reached)


@pytest.mark.proves("REG-31", "REG-13", "SIG-17")
@pytest.mark.parametrize("story", [Story, ByPhone])
def test_a_reset_a_code_and_a_sign_in_link_prove_no_address_that_waits(story) -> None:
    async def waits():
        told = story()
        await told.begin()
        await told.stranger_registers()
        await told.somebody_asks_for_a_reset()
        await told.somebody_asks_for_a_code_to_sign_in()
        await told.shop.code_signin.request_sign_in_link(ANN, STRANGER)
        return {letter.template for letter in told.builder.mailbag.to(told.address)}

    assert run(waits()) <= {"registration.verify_contact", "registration.account_prepared"}


@pytest.mark.parametrize("story", [Story, ByPhone])
@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_taken(step, story) -> None:
    """A step that is always refused prepares nothing; numbers are not imported or invited, and replace no mailbox."""

    async def taken():
        told = story()
        await told.begin()
        await getattr(told, step)()

    if story is ByPhone and step in NOT_BY_PHONE:
        with pytest.raises(Rejected):
            run(taken())
    else:
        run(taken())


async def ends_well(story, order, proof):
    """Tells whether the owner could prove the address that way at all."""
    await story.begin()
    for step in order:
        with suppress(Rejected):
            await getattr(story, step)()
    try:
        done = await getattr(story, proof)()
    except Rejected:
        return False
    if done is None:
        return False
    await assert_the_owner_alone_is_in(story, done.account)
    await assert_eve_has_nothing_of_it(story, done.account)
    for handle in story.strangers:
        await assert_of_no_use(story, handle, done.account)
    return True


async def assert_the_owner_alone_is_in(story, account):
    customer = await story.builder.kept(CUSTOMERS, account)
    assert [contact.key for contact in customer.contacts] == [story.address]
    assert is_verified(customer.contacts[0])
    assert customer.fields.get("given_name") in {None, "Ann"}
    with pytest.raises(SignInRefused):
        await story.shop.signin.sign_in_with_password(story.address, STRANGERS, STRANGER)
    assert isinstance(await story.shop.signin.sign_in_with_password(story.address, OWNERS, OWNER), SignedIn)
    books = story.builder.storage.snapshot()["main"].books
    for book in ("sessions", "progresses", "devices"):
        assert not [kept for kept in books[book].values() if account in {kept.id, getattr(kept, "account", "")}
                    and "stranger" in repr(kept)], book  # fmt: skip
    own = books["authenticators"].get(account)
    assert own is None or not (own.factors or own.passkeys or own.recovery_codes or own.enrolling)
    assert {identity.subject for identity in (own.identities if own else ())} <= {"ann"}
    agreed = [e for e in books["events"].values() if e.name == "registration.terms_accepted" and e.subject == account]
    assert not [event for event in agreed if '"agreed":["newsletter"]' in event.data]


async def assert_eve_has_nothing_of_it(story, account):
    """What a stranger wanted for an account of their own, or brought from elsewhere, leads nowhere."""
    assert story.eve.id != account
    eve = await story.builder.kept(CUSTOMERS, story.eve.id)
    assert not [contact for contact in eve.contacts if contact.key == story.address and is_verified(contact)]
    browser = Browser(shop=story.shop, provider=story.unsure, held=STRANGER.binding)
    assert not isinstance(await browser.comes("eve", email=story.address, email_verified=True), SignedIn)


async def assert_of_no_use(story, handle, account):
    """A stranger whose attempt goes on opens nothing by it, or another account at another address."""
    for code in {letter.code for letter in story.letters("registration.verify_contact")}:
        with pytest.raises(Rejected):
            await story.shop.registration.complete_registration(handle, code, STRANGER)
    try:
        await story.shop.registration.change_attempt_contact(handle, "eve@second.example", STRANGER)
        code = story.builder.mailbag.to("eve@second.example")[-1].code
        done = await story.shop.registration.complete_registration(handle, code, STRANGER)
    except Rejected:
        return
    assert done.account != account


def test_the_matrix_has_every_step() -> None:
    assert (len(STEPS), len(PROOFS)) == (11, 4)
