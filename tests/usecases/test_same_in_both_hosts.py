"""A blocking and an async host do the same, to the byte: states, events, messages, counters and answers."""

import asyncio
import random
from datetime import timedelta

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.plugin import ASYNC, BLOCKING

HERE = request_from(agent="a browser")
STEPS = ("register", "guess", "complete", "confirm", "take over", "resend", "sign in", "sign in wrong", "resume")
MORE = ("list", "sign out", "everywhere", "others", "ask", "peek", "reset", "wait", "wait long", "upkeep")


class Visit:
    """Somebody clicks around; what is chosen depends on the seed alone."""

    def __init__(self, host, seed):
        self.builder = ShopBuilder(host=host)
        self.shop = self.builder.build()
        self.choices = random.Random(seed)
        self.handle = self.session = None
        self.answers = []

    @property
    def address(self):
        return self.choices.choice(("ann@lamp.example", "eve@lamp.example"))

    def link(self, template):
        found = [letter for letter in self.builder.mailbag.letters if letter.template == template]
        return found[-1] if found else None

    async def goes(self, steps):
        for step in steps:
            try:
                answer = repr(await self.step(step))
            except Rejected as refusal:
                answer = f"{refusal.code} {refusal!r}"
            self.answers.append((step, answer))

    async def step(self, step):
        shop, clock = self.shop, self.builder.clock
        letter, reset = self.link("registration.verify_contact"), self.link("recovery.reset_password")
        match step:
            case "register":
                form = RegistrationForm(identifier=self.address, password=PASSWORD)
                self.handle = (await shop.registration.register(form, HERE)).handle
            case "wait":
                return clock.advance(timedelta(minutes=2))
            case "wait long":
                return clock.advance(timedelta(days=9))
            case "upkeep":
                return await shop.upkeep.tick()
            case "ask":
                return await shop.recovery.request_reset(self.address, HERE)
            case "sign in" | "sign in wrong":
                typed = PASSWORD if step == "sign in" else "seven other lamps in the wind"
                entered = await shop.signin.sign_in_with_password(self.address, typed, HERE)
                self.session = getattr(entered, "session", self.session)
                return entered
            case "guess" | "complete" | "resend" if self.handle:
                return await self.with_handle(step, letter.code)
            case "confirm" | "take over" if letter:
                return await self.with_link(step, letter.token)
            case "peek" | "reset" if reset:
                if step == "peek":
                    return await shop.recovery.peek_reset(reset.token, HERE)
                return await shop.recovery.reset_password(reset.token, PASSWORD + " again", HERE)
            case _ if self.session:
                return await self.with_session(step)

    async def with_handle(self, step, code):
        if step == "resend":
            return await self.shop.registration.resend_verification(self.handle, HERE)
        done = await self.shop.registration.complete_registration(self.handle, code if step == "complete" else "0", HERE)
        if isinstance(done.step, SignedIn):
            self.session = done.step.session
        return done

    async def with_link(self, step, token):
        if step == "confirm":
            return await self.shop.registration.confirm_contact(token, self.handle, HERE)
        return await self.shop.registration.take_over_contact(token, PASSWORD + " mine", HERE)

    async def with_session(self, step):
        signin = self.shop.signin
        acts = {
            "resume": signin.resume,
            "list": signin.list_sessions,
            "sign out": signin.sign_out,
            "everywhere": signin.sign_out_everywhere,
            "others": signin.end_other_sessions,
        }
        return await acts[step](self.session, HERE) if step in acts else None

    def left(self):
        """Everything that is kept, as text."""
        realm = self.builder.storage.snapshot()["main"]
        books = {book.name: {id: serial.dump(it) for id, it in realm.books[book.name].items()} for book in BOOKS}
        return books, realm.keys, realm.counters, realm.once, realm.last_seq


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS + MORE), min_size=5, max_size=40), seed=st.integers(0, 99))
def test_the_same_clicks_leave_the_same_behind_in_both_hosts(steps, seed) -> None:
    begun = ["register", "complete", "wait", "sign in", *steps]
    blocking, later = Visit(BLOCKING, seed), Visit(ASYNC, seed)
    run(blocking.goes(begun))
    asyncio.run(later.goes(begun))
    assert blocking.answers == later.answers
    assert blocking.left() == later.left()
    assert [attrs.asdict(letter) for letter in blocking.builder.mailbag.letters] == [
        attrs.asdict(letter) for letter in later.builder.mailbag.letters
    ]
