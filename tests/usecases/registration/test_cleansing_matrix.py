"""In no order do a stranger's preparations survive that the mailbox's owner proves the address.

A stranger and the owner do things to one address in every order; then the owner proves it in every way there is. What
the stranger brought (password, name, agreement, session, handle, another address to carry the account to) is gone.
"""

from itertools import permutations

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, is_verified
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.registration import FieldRule, RegistrationForm, RegistrationPolicy
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from, without_gaps

ANN, TYPO, BOB = "ann@lamp.example", "amn@lamp.example", "bob@lamp.example"
OWNER, STRANGER = request_from("192.0.2.10", agent="owner"), request_from("203.0.113.66", agent="stranger")
OWNERS, STRANGERS = "my own lamps by the river", "a stranger in the lamp shop"
POLICY = RegistrationPolicy(fields={"given_name": FieldRule()}, human_check_after=None)


def form(address, name, password):
    return RegistrationForm(
        identifier=address, password=password, fields={"given_name": name}, choices={"newsletter": name == "Eve"}
    )


class Story:
    """Who has what in hand."""

    def __init__(self):
        self.builder = ShopBuilder(policies=quick_policies(registration=POLICY, sends=without_gaps()))
        self.shop = self.builder.build()
        program = attrs.evolve(Scope.single(), actor=Actor(ActorKind.SYSTEM))
        self.program = attrs.evolve(self.builder, scope=program).build()
        self.handles, self.strangers = [], []

    async def begin(self):
        self.inviter = await self.shop.open_account(BOB)

    def letters(self, template):
        return [letter for letter in self.builder.mailbag.to(ANN) if letter.template == template]

    async def stranger_registers(self):
        started = await self.shop.registration.register(form(ANN, "Eve", STRANGERS), STRANGER)
        self.strangers.append(started.handle)

    async def stranger_corrects_a_typo_to_it(self):
        started = await self.shop.registration.register(form(TYPO, "Eve", STRANGERS), STRANGER)
        await self.shop.registration.change_attempt_contact(started.handle, ANN, STRANGER)
        self.strangers.append(started.handle)

    async def owner_registers(self):
        started = await self.shop.registration.register(form(ANN, "Ann", OWNERS), OWNER)
        self.handles.append(started.handle)

    async def somebody_asks_for_a_reset(self):
        await self.shop.recovery.request_reset(ANN, STRANGER)

    async def the_shop_imports_it(self):
        await self.program.assisted.import_account(ANN, invite=False)

    async def somebody_invites(self):
        await self.shop.invitations.invite(self.inviter.session, ANN, STRANGER)

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
        return await self.shop.invitations.accept_invitation(found[-1].token, form(ANN, "Ann", OWNERS), OWNER)


STEPS = [name for name in vars(Story) if name.split("_")[0] in {"stranger", "owner", "somebody", "the"}]
PROOFS = [name for name in vars(Story) if name.startswith("by_")]


@pytest.mark.proves("REG-30", "REG-31", "REG-33", "REG-12", "REG-51", "GUE-25")
@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("first", STEPS)
def test_nothing_of_a_strangers_survives(first, proof) -> None:
    others = [step for step in STEPS if step != first]
    reached = [run(ends_well((first, *order), proof)) for order in permutations(others, 2)]
    assert any(reached), "a proof that nobody gets to proves nothing"


async def ends_well(order, proof):
    """Tells whether the owner could prove the address that way at all."""
    story = Story()
    await story.begin()
    for step in order:
        await getattr(story, step)()
    try:
        done = await getattr(story, proof)()
    except Rejected:
        return False
    if done is None:
        return False
    await assert_the_owner_alone_is_in(story, done.account)
    for handle in story.strangers:
        await assert_of_no_use(story, handle, done.account)
    return True


async def assert_the_owner_alone_is_in(story, account):
    customer = await story.builder.kept(CUSTOMERS, account)
    assert [contact.key for contact in customer.contacts if is_verified(contact)] == [ANN]
    assert customer.fields.get("given_name") in {None, "Ann"}
    with pytest.raises(SignInRefused):
        await story.shop.signin.sign_in_with_password(ANN, STRANGERS, STRANGER)
    assert isinstance(await story.shop.signin.sign_in_with_password(ANN, OWNERS, OWNER), SignedIn)
    books = story.builder.storage.snapshot()["main"].books
    assert {session.agent for session in books["sessions"].values() if session.account == account} == {"owner"}
    agreed = [e for e in books["events"].values() if e.name == "registration.terms_accepted" and e.subject == account]
    assert not [event for event in agreed if '"agreed":["newsletter"]' in event.data]


async def assert_of_no_use(story, handle, account):
    """A stranger whose attempt goes on opens nothing by it, or another account at another address."""
    for code in {letter.code for letter in story.letters("registration.verify_contact")}:
        with pytest.raises(Rejected):
            await story.shop.registration.complete_registration(handle, code, STRANGER)
    try:
        await story.shop.registration.change_attempt_contact(handle, "eve@lamp.example", STRANGER)
        code = story.builder.mailbag.to("eve@lamp.example")[-1].code
        done = await story.shop.registration.complete_registration(handle, code, STRANGER)
    except Rejected:
        return
    assert done.account != account


def test_the_matrix_has_every_step() -> None:
    assert (len(STEPS), len(PROOFS)) == (6, 3)
