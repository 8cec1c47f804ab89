"""The relay over a database."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.messages import MESSAGES, MessageState
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.relay import DELIVERIES, Ack, Dead, Delivered, OnDead, TargetAnswer, TargetPolicy, TargetStatus

if TYPE_CHECKING:
    from tests.usecases.relay.conftest import Office


@attrs.define
class Ear:
    name: str
    answer: TargetAnswer
    policy: TargetPolicy = attrs.field(factory=TargetPolicy)
    patterns: tuple[str, ...] = ("toys.*",)
    heard: list[int | None] = attrs.field(factory=list)

    def publish(self, batch: Sequence[Envelope]) -> Sequence[TargetAnswer]:
        self.heard += [envelope.seq for envelope in batch]
        return [self.answer] * len(batch)


@pytest.fixture
def host() -> str:
    return "blocking"


@pytest.fixture
def storage() -> Iterator[SqlStorage]:
    storage = SqlStorage("sqlite:///:memory:", books=(EVENTS, DELIVERIES, MESSAGES))
    storage.tables.metadata.create_all(storage.engine)
    yield storage
    storage.close()


@pytest.mark.proves("REL-5", "REL-7", "REL-13", "MSG-2")
def test_the_relay_does_over_a_database_what_it_does_in_memory(office: "Office") -> None:
    crm, erp = Ear("crm", Ack()), Ear("erp", Dead("broken"), TargetPolicy(on_dead=OnDead.PARK))
    relay = office.relay(crm, erp)
    run(office.happen("c1", 3))
    written = run(office.write(subject=""))
    assert run(relay.deliver_pending()) == Delivered(sent=1, fanned_out=5, published=3, died=1)
    message = run(office.message(written.id))
    assert (message.state, message.sealed, message.variables) == (MessageState.DELIVERED, None, {})
    assert run(relay.status()).targets == (
        TargetStatus(target="crm"),
        TargetStatus(target="erp", pending=2, dead=1, oldest=office.clock.now()),
    )
    erp.answer = Ack()
    run(relay.requeue([letter.id for letter in run(relay.dead_letters()).items]))
    assert run(relay.deliver_pending()).published == 3
    assert (crm.heard, erp.heard) == ([1, 2, 3], [1, 1, 2, 3])
    office.clock.advance(timedelta(days=31))
    assert run(relay.prune()) == 12
