"""Two workers, crashes at every port call, failing targets, lapsing leases, jumping clocks: nothing is lost."""

from collections import defaultdict
from collections.abc import Coroutine, Generator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import Answer, got, run
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import AccountId, MessageId, WorkerId
from shopaccounts.kernel.messages import MESSAGES, Channel, Message, MessageCategory, MessageState, Priority
from shopaccounts.kernel.record import Change, Once
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.writing import compose
from shopaccounts.relay import (
    DELIVERIES,
    Accepted,
    Ack,
    CourierAnswer,
    Dead,
    OnDead,
    PermanentFailure,
    Refusal,
    Relay,
    Rendered,
    Retry,
    TargetAnswer,
    TargetPolicy,
    TemporaryFailure,
    Wording,
)
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.wrapping import PortCall, wrapped

START = datetime(2027, 2, 1, 12, tzinfo=UTC)
WORKERS = st.sampled_from(["w1", "w2"])
SUBJECTS = st.sampled_from(["c1", "c2", ""])


@attrs.frozen(kw_only=True)
class Happened(Event):
    """Something happened to somebody."""

    name = "machine.happened"
    account: AccountId | None


class Pause:
    """Lets somebody else go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def paced(port: Any) -> Any:
    """Answer a stand-in for a port that pauses before and after each call: there a worker can be stopped for good."""
    return wrapped(port, _paced)


def _paced(call: PortCall) -> Answer[Any]:
    async def answer() -> Any:
        await Pause()
        result = await got(call.make())
        await Pause()
        return result

    return answer()


@attrs.define
class Ear:
    """A target with moods."""

    name: str
    policy: TargetPolicy
    mood: type[Ack | Retry | Dead] = Ack
    heard: list[Envelope] = attrs.field(factory=list)
    patterns: tuple[str, ...] = ("machine.*",)

    def publish(self, batch: Sequence[Envelope]) -> Sequence[TargetAnswer]:
        self.heard += batch
        return [Ack() if self.mood is Ack else self.mood("moody")] * len(batch)  # type: ignore[call-arg]


@attrs.define
class Post:
    """A courier with moods."""

    mood: CourierAnswer = attrs.field(factory=Accepted)
    sent: list[MessageId] = attrs.field(factory=list)

    def send(self, message: Rendered) -> CourierAnswer:
        self.sent.append(message.id)
        return self.mood

    def hang_up(self) -> None: ...


class Words:
    def render(self, template: str, locale: str, variables: Mapping[str, str], channel: Channel) -> Wording:  # noqa: ARG002  (the port names it)
        return Wording(subject=template, text=variables["code"], locale=locale)


class RelayMachine(RuleBasedStateMachine):
    """Everything that can go wrong, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.storage, self.scope, self.clock = MemoryStorage(), Scope.single(), FixedClock(START)
        self.entropy = ScriptedEntropy()
        self.store = self.storage.open(self.scope)
        self.desk = Desk(
            scope=self.scope, records=self.store, clock=self.clock, entropy=self.entropy, bell=SilentBell()
        )
        self.vault = AesVault(RootKeyring([Secret(b"r" * 32)]), self.entropy)
        self.ears = {
            "skips": Ear("skips", TargetPolicy(batch=2)),
            "parks": Ear("parks", TargetPolicy(on_dead=OnDead.PARK)),
        }
        self.post = Post()
        self.workers: dict[str, Coroutine[Any, Any, Any]] = {}
        self.recorded: set[str] = set()
        self.written: dict[str, Message] = {}

    def relay(self, worker: str, pace: Any = paced) -> Relay:
        return Relay(
            desk=self.desk,
            store=pace(self.store),
            vault=pace(self.vault),
            templates=pace(Words()),
            couriers={Channel.EMAIL: pace(self.post)},
            targets=tuple(pace(ear) for ear in self.ears.values()),
            worker=WorkerId(worker),
        )

    # What the shop does

    @rule(subject=SUBJECTS)
    def something_happens(self, subject: str) -> None:
        events = self.desk.tell(Happened(at=self.clock.now(), account=AccountId(subject) if subject else None))
        run(self.desk.record(Change(events=events)))
        self.recorded |= {envelope.event_id for envelope in events}

    @rule(subject=SUBJECTS)
    def a_change_is_refused(self, subject: str) -> None:
        now = self.clock.now()
        once = Once(namespace="held", key="held", now=now, keep_until=now + timedelta(days=400))
        events = self.desk.tell(Happened(at=now, account=AccountId(subject) if subject else None))
        with suppress(Taken):
            run(self.desk.record(Change(once=(once,))))
        with pytest.raises(Taken):
            run(self.desk.record(Change(once=(once,), events=events)))

    @rule(deliver=st.booleans(), life=st.sampled_from([timedelta(minutes=1), timedelta(days=3)]))
    def a_message_is_written(self, *, deliver: bool, life: timedelta) -> None:
        message = run(
            compose(
                self.desk,
                self.vault,
                template="machine.code",
                channel=Channel.EMAIL,
                to="anna@lampenhaus.example",
                locale="en",
                variables={},
                secrets={"code": Secret("482913")},
                subject="c1",
                key=str(len(self.written)),
                category=MessageCategory.SECURITY,
                priority=Priority.SECURITY,
                expires_at=self.clock.now() + life,
                deliver=deliver,
            )
        )
        run(self.desk.record(Change(messages=(message,))))
        self.written[message.id] = message

    # What the workers do

    @rule(name=WORKERS)
    def a_worker_starts(self, name: str) -> None:
        if name not in self.workers:
            self.workers[name] = self.relay(name).deliver_pending(20)

    @precondition(lambda self: self.workers)
    @rule(name=WORKERS, steps=st.integers(1, 30))
    def a_worker_goes_on(self, name: str, steps: int) -> None:
        for _ in range(steps if name in self.workers else 0):
            try:
                self.workers[name].send(None)
            except StopIteration:
                del self.workers[name]
                return

    @precondition(lambda self: self.workers)
    @rule(name=WORKERS)
    def a_worker_dies(self, name: str) -> None:
        if name in self.workers:
            self.workers.pop(name).close()

    # What the world does

    @rule(span=st.sampled_from([timedelta(seconds=1), timedelta(seconds=61), timedelta(hours=1), timedelta(days=1)]))
    def time_passes(self, span: timedelta) -> None:
        self.clock.advance(span)

    @rule(name=st.sampled_from(["skips", "parks"]), mood=st.sampled_from([Ack, Retry, Dead]))
    def a_target_changes_its_mood(self, name: str, mood: Any) -> None:
        self.ears[name].mood = mood

    @rule(
        mood=st.sampled_from(
            [Accepted(), TemporaryFailure("mail.temporary"), PermanentFailure(Refusal.UNDELIVERABLE)],
        )
    )
    def the_post_changes_its_mood(self, mood: CourierAnswer) -> None:
        self.post.mood = mood

    # What must always hold

    @invariant()
    def nothing_is_told_that_was_not_recorded(self) -> None:
        for ear in self.ears.values():
            assert {envelope.event_id for envelope in ear.heard} <= self.recorded

    @invariant()
    def each_customers_events_are_first_heard_in_order(self) -> None:
        for ear in self.ears.values():
            first = defaultdict[str, list[int]](list)
            for envelope in ear.heard:
                if envelope.seq is not None and envelope.seq not in first[envelope.subject]:
                    first[envelope.subject].append(envelope.seq)
            assert all(order == sorted(order) for order in first.values())

    @invariant()
    def decoys_are_never_sent_and_what_ended_is_wiped(self) -> None:
        assert not {id for id in self.post.sent if not self.written[id].deliver}
        for id in self.written:
            message = self._message(id)
            assert message.is_open or (message.sealed is None and not message.variables)

    def teardown(self) -> None:
        """The workers die, everybody is in a good mood again, and one worker works until nothing is left."""
        for worker in self.workers.values():
            worker.close()
        self.post.mood = Accepted()
        for ear in self.ears.values():
            ear.mood = Ack
        relay = self.relay("last", pace=lambda port: port)
        self.clock.advance(timedelta(minutes=2))
        for _ in range(4):
            run(relay.deliver_pending(10_000))
            self.clock.advance(timedelta(days=2))
        dead = run(relay.dead_letters(limit=500)).items
        self._everything_arrived_or_is_dead({(letter.event_id, letter.target) for letter in dead})
        run(relay.requeue([letter.id for letter in dead]))
        run(relay.deliver_pending(10_000))
        self._everything_arrived_or_is_dead(set())
        assert run(relay.dead_letters()).items == ()
        assert not self.store.rows(DELIVERIES, "standing", "open", None, 500).items

    def _everything_arrived_or_is_dead(self, dead: set[tuple[Any, str]]) -> None:
        blocked = {target for _, target in dead if target == "parks"}
        for ear in self.ears.values():
            heard = {envelope.event_id for envelope in ear.heard}
            missing = {id for id in self.recorded - heard if (id, ear.name) not in dead}
            assert not missing or ear.name in blocked, f"{ear.name} never heard of {missing}"
        states = {self._message(id).state for id in self.written}
        assert MessageState.PENDING not in states
        for id in self.written:
            assert self._message(id).state is not MessageState.DELIVERED or id in self.post.sent

    def _message(self, id: str) -> Message:
        found = self.store.find(MESSAGES, id)
        assert found is not None
        return found.it


@pytest.mark.proves("REL-28", "REL-2", "REL-3", "REL-5", "REL-103", "REL-110", "MSG-18")
class TestRelayMachine(RelayMachine.TestCase):  # type: ignore[misc,valid-type]  # made by Hypothesis
    """The machine as a test."""

    settings = settings(max_examples=80, stateful_step_count=50)
