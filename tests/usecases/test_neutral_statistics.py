"""However long a stranger tries, what they see doesn't depend on who has an account here.

A stranger follows a random script: addresses in several spellings, from several networks, at any hour, in any order.
The same script is followed in every situation that the address may be in. The answers and what is asked of every port
(the hasher, the counters, the vault, the keyring, the records) have to be the same, step by step; so whatever a
stranger counts over many scripts has the same distribution. Clocks on the wall aren't asked: they tell of the machine.
"""

from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.scope import Scope
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import BEGINNING, PASSWORD, SITUATIONS, ShopBuilder, request_from
from shopaccounts.testing.recording import Recorder, seen_from_outside
from shopaccounts.testing.wrapping import wrapped

ANN, EVE = "ann@lamp.example", "eve@lamp.example"
PAUSES = (0, 1, 59, 61, 900, 3_700, 90_000)
WRONG = "seven other lamps in the wind"


@attrs.frozen
class Step:
    """One thing that a stranger does."""

    act: str
    pause: timedelta
    context: Any
    address: str


class Stranger:
    """Follows a script in one shop; keeps the newest handle that a form gave them, and has an account of their own."""

    def __init__(self, shop) -> None:
        self.shop, self.handle = shop, None

    async def _session(self, step):
        """Everybody who has an account may type another's address into it."""
        return (await self.shop.signin.sign_in_with_password(EVE, PASSWORD, step.context)).session

    async def invite(self, step):
        invited = await self.shop.invitations.invite(await self._session(step), step.address, step.context)
        return attrs.evolve(invited, id="drawn anew each time")

    async def add_a_contact(self, step):
        started = await self.shop.contacts.add_contact(await self._session(step), step.address, step.context)
        return attrs.evolve(started, addition="drawn anew each time")

    async def ask_for_another_address_to_sign_in_by(self, step):
        return await self.shop.contact_changes.promote_contact(await self._session(step), step.address, step.context)

    async def register(self, step):
        return await self._registered(step, PASSWORD)

    async def register_without_a_password(self, step):
        return await self._registered(step, None)

    async def _registered(self, step, password):
        form = RegistrationForm(identifier=step.address, password=password)
        started = await self.shop.registration.register(form, step.context)
        self.handle = started.handle
        return started

    async def ask_for_another_mail(self, step):
        return self.handle and await self.shop.registration.resend_verification(self.handle, step.context)

    async def guess_the_code(self, step):
        return self.handle and await self.shop.registration.complete_registration(self.handle, "wrong", step.context)

    async def guess_the_password(self, step):
        return await self.shop.signin.sign_in_with_password(step.address, WRONG, step.context)

    async def ask_for_a_reset(self, step):
        return await self.shop.recovery.request_reset(step.address, step.context)

    async def outcome(self, step):
        """What comes back: the value with its secrets hidden, or the refusal with its facts and waits."""
        try:
            return repr(await getattr(self, step.act)(step))
        except Rejected as refusal:
            return refusal.code, repr(refusal)


ACTS = [name for name in vars(Stranger) if not name.startswith("_") and name != "outcome"]
steps = st.builds(
    Step,
    act=st.sampled_from(ACTS),
    pause=st.sampled_from(PAUSES).map(lambda seconds: timedelta(seconds=seconds)),
    context=st.sampled_from(["192.0.2.1", "203.0.113.66", "2001:db8::1"]).map(request_from),
    address=st.sampled_from([ANN, "Ann@lamp.example", "ANN@LAMP.EXAMPLE"]),
)


def followed(situation, script, days, neighbours):
    """What a stranger sees of a script in one situation: the answers, and what was asked for each."""
    builder = ShopBuilder()
    plain = builder.build()
    for number in range(neighbours):
        run(plain.open_account(f"neighbour{number}@lamp.example"))
    run(plain.open_account(EVE))
    run(plain.arrange(situation, ANN))
    builder.clock.set(BEGINNING + timedelta(days=days, hours=1))
    recorder, letters = Recorder(), 0
    stranger = Stranger(builder.build(recorder))
    seen = []
    for step in script:
        builder.clock.advance(step.pause)
        recorder.trace.clear()
        letters = len(builder.mailbag.letters)
        answer = run(stranger.outcome(step))
        seen.append((answer, tuple(seen_from_outside(recorder.trace)), len(builder.mailbag.letters) - letters))
    return seen


@pytest.mark.proves("KER-250", "KER-251", "KER-252", "KER-254")
@settings(max_examples=40)
@given(script=st.lists(steps, min_size=1, max_size=6), days=st.integers(1, 45), neighbours=st.integers(0, 2))
def test_whatever_a_stranger_does_the_situations_look_alike(script, days, neighbours) -> None:
    first, *others = ((name, followed(name, script, days, neighbours)) for name in SITUATIONS)
    for name, seen in others:
        assert seen == first[1], f"{name!r} is not like {first[0]!r}"


