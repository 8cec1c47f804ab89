import logging
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import attrs
import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.errors import Defect, StaleWrite, Taken, Throttled
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, RealmId, StoreId
from shopaccounts.kernel.record import Change, Recorded, Replayed
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.time import FixedClock
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.toys import BOXES, TOYS, box

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
AGENT = Actor(ActorKind.AGENT, "agent-1", "account-1")
SCOPE = Scope(realm=RealmId("lamps"), store=StoreId("de"), actor=AGENT, trace="request-1")


@attrs.frozen(kw_only=True)
class LampLit(Event):
    name: ClassVar[str] = "toys.lamp_lit"
    schema: ClassVar[int] = 3
    account: AccountId
    watts: int


@attrs.frozen(kw_only=True)
class LampBroke(Event):
    name: ClassVar[str] = "toys.lamp_broke"


class CountingBell:
    def __init__(self, failure=None):
        self.rung, self.failure = 0, failure

    def ring(self):
        self.rung += 1
        if self.failure:
            raise self.failure


class ScriptedRecords:
    """Answers each ``record`` with the next of its answers."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def record(self, _change):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def desk(records=None, bell=None, clock=None):
    return Desk(
        scope=SCOPE,
        records=records or MemoryStorage().open(SCOPE),
        clock=clock or FixedClock(NOW),
        entropy=ScriptedEntropy(),
        bell=bell or SilentBell(),
    )


LIT = LampLit(at=NOW, account=AccountId("account-1"), watts=60)


class TestTelling:
    @pytest.mark.proves("KER-190")
    def test_an_envelope_says_what_happened_when_where_by_whom_and_why(self):
        (envelope,) = desk().tell(LIT)
        told = attrs.asdict(envelope, filter=attrs.filters.exclude("event_id"), recurse=False)
        assert told == {
            "name": "toys.lamp_lit", "schema": 3, "occurred_at": NOW, "recorded_at": NOW, "realm": "lamps",
            "store": "de", "subject": "account-1", "actor": AGENT, "cause": "request-1",
            "data": '{"account":"account-1","watts":60}', "seq": None, "fanned_out_at": None,
            "kept_until": NOW, "version": 1,
        }  # fmt: skip

    def test_the_cause_may_be_another_than_the_request(self):
        assert desk().tell(LIT, cause="event-7")[0].cause == "event-7"

    def test_what_concerns_no_customer_belongs_to_nobodys_history(self):
        (envelope,) = desk().tell(LampBroke(at=NOW))
        assert (envelope.subject, envelope.data, envelope.schema) == ("", "{}", 1)

    @pytest.mark.proves("KER-193")
    def test_several_events_keep_their_order_and_have_growing_ids(self):
        told = desk().tell(LIT, LampBroke(at=NOW), LIT)
        assert [envelope.name for envelope in told] == ["toys.lamp_lit", "toys.lamp_broke", "toys.lamp_lit"]
        assert sorted({envelope.id for envelope in told}) == [envelope.event_id for envelope in told]


class TestRecording:
    @pytest.mark.proves("KER-106")
    def test_a_change_of_nothing_asks_no_store(self):
        records = ScriptedRecords()
        assert run(desk(records).record(Change())) == Recorded()
        assert records.asked == 0

    def test_a_change_that_contradicts_itself_is_never_sent(self):
        one = box(SCOPE, "one")
        records = ScriptedRecords()
        with pytest.raises(Defect):
            run(desk(records).record(Change(writes=(BOXES.add(one), BOXES.add(one)))))
        assert records.asked == 0

    def test_the_relay_is_rung_for_once_what_it_should_hear_of_is_stored(self):
        told = Change(events=desk().tell(LIT))
        for answer, rung in [(Recorded(), 1), (Recorded(durable=False), 0), (Replayed(b""), 0)]:
            bell = CountingBell()
            assert run(desk(ScriptedRecords(answer), bell).record(told)) == answer
            assert bell.rung == rung

    def test_it_isnt_rung_for_where_there_is_nothing_to_hand_on_or_nothing_was_stored(self):
        bell = CountingBell()
        run(desk(ScriptedRecords(Recorded()), bell).record(Change(writes=(BOXES.add(box(SCOPE, "one")),))))
        with pytest.raises(StaleWrite):
            run(desk(ScriptedRecords(StaleWrite("boxes", "one")), bell).record(Change(events=desk().tell(LIT))))
        assert bell.rung == 0

    def test_a_bell_that_fails_undoes_nothing(self, caplog):
        bell = CountingBell(ConnectionError("no broker"))
        with caplog.at_level(logging.ERROR):
            assert run(desk(ScriptedRecords(Recorded()), bell).record(Change(events=desk().tell(LIT)))) == Recorded()
        assert "could not be told" in caplog.text


class Losing:
    """A decision that loses so many times before it wins."""

    def __init__(self, desk, *losses):
        self.desk, self.losses, self.seen = desk, list(losses), []

    async def __call__(self):
        self.seen.append(self.desk.now())
        self.desk.clock.advance(timedelta(seconds=1))
        if self.losses:
            raise self.losses.pop(0)
        return "won"


STALE, TAKEN = StaleWrite("boxes", "one"), Taken("box_name")


class TestRetrying:
    @pytest.mark.proves("KER-109")
    @pytest.mark.parametrize("losses", range(5))
    def test_who_was_beaten_loads_and_decides_again_with_the_time_it_is_then(self, losses):
        here = desk()
        decide = Losing(here, *[STALE] * losses)
        assert run(here.retrying(decide)) == "won"
        assert decide.seen == [NOW + timedelta(seconds=n) for n in range(losses + 1)]

    @pytest.mark.proves("KER-109")
    @pytest.mark.parametrize("attempts", [1, 3, 5, 6])
    def test_after_the_last_round_the_caller_hears_of_it(self, attempts):
        here = desk()
        decide = Losing(here, *[STALE] * 9)
        with pytest.raises(StaleWrite):
            run(here.retrying(decide, attempts=attempts))
        assert len(decide.seen) == attempts

    @pytest.mark.proves("KER-109")
    def test_five_rounds_unless_somebody_says_otherwise(self):
        here = desk()
        decide = Losing(here, *[STALE] * 9)
        with pytest.raises(StaleWrite):
            run(here.retrying(decide))
        assert len(decide.seen) == 5

    @pytest.mark.proves("KER-109")
    def test_a_key_that_is_taken_is_no_reason_to_decide_again_unless_the_use_case_says_so(self):
        here = desk()
        with pytest.raises(Taken):
            run(here.retrying(Losing(here, TAKEN)))
        assert run(here.retrying(Losing(here, TAKEN, STALE, TAKEN), on_taken=True)) == "won"

    @pytest.mark.proves("KER-109")
    @pytest.mark.parametrize(
        "failure", [Throttled(timedelta(1)), Defect("x"), ValueError("x")], ids=lambda f: type(f).__name__
    )
    def test_nothing_else_is_tried_again(self, failure):
        here = desk()
        decide = Losing(here, failure)
        with pytest.raises(type(failure)):
            run(here.retrying(decide, on_taken=True))
        assert len(decide.seen) == 1

    @pytest.mark.proves("KER-109")
    async def test_two_who_change_one_thing_both_succeed_in_the_end(self, storage, scope):
        store = storage.open(scope)
        here = attrs.evolve(desk(), scope=scope, records=store)
        await here.record(Change(writes=(BOXES.add(box(scope, "one")),)))
        interrupted: list[bool] = []

        async def count_up():
            found = await got(store.find(BOXES, "one"))
            if not interrupted:
                interrupted.append(True)
                await here.retrying(count_up)
            await here.record(
                Change(writes=(BOXES.change(found.it, attrs.evolve(found.it, count=found.it.count + 1)),))
            )

        await here.retrying(count_up)
        assert (await got(store.find(BOXES, "one"))).it.count == 2


def test_the_toys_have_a_book_for_boxes() -> None:
    assert BOXES in TOYS
