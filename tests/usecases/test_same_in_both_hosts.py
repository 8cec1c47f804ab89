"""A blocking and an async host do the same, to the byte: states, events, messages, counters and answers."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.recovery import Question, SecurityQuestionsPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.plugin import ASYNC, BLOCKING

HERE = request_from(agent="a browser")
STEPS = ("register", "guess", "complete", "confirm", "take over", "resend", "sign in", "sign in wrong", "resume")
ADDRESSES = st.sampled_from(["ann@lamp.example", "eve@lamp.example"])
MORE = ("list", "sign out", "everywhere", "others", "ask", "peek", "reset", "wait", "wait long", "upkeep")
OTHER = "another lamp by the river"
ANSWERS: dict[Question, object] = {
    Question.FIRST_PET: "a goldfish called Ottokar",
    Question.FIRST_CONCERT: "The Velvet Lampshades",
    Question.WORST_HOLIDAY: "rain in Bremen",
}
SIGNED_IN: dict[str, Any] = {
    "prove again": lambda shop, value, _: shop.signin.confirm_identity(value, PASSWORD, HERE),
    "change password": lambda shop, value, _: shop.passwords.change_password(value, PASSWORD, OTHER, HERE),
    "change it back": lambda shop, value, _: shop.passwords.change_password(value, OTHER, PASSWORD, HERE),
    "add": lambda shop, value, to: shop.contacts.add_contact(value, f"more.{to}", HERE),
    "contacts": lambda shop, value, _: shop.contacts.list_contacts(value, HERE),
    "move": lambda shop, value, to: shop.contact_changes.promote_contact(value, f"new.{to}", HERE),
    "stop moving": lambda shop, value, _: shop.contact_changes.cancel_contact_change(value, HERE),
    "leave": lambda shop, value, _: shop.closings.request_account_closing(value, None, HERE),
    "stay": lambda shop, value, _: shop.closings.cancel_account_closing(value, HERE),
    "history": lambda shop, value, _: shop.history.security_history(value, HERE),
    "history as a table": lambda shop, value, _: shop.history.security_history_csv(value, HERE),
    "devices": lambda shop, value, _: shop.sessions.list_devices(value, HERE),
    "forget devices": lambda shop, value, _: shop.sessions.forget_all_devices(value, HERE),
    "invite": lambda shop, value, to: shop.invitations.invite(value, f"friend.{to}", HERE),
    "invitations": lambda shop, value, _: shop.invitations.list_invitations(value, HERE),
    "questions": lambda shop, value, _: shop.questions.set_questions(value, ANSWERS, HERE),
    "no questions": lambda shop, value, _: shop.questions.remove_questions(value, HERE),
    "cases": lambda shop, value, _: shop.cases.list_cases(value, HERE),
}
"""What somebody does who is signed in, with one of the addresses."""
OPENED: dict[str, Any] = {
    "reset with answers": (
        "link",
        "reset_password",
        lambda shop, link, _: shop.recovery.reset_password(link, OTHER, HERE, ANSWERS),
    ),
    "prove": ("link", "add_contact", lambda shop, link, value: shop.contacts.confirm_added_contact(link, value, HERE)),
    "new": (
        "link",
        "confirm_new_contact",
        lambda shop, link, value: shop.contact_changes.confirm_change_new(link, value, HERE),
    ),
    "old": (
        "link",
        "confirm_old_contact",
        lambda shop, link, value: shop.contact_changes.confirm_change_old(link, value, HERE),
    ),
    "undo": (
        "link",
        "undo_contact_change",
        lambda shop, link, _: shop.contact_changes.reverse_contact_change(link, HERE),
    ),
    "close": (
        "link",
        "close_account",
        lambda shop, link, value: shop.closings.confirm_account_closing(value, link, HERE),
    ),
    "accept": (
        "link",
        "invitation",
        lambda shop, link, value: shop.invitations.accept_with_account(link, value, HERE),
    ),
    "decline": ("link", "invitation", lambda shop, link, _: shop.invitations.decline_invitation(link, HERE)),
    "not me": ("not_me_link", "was_changed", lambda shop, link, _: shop.objections.not_me_change(link, HERE)),
    "not my sign-in": ("not_me_link", "new_device", lambda shop, link, _: shop.objections.not_me_sign_in(link, HERE)),
    "freeze": ("freeze_link", "was_changed", lambda shop, link, _: shop.customers.freeze_account(link, HERE)),
}
"""What somebody does with a link of a mail: the link's name, the mail's, and what."""
ALL = (*STEPS, *MORE, *SIGNED_IN, *OPENED, *("sign in",) * 8)
"""Signing in comes often, since much of the rest ends the session."""


class Visit:
    """Somebody clicks around."""

    def __init__(self, host, addresses):
        questions = SecurityQuestionsPolicy(enabled=True, accept_risk=True)
        self.builder: Any = ShopBuilder(host=host, policies=quick_policies(questions=questions))
        self.shop = self.builder.build()
        self.addresses = itertools.cycle(addresses)
        self.handle: Any = None
        self.session: Any = None
        self.answers: list[tuple[str, str]] = []

    @property
    def address(self):
        return next(self.addresses)

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
        if step in {"guess", "complete", "resend"}:
            return await self.with_handle(step) if self.handle else None
        if step in {"confirm", "take over", "peek", "reset"}:
            return await self.with_link(step)
        if step in {"resume", "list", "sign out", "everywhere", "others"}:
            return await self.with_session(step) if self.session else None
        if step in SIGNED_IN:
            return self.goes_on(await SIGNED_IN[step](self.shop, self.session, self.address))
        if step in OPENED:
            return await self.opens(*OPENED[step])
        acts = {
            "register": self.register,
            "sign in": lambda: self.sign_in(PASSWORD),
            "sign in wrong": lambda: self.sign_in("seven other lamps in the wind"),
            "ask": lambda: self.shop.recovery.request_reset(self.address, HERE),
            "upkeep": self.shop.upkeep.tick,
            "wait": lambda: self.waits(timedelta(minutes=2)),
            "wait long": lambda: self.waits(timedelta(days=9)),
        }
        return await acts[step]()

    def goes_on(self, answer):
        """A browser keeps the newest value of its session."""
        self.session = getattr(getattr(answer, "next_value", answer), "session", None) or self.session
        return answer

    async def opens(self, link, template, act):
        letters = [one for one in self.builder.mailbag.letters if one.template.partition(".")[2] == template]
        if not letters:
            return None
        return self.goes_on(await act(self.shop, letters[-1].ticket(link), self.session))

    async def waits(self, time):
        self.builder.clock.advance(time)

    async def register(self):
        form = RegistrationForm(identifier=self.address, password=PASSWORD)
        started = await self.shop.registration.register(form, HERE)
        self.handle = started.handle
        return started

    async def sign_in(self, password):
        entered = await self.shop.signin.sign_in_with_password(self.address, password, HERE)
        self.session = getattr(entered, "session", self.session)
        return entered

    async def with_handle(self, step):
        if step == "resend":
            return await self.shop.registration.resend_verification(self.handle, HERE)
        letter = self.link("registration.verify_contact")
        code = letter.code if step == "complete" and letter else "wrong"
        done = await self.shop.registration.complete_registration(self.handle, code, HERE)
        if isinstance(done.step, SignedIn):
            self.session = done.step.session
        return done

    async def with_link(self, step):
        proves = step in {"confirm", "take over"}
        letter = self.link("registration.verify_contact" if proves else "recovery.reset_password")
        if letter is None:
            return None
        acts = {
            "confirm": lambda: self.shop.registration.confirm_contact(letter.token, self.handle, HERE),
            "take over": lambda: self.shop.registration.take_over_contact(letter.token, PASSWORD + " mine", HERE),
            "peek": lambda: self.shop.recovery.peek_reset(letter.token, HERE),
            "reset": lambda: self.shop.recovery.reset_password(letter.token, PASSWORD + " again", HERE),
        }
        return await acts[step]()

    async def with_session(self, step):
        sessions = self.shop.sessions
        acts = {
            "resume": sessions.resume,
            "list": sessions.list_sessions,
            "sign out": sessions.sign_out,
            "everywhere": sessions.sign_out_everywhere,
            "others": sessions.end_other_sessions,
        }
        return await acts[step](self.session, HERE)

    def left(self):
        """Everything that is kept, as text."""
        realm = self.builder.storage.snapshot()["main"]
        books = {book.name: {id: serial.dump(it) for id, it in realm.books[book.name].items()} for book in BOOKS}
        return books, realm.keys, realm.counters, realm.once, realm.numbers


@settings(max_examples=60)
@given(
    steps=st.lists(st.sampled_from(ALL), min_size=5, max_size=60),
    addresses=st.lists(ADDRESSES, min_size=2, max_size=5),
)
def test_the_same_clicks_leave_the_same_behind_in_both_hosts(steps, addresses) -> None:
    begun = ["register", "complete", "wait", "sign in", *steps]
    blocking, later = Visit(BLOCKING, addresses), Visit(ASYNC, addresses)
    run(blocking.goes(begun))
    asyncio.run(later.goes(begun))
    assert blocking.answers == later.answers
    assert blocking.left() == later.left()
    assert [attrs.asdict(letter) for letter in blocking.builder.mailbag.letters] == [
        attrs.asdict(letter) for letter in later.builder.mailbag.letters
    ]
