"""An account that a stranger prepared for somebody else's address: whoever proves the mailbox last starts clean.

Eve registers addresses that aren't hers, with her password, and keeps every handle. Ann reads her own mailbox and does
whatever people do there. Whatever the order, nothing of Eve's ever opens what becomes Ann's account.
"""

from contextlib import suppress
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from shopaccounts.customers import AccountStatus
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.registration import HolderUnknown, RegistrationForm
from shopaccounts.signin import SESSIONS, SignedIn, SignInRefused
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from, without_gaps

MAILBOX = "ann@lamp.example"
EVES, ANNS, ANNS_NEW = "eve has a lamp in the cellar", "ann has a lamp on the roof", "ann bought another one today"
EVE, ANN = request_from("203.0.113.66", agent="eve"), request_from("192.0.2.10", agent="ann")


class Story:
    """One order of events at one address."""

    def __init__(self) -> None:
        self.builder: Any = ShopBuilder(policies=quick_policies(sends=without_gaps()))
        self.shop = self.builder.build()
        self.anns_handle: Any = None
        self.eves_handles: list[Any] = []
        self.anns_passwords: set[str] = set()

    @property
    def letter(self):
        letters = self.builder.mailbag.to(MAILBOX)
        return letters[-1] if letters else None

    async def eve_registers(self):
        answer = await self.shop.registration.register(RegistrationForm(identifier=MAILBOX, password=EVES), EVE)
        self.eves_handles.append(answer.handle)

    async def eve_asks_for_a_reset(self):
        await self.shop.recovery.request_reset(MAILBOX, EVE)

    async def ann_registers(self):
        answer = await self.shop.registration.register(RegistrationForm(identifier=MAILBOX, password=ANNS), ANN)
        self.anns_handle = answer.handle

    async def ann_types_the_code(self):
        if self.anns_handle and self.letter and "code" in self.letter.secrets:
            done = await self.shop.registration.complete_registration(self.anns_handle, self.letter.code, ANN)
            assert isinstance(done.step, SignedIn)
            self.anns_passwords = {ANNS}

    async def ann_opens_the_link(self):
        if not self.letter or "link" not in self.letter.secrets:
            return
        if self.letter.template == "recovery.reset_password":
            await self.shop.recovery.reset_password(self.letter.token, ANNS_NEW, ANN)
            self.anns_passwords = {ANNS_NEW}
            return
        confirmed = await self.shop.registration.confirm_contact(self.letter.token, self.anns_handle, ANN)
        if isinstance(confirmed, HolderUnknown):
            await self.shop.registration.take_over_contact(self.letter.token, ANNS_NEW, ANN)
            self.anns_passwords = {ANNS_NEW}
        else:
            self.anns_passwords = {ANNS}

    async def ann_asks_for_a_reset(self):
        await self.shop.recovery.request_reset(MAILBOX, ANN)

    async def happens(self, event):
        with suppress(Rejected):
            await getattr(self, event)()
        self.builder.clock.advance(timedelta(seconds=90))
        await self.check()

    async def check(self):
        with pytest.raises(SignInRefused):
            await self.shop.signin.sign_in_with_password(MAILBOX, EVES, EVE)
        realm = self.builder.storage.snapshot()["main"]
        assert all(session.agent == "ann" for session in realm.books[SESSIONS.name].values())
        for customer in realm.books["customers"].values():
            assert (customer.status is AccountStatus.ACTIVE) == bool(self.anns_passwords)

    async def ends(self):
        """Ann comes in; and Eve doesn't, even with every code that was ever mailed."""
        if not self.anns_passwords:
            self.builder.clock.advance(timedelta(minutes=2))
            await self.ann_asks_for_a_reset()
            await self.ann_opens_the_link()
        for password in self.anns_passwords:
            step = await self.shop.signin.sign_in_with_password(MAILBOX, password, ANN)
            assert isinstance(step, SignedIn)
        codes = {letter.secrets["code"] for letter in self.builder.mailbag.letters if "code" in letter.secrets}
        for handle, code in product(self.eves_handles, codes):
            with pytest.raises(Rejected):
                await self.shop.registration.complete_registration(handle, code, EVE)
        await self.check()


EVENTS = [name for name in vars(Story) if name.startswith(("eve_", "ann_"))]


@pytest.mark.proves("REG-30", "REG-31", "REG-33", "GUE-25")
@pytest.mark.parametrize("first", EVENTS)
def test_whatever_the_order_nothing_of_a_strangers_attempt_survives_the_proof(first) -> None:
    for rest in product(EVENTS, repeat=3):
        story = Story()
        for event in (first, *rest):
            run(story.happens(event))
        run(ends_well(story, (first, *rest)))


async def ends_well(story, order):
    try:
        await story.ends()
    except AssertionError as failed:
        failed.add_note(f"after {order}")
        raise
