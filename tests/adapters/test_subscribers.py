"""Reading recorded events, however old they are."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.subscribers import CallableTarget, read_event
from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.errors import BadPolicy, Taken
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import EventId, RealmId, StoreId
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.relay import Ack, Dead, Retry, TargetAnswer

NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class LampLit(Event):
    """Grown over the years: first a room, then a floor too, then the brightness in percent."""

    name = "lamps.lit"
    schema = 3
    room: str
    floor: int
    percent: int


UPCASTS = {
    ("lamps.lit", 1): lambda data: {**data, "floor": 0},
    ("lamps.lit", 2): lambda data: {"room": data["room"], "floor": data["floor"], "percent": data["brightness"] * 10},
}


def envelope(data: str, schema: int = 3, name: str = "lamps.lit") -> Envelope:
    return Envelope(
        event_id=EventId("e1"),
        name=name,
        schema=schema,
        occurred_at=NOW,
        recorded_at=NOW,
        realm=RealmId("main"),
        store=StoreId("main"),
        subject="",
        actor=Actor(ActorKind.SYSTEM),
        cause="",
        data=data,
        kept_until=NOW,
    )


def told(letter: Envelope, tell: Any = lambda *_: None) -> TargetAnswer:
    async def publish() -> TargetAnswer:
        (answer,) = await got(CallableTarget("crm", ("*",), tell, upcasts=UPCASTS).publish([letter]))
        return answer

    return run(publish())


@pytest.mark.proves("REL-11")
@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (1, '{"room":"attic","brightness":7}'),
        (2, '{"room":"attic","floor":0,"brightness":7}'),
        (3, '{"room":"attic","floor":0,"percent":70}'),
    ],
)
def test_an_old_event_is_read_as_todays_class(schema: int, data: str) -> None:
    assert read_event(envelope(data, schema), UPCASTS) == LampLit(at=NOW, room="attic", floor=0, percent=70)


@pytest.mark.proves("REL-11")
def test_what_this_version_can_not_read_yet_is_tried_again_later() -> None:
    for letter in (envelope("{}", schema=4), envelope("{}", name="lamps.sung"), envelope("{}", schema=0)):
        with pytest.raises(BadPolicy):
            read_event(letter, UPCASTS)
        assert told(letter) == Retry("relay.event_unknown")


@pytest.mark.proves("REL-27")
@pytest.mark.parametrize(
    "data", ["", "{", "[]", "null", "{}", '{"room":1}', '{"room":"attic","floor":"x","percent":1}']
)
def test_a_text_that_no_longer_parses_is_dead_at_once(data: str) -> None:
    assert told(envelope(data)) == Dead("relay.unreadable")


@pytest.mark.proves("REL-10")
@pytest.mark.parametrize(("field", "answer"), [("once:handled:rewards", Ack()), ("login_key", Retry("kernel.taken"))])
def test_losing_on_ones_own_marker_means_done_and_on_any_other_key_does_not(field: str, answer: TargetAnswer) -> None:
    def tell(*_: object) -> None:
        raise Taken(field)

    assert told(envelope('{"room":"attic","floor":0,"percent":70}'), tell) == answer


@pytest.mark.proves("REL-9")
def test_an_exception_is_kept_by_its_kind_only() -> None:
    def tell(*_: object) -> None:
        raise ValueError(NOW)

    assert told(envelope('{"room":"attic","floor":0,"percent":70}'), tell) == Retry("relay.raised:ValueError")