@pytest.mark.proves("KER-250")
def test_the_sum_of_what_is_asked_over_many_scripts_is_the_same_in_every_situation() -> None:
    """The tally that somebody would keep who watches from outside: how often which port was asked, for which act."""
    tallies: dict[str, Counter[Any]] = {name: Counter() for name in SITUATIONS}
    for first, second in zip(ACTS, ACTS[1:] + ACTS[:1], strict=True):
        script = [step_for(first, 0), step_for(second, 61), step_for(first, 0)]
        for name, tally in tallies.items():
            for step, (_, trace, letters) in zip(script, followed(name, script, 2, 0), strict=True):
                tally.update((step.act, *call) for call in trace)
                tally[step.act, "letters"] += letters
    reference = tallies["unknown"]
    ports = {key[1] for key in reference}
    assert ports >= {"hasher", "counters", "AesVault", "RootKeyring", "records"}, ports
    assert all(tally == reference for tally in tallies.values())


def step_for(act, seconds):
    return Step(act=act, pause=timedelta(seconds=seconds), context=request_from(), address=ANN)


class Statements:
    """Lists what a database is asked between the changes that are recorded; what a change writes is its own affair."""

    def __init__(self, storage: SqlStorage) -> None:
        self.asked: list[str] = []
        self._recording = False
        event.listen(storage.engine, "before_cursor_execute", self._note)

    def __call__(self, port):
        return wrapped(port, self._around)

    def _around(self, call):
        self._recording = call.method == "record"
        try:
            return call.make()
        finally:
            self._recording = False

    def _note(self, _connection, _cursor, statement, *_) -> None:
        if not self._recording:
            self.asked.append(" ".join(statement.split()))


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    storage = SqlStorage(f"sqlite:///{tmp_path_factory.mktemp('neutral') / 'shop.db'}")
    storage.tables.metadata.create_all(storage.engine)
    yield storage
    storage.close()


@pytest.mark.proves("KER-250")
@pytest.mark.parametrize("act", ACTS)
def test_the_database_is_asked_the_same_questions_in_every_situation(books, act) -> None:
    statements, seen = Statements(books), {}
    for number, situation in enumerate(SITUATIONS):
        scope = Scope(realm=RealmId(f"{act} {number}"), store=StoreId("main"))
        builder = ShopBuilder(storage=books, scope=scope)
        run(builder.build().open_account(EVE))
        run(builder.build().arrange(situation, ANN))
        builder.clock.set(BEGINNING + timedelta(days=2))
        stranger = Stranger(builder.build(statements))
        run(stranger.outcome(step_for("register", 0)))
        builder.clock.advance(timedelta(minutes=2))
        statements.asked.clear()
        run(stranger.outcome(step_for(act, 0)))
        seen[situation] = list(statements.asked)
    assert seen["unknown"]
    for situation, asked in seen.items():
        assert asked == seen["unknown"], f"{situation!r} is not like 'unknown'"


@pytest.mark.proves("KER-250")
@pytest.mark.parametrize("act", ACTS)
def test_what_is_recorded_takes_as_many_statements_in_every_situation(books, act) -> None:
    """All statements, those of ``record`` too; what an account alone has is its place in its own history."""
    seen = {}
    for number, situation in enumerate(SITUATIONS):
        scope = Scope(realm=RealmId(f"all of {act} {number}"), store=StoreId("main"))
        builder = ShopBuilder(storage=books, scope=scope)
        run(builder.build().open_account(EVE))
        run(builder.build().arrange(situation, ANN))
        builder.clock.set(BEGINNING + timedelta(days=2))
        stranger = Stranger(builder.build())
        run(stranger.outcome(step_for("ask_for_a_reset", 0)))
        builder.clock.advance(timedelta(minutes=2))
        if act in {"ask_for_another_mail", "guess_the_code"}:
            run(stranger.outcome(step_for("register", 0)))
            builder.clock.advance(timedelta(minutes=2))
        with every_statement(books) as asked:
            run(stranger.outcome(step_for(act, 0)))
        seen[situation] = len(asked)
    assert max(seen.values()) - min(seen.values()) <= ALONE.get(act, 0), seen


ALONE = {"ask_for_a_reset": 2, "register": 1, "register_without_a_password": 1}
"""By how many statements situations may differ: the place of an event in a history, the word of a suspension, the key
of an address that nobody had."""


@contextmanager
def every_statement(storage: SqlStorage):
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        asked.append(statement)

    event.listen(storage.engine, "before_cursor_execute", note)
    yield asked
    event.remove(storage.engine, "before_cursor_execute", note)
