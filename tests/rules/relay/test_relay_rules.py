"""What becomes of an event, a delivery and a message."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import EventId, MessageId, RealmId, StoreId
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, MessageState, Priority
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.vault import Sealed
from shopaccounts.relay import (
    DEFAULT,
    DELIVERIES,
    LOGIN_REFUSED,
    Accepted,
    Ack,
    CourierRefusedLogin,
    Dead,
    DeliveryDied,
    MailPolicy,
    MessageBounced,
    MessageDelivered,
    MessageDropped,
    MessageExpired,
    OnDead,
    PermanentFailure,
    Refusal,
    RelayPolicy,
    Retry,
    TargetPolicy,
    TemporaryFailure,
    handled_once,
)
from shopaccounts.relay.model import Delivery, DeliveryState, is_dead
from shopaccounts.relay.rules import (
    DECOY,
    Ended,
    MessageOutcome,
    after_publishing,
    after_sending,
    check_target,
    fan_out,
    reason_key,
    requeued,
    thrown_away,
    wants,
)

NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)
POLICY = RelayPolicy(spread=0)
MONTH = timedelta(days=30)


def envelope(name: str = "toys.sold", seq: int | None = 1) -> Envelope:
    return Envelope(
        event_id=EventId("e1"),
        name=name,
        schema=1,
        occurred_at=NOW,
        recorded_at=NOW,
        realm=RealmId("main"),
        store=StoreId("main"),
        subject="c1",
        actor=Actor(ActorKind.SYSTEM),
        cause="",
        data="{}",
        kept_until=NOW,
        seq=seq,
    )


def delivery(**changes: Any) -> Delivery:
    plain = Delivery(
        id="e1:crm",
        realm=RealmId("main"),
        event_id=EventId("e1"),
        target="crm",
        subject="c1",
        seq=1,
        recorded_at=NOW,
        due_at=NOW,
    )
    return attrs.evolve(plain, **changes)


def message(**changes: Any) -> Message:
    plain = Message(
        id=MessageId("m1"),
        realm=RealmId("main"),
        store=StoreId("main"),
        template="recovery.reset_password",
        channel=Channel.EMAIL,
        locale="en",
        category=MessageCategory.SECURITY,
        priority=Priority.SECURITY,
        subject="c1",
        sealed=Sealed(b"sealed"),
        variables={"shop": "Lampenhaus"},
        created_at=NOW,
        due_at=NOW,
        expires_at=NOW + timedelta(days=2),
        idempotency_key="k1",
    )
    return attrs.evolve(plain, **changes)


def sent(outcome: MessageOutcome, **changes: Any) -> tuple[Message, tuple[Event, ...]]:
    return after_sending(message(**changes), outcome, NOW, 0.5, POLICY)


# Which events a target gets


@pytest.mark.proves("REL-27")
@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "toys.sold", True),
        ("toys.*", "toys.sold", True),
        ("toys.*", "toys.parts.sold", True),
        ("toys.*", "toysets.sold", False),
        ("toys.sold", "toys.sold", True),
        ("toys.sold", "toys.sold_out", False),
    ],
)
def test_a_pattern_is_a_name_a_family_or_everything(pattern: str, name: str, *, fits: bool) -> None:
    assert wants((pattern,), name) is fits
    check_target("crm", (pattern,))


@pytest.mark.proves("REL-27")
@pytest.mark.parametrize("patterns", [(), ("",), ("toys",), ("toys.*", "Toys.sold"), ("*.sold",), ("toys.**",)])
def test_patterns_that_name_no_event_are_refused(patterns: tuple[str, ...]) -> None:
    with pytest.raises(BadPolicy):
        check_target("crm", patterns)


@pytest.mark.proves("REL-27")
@pytest.mark.parametrize("name", ["", "CRM", "crm:1", "x" * 65])
def test_names_that_no_target_can_have_are_refused(name: str) -> None:
    with pytest.raises(BadPolicy):
        check_target(name, ("*",))


@pytest.mark.proves("REL-27")
@pytest.mark.parametrize(
    "wrong",
    [
        {"lease": timedelta(seconds=9)},
        {"page": 0},
        {"page": 501},
        {"stop_before": timedelta(seconds=60)},
        {"stop_before": -timedelta(seconds=1)},
        {"spread": 1.0},
        {"keep_published": timedelta(days=91)},
    ],
)
def test_a_relay_that_could_not_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadPolicy):
        RelayPolicy(**wrong)


def test_a_batch_has_one_to_500_events() -> None:
    for batch in (0, 501):
        with pytest.raises(BadPolicy):
            TargetPolicy(batch=batch)


@pytest.mark.proves("MSG-10")
@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": "nobody"},
        {"sender": "shop@example.org\r\nBcc: all@example.org"},
        {"sender": "shop@example.org", "sender_name": "Shop\nBcc: all@example.org"},
        {"sender": "shop@example.org", "timeout": timedelta(0)},
    ],
)
def test_a_sender_that_would_break_a_header_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadPolicy):
        MailPolicy(**wrong)


@pytest.mark.proves("REL-4")
def test_fanning_out_marks_the_event_and_makes_one_delivery_for_each_target_that_wants_it() -> None:
    change = fan_out(envelope(), {"crm": ("toys.*",), "erp": ("lamps.*",), "all": ("*",)}, NOW, MONTH)
    marked, *made = change.writes
    assert (marked.now.fanned_out_at, marked.now.kept_until) == (NOW, NOW + MONTH)
    assert [(write.now.id, write.now.due_at, write.was) for write in made] == [
        ("e1:crm", NOW, None),
        ("e1:all", NOW, None),
    ]
    again = fan_out(envelope(), {"crm": ("toys.*",), "all": ("*",)}, NOW + timedelta(days=1), MONTH)
    assert [write.place for write in again.writes] == [write.place for write in change.writes]


@pytest.mark.proves("SIG-91")
def test_what_has_to_be_kept_longer_than_other_events_is_kept() -> None:
    a_year = attrs.evolve(envelope(), kept_until=NOW + timedelta(days=400))
    assert fan_out(a_year, {}, NOW, MONTH).writes[0].now.kept_until == NOW + timedelta(days=400)


# Deliveries


def published(outcome: Ack | Retry | Dead, on_dead: OnDead = OnDead.SKIP, **changes: Any) -> tuple[Delivery, Any]:
    return after_publishing(delivery(**changes), "toys.sold", outcome, NOW, 0.5, POLICY, on_dead)


def test_what_a_target_took_is_done() -> None:
    done, told = published(Ack(), attempts=2, last_error="relay.raised:OSError")
    assert (done.state, done.attempts, done.ended_at, done.last_error, told) == (
        DeliveryState.PUBLISHED, 3, NOW, "", (),
    )  # fmt: skip


@pytest.mark.proves("REL-8")
def test_what_failed_waits_as_its_schedule_says() -> None:
    waiting, told = published(Retry("relay.raised:OSError"), attempts=1)
    assert (waiting.state, waiting.attempts, waiting.due_at, waiting.last_error, told) == (
        DeliveryState.PENDING, 2, NOW + timedelta(minutes=2), "relay.raised:OSError", (),
    )  # fmt: skip


@pytest.mark.proves("REL-7")
@pytest.mark.parametrize(("outcome", "attempts"), [(Retry("late"), len(DEFAULT) - 1), (Dead("late"), 0)])
def test_after_the_schedule_or_when_the_target_says_so_a_delivery_is_dead_and_holds_nobody_back(
    outcome: Retry | Dead, attempts: int
) -> None:
    dead, told = published(outcome, attempts=attempts)
    assert (dead.state, dead.ended_at, dead.last_error) == (DeliveryState.DEAD, NOW, "late")
    assert DELIVERIES.due is not None
    assert DELIVERIES.due(dead) is None
    assert told == (DeliveryDied(at=NOW, delivery="e1:crm", event=EventId("e1"), target="crm", reason="late"),)


@pytest.mark.proves("REL-7")
def test_a_dead_delivery_of_a_target_that_parks_keeps_its_place_and_is_not_due() -> None:
    parked, _ = published(Dead("late"), OnDead.PARK)
    assert is_dead(parked)
    assert DELIVERIES.due is not None
    due = DELIVERIES.due(parked)
    assert due is not None
    assert due > NOW + timedelta(days=36500)
    assert DELIVERIES.groups["standing"](parked) == "dead"


@pytest.mark.proves("REL-7")
def test_that_a_telling_of_a_death_could_not_be_told_is_not_told_again() -> None:
    _, told = after_publishing(delivery(), DeliveryDied.name, Dead("late"), NOW, 0.5, POLICY, OnDead.SKIP)
    assert told == ()


@pytest.mark.proves("REL-7")
@given(st.sampled_from(OnDead))
def test_a_requeued_delivery_begins_its_schedule_anew(on_dead: OnDead) -> None:
    dead, _ = published(Dead("late"), on_dead, attempts=6)
    later = NOW + timedelta(days=1)
    assert requeued(dead, later) == delivery(due_at=later)


def test_a_delivery_thrown_away_is_over_for_good() -> None:
    parked, _ = published(Dead("late"), OnDead.PARK)
    gone = thrown_away(parked, "consumer_gone", NOW)
    assert (gone.state, gone.parks, gone.last_error) == (DeliveryState.DISCARDED, False, "consumer_gone")
    assert DELIVERIES.keep_until(gone) == NOW


@pytest.mark.proves("REL-7", "REL-109")
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("relay.raised:OSError", "relay.raised:OSError"),
        ("late", "late"),
        ("550 no such user anna@example.org", "relay.unnamed"),
        ("Bearer abc", "relay.unnamed"),
        ("a" * 201, "relay.unnamed"),
        ("", "relay.unnamed"),
    ],
)
def test_of_a_failure_a_key_is_kept_and_never_the_other_sides_words(said: str, kept: str) -> None:
    assert reason_key(said) == kept


@pytest.mark.proves("REL-10")
def test_the_marker_of_a_subscriber_outlives_the_event() -> None:
    once = handled_once("points", envelope(), NOW, POLICY)
    assert (once.field, once.key) == ("once:handled:points", "e1")
    assert once.keep_until > NOW + POLICY.keep_dead


# Messages


ENDINGS: list[tuple[MessageOutcome, MessageState, str, type[Event] | None]] = [
    (Accepted("<m1@lampenhaus.example>"), MessageState.DELIVERED, "", MessageDelivered),
    (PermanentFailure(Refusal.UNDELIVERABLE), MessageState.DEAD, "undeliverable", MessageBounced),
    (PermanentFailure(Refusal.REJECTED), MessageState.DEAD, "rejected", MessageBounced),
    (PermanentFailure(Refusal.UNSUPPORTED), MessageState.DEAD, "unsupported", MessageBounced),
    (Ended(MessageState.DISCARDED, DECOY), MessageState.DISCARDED, "decoy", None),
    (Ended(MessageState.EXPIRED), MessageState.EXPIRED, "", MessageExpired),
    (Ended(MessageState.DEAD, "relay.unreadable"), MessageState.DEAD, "relay.unreadable", MessageDropped),
]


@pytest.mark.proves("REL-105", "MSG-2", "MSG-17")
@pytest.mark.parametrize(("outcome", "state", "reason", "event"), ENDINGS)
def test_whatever_ends_a_message_wipes_it_and_is_told(
    outcome: MessageOutcome, state: MessageState, reason: str, event: type[Event] | None
) -> None:
    ended, told = sent(outcome)
    assert (ended.state, ended.end_reason, ended.ended_at) == (state, reason, NOW)
    assert ended.sealed is None
    assert ended.variables == {}
    assert [type(one) for one in told] == ([event] if event else [])
    assert all(one.subject == "c1" for one in told)


@pytest.mark.proves("REL-105")
def test_a_message_whose_schedule_is_used_up_is_dead_wiped_and_told() -> None:
    dead, told = sent(TemporaryFailure("mail.temporary"), attempts=len(DEFAULT) - 1)
    assert (dead.state, dead.sealed, dead.end_reason) == (MessageState.DEAD, None, "mail.temporary")
    assert [type(one) for one in told] == [MessageDropped]


@pytest.mark.proves("REL-8", "REL-104")
def test_a_message_that_failed_keeps_what_it_needs_and_waits_but_not_beyond_its_end() -> None:
    waiting, told = sent(TemporaryFailure("mail.temporary"))
    assert (waiting.is_open, waiting.attempts, waiting.due_at) == (True, 1, NOW + timedelta(seconds=30))
    assert waiting.sealed == Sealed(b"sealed")
    assert told == ()
    soon = NOW + timedelta(seconds=10)
    assert sent(TemporaryFailure("mail.temporary"), expires_at=soon)[0].due_at == soon


@pytest.mark.proves("MSG-12")
def test_that_our_login_was_refused_raises_an_alarm_and_is_no_bounce() -> None:
    waiting, told = sent(TemporaryFailure(LOGIN_REFUSED))
    assert waiting.is_open
    assert told == (CourierRefusedLogin(at=NOW, channel="email"),)


def test_a_message_about_a_stranger_is_nobodys_history() -> None:
    _, told = sent(Accepted(), subject="")
    assert [one.subject for one in told] == [""]
