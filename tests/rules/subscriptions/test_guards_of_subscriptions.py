"""What a customer may do with a subscription as it stands; the table stands here once more, cell by cell."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias, cast

import attrs
import pytest

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.subscriptions.errors import (
    CancellationReached,
    CancellationScheduled,
    NotPaused,
    OnHold,
    OperationNotAllowed,
    WinBackWindowClosed,
)
from shopaccounts.subscriptions.guards import (
    OPEN,
    OPENED_BY_POLICY,
    Operation,
    Standing,
    require_operation,
    standing_of,
)
from shopaccounts.subscriptions.model import Hold, Subscription
from shopaccounts.subscriptions.plans.add_ons import PrepayOption
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cancelling import WinBackPolicy
from shopaccounts.subscriptions.policy.operations import OperationPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.boxes import box_subscription

NOW = datetime(2031, 3, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)
O, L, C = Operation, Lifecycle, Collection  # noqa: E741  (short names make the table readable)
POLICY = SubscriptionPolicy()
BOXED = box_subscription(date(2031, 1, 1), None, billing=Interval.months(1))
NORA = attrs.evolve(BOXED, terms=attrs.evolve(BOXED.terms, prepay=(PrepayOption(6),)))

COLUMNS = {
    Standing.PENDING: [(L.PENDING, C.OK)],
    Standing.INCOMPLETE: [(L.INCOMPLETE, C.OK)],
    Standing.TRIALING: [(L.TRIALING, C.OK), (L.TRIALING, C.PAST_DUE)],
    Standing.ACTIVE: [(L.ACTIVE, C.OK)],
    Standing.PAST_DUE: [(L.ACTIVE, C.PAST_DUE)],
    Standing.UNPAID: [(L.ACTIVE, C.UNPAID)],
    Standing.PAUSED: [(L.PAUSED, C.OK), (L.PAUSED, C.PAST_DUE)],
    Standing.ENDED: [(L.CANCELED, C.OK), (L.CANCELED, C.UNPAID), (L.EXPIRED, C.OK), (L.INCOMPLETE_EXPIRED, C.OK)],
}
TABLE = """
                      pending incomplete trialing active past_due unpaid paused ended
change_plan           yes     no         yes      yes    policy   no     yes    no
change_quantity       yes     no         yes      yes    policy   no     yes    no
add_add_on            yes     no         yes      yes    policy   no     yes    no
remove_add_on         yes     no         yes      yes    policy   no     yes    no
swap_product          yes     no         yes      yes    policy   no     yes    no
change_frequency      yes     no         yes      yes    policy   no     yes    no
move_billing_day      yes     no         yes      yes    policy   no     yes    no
prepay                no      no         no       yes    no       no     no     no
pause                 no      no         policy   yes    policy   no     no     no
skip_cycle            yes     no         yes      yes    policy   no     no     no
unskip_cycle          yes     no         yes      yes    policy   no     no     no
reschedule_cycle      yes     no         yes      yes    policy   no     no     no
unreschedule_cycle    yes     no         yes      yes    policy   no     no     no
edit_cycle            yes     no         yes      yes    policy   no     no     no
skip_delivery         yes     no         yes      yes    policy   no     no     no
cancel                yes     yes        yes      yes    yes      yes    yes    no
apply_discount        yes     yes        yes      yes    yes      yes    yes    no
change_payment_method yes     yes        yes      yes    yes      yes    yes    no
change_address        yes     yes        yes      yes    yes      yes    yes    no
accept_price_change   yes     yes        yes      yes    yes      yes    yes    no
decline_price_change  yes     yes        yes      yes    yes      yes    yes    no
"""
BY_POLICY = {
    ("pause", "trialing"): "pause_in_trial",
    ("pause", "past_due"): "pause_past_due",
    ("change_plan", "past_due"): "change_past_due",
    ("change_quantity", "past_due"): "change_past_due",
    ("add_add_on", "past_due"): "change_past_due",
    ("remove_add_on", "past_due"): "change_past_due",
    ("swap_product", "past_due"): "change_past_due",
    ("change_frequency", "past_due"): "change_past_due",
    ("move_billing_day", "past_due"): "change_past_due",
    ("skip_cycle", "past_due"): "skip_past_due",
    ("unskip_cycle", "past_due"): "skip_past_due",
    ("reschedule_cycle", "past_due"): "skip_past_due",
    ("unreschedule_cycle", "past_due"): "skip_past_due",
    ("edit_cycle", "past_due"): "skip_past_due",
    ("skip_delivery", "past_due"): "skip_past_due",
}
FIELDS = sorted(attrs.fields_dict(OperationPolicy))


def cells():
    head, *rows = (line.split() for line in TABLE.strip("\n").splitlines())
    for operation, *answers in rows:
        for column, answer in zip(head, answers, strict=True):
            for lifecycle, collection in COLUMNS[Standing(column)]:
                yield pytest.param(
                    (Operation(operation), answer, BY_POLICY.get((operation, column))),
                    subscription(lifecycle, collection),
                    id=f"{operation}-{lifecycle.value}-{collection.value}",
                )


def subscription(lifecycle: Lifecycle = L.ACTIVE, collection: Collection = C.OK, **facts) -> Subscription:
    return attrs.evolve(NORA, lifecycle=lifecycle, collection=collection, **facts)


def cancelled_for(at: datetime, **facts) -> Subscription:
    return subscription(scheduled=Scheduled(cancel=CancelAt(at=at, asked_at=NOW - DAY)), **facts)


def opening(*fields: str) -> SubscriptionPolicy:
    return SubscriptionPolicy(operations=OperationPolicy(**dict.fromkeys(fields, True)))


Told: TypeAlias = tuple[type[Rejected], tuple[Any, ...]]


def told(nora: Subscription, operation: Operation, policy: SubscriptionPolicy = POLICY, **facts) -> Told | None:
    """How an operation is refused; None if it isn't."""
    try:
        require_operation(nora, operation, NOW, policy, **facts)
    except Rejected as refused:
        return no(type(refused), *facts_of(refused))
    return None


def no(kind: type[Rejected], *facts) -> Told:
    return kind, facts


def facts_of(refused: Rejected) -> tuple[Any, ...]:
    """Answer the fields of a rejection: each kind that there is is an attrs class."""
    return attrs.astuple(cast("attrs.AttrsInstance", refused))


# The table


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize(("cell", "nora"), list(cells()))
def test_an_operation_is_open_or_closed_as_the_table_says(cell, nora):
    operation, answer, field = cell
    refused = no(OperationNotAllowed, operation.value, nora.lifecycle.value, nora.collection.value)
    assert told(nora, operation) == (None if answer == "yes" else refused)
    assert OperationNotAllowed.kind is Kind.CONFLICT
    for opened in FIELDS:
        may = answer == "yes" or (answer == "policy" and opened == field)
        assert told(nora, operation, opening(opened)) == (None if may else refused)


@pytest.mark.proves("SUB-5")
def test_a_policy_opens_four_groups_of_cells_and_every_field_opens_something():
    assert {(operation.value, at.value): field for (operation, at), field in OPENED_BY_POLICY.items()} == BY_POLICY
    assert sorted(set(OPENED_BY_POLICY.values())) == FIELDS
    assert not [cell for cell in OPENED_BY_POLICY if cell[1] in OPEN[cell[0]]]
    assert attrs.astuple(OperationPolicy()) == (False,) * 4


@pytest.mark.parametrize(("standing", "states"), list(COLUMNS.items()))
def test_where_a_subscription_stands_is_read_from_its_two_states(standing, states):
    assert {standing_of(subscription(*state)) for state in states} == {standing}


# An end that is planned


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize(
    "state", [state for at, states in COLUMNS.items() if at is not Standing.ENDED for state in states]
)
def test_a_cancellation_is_undone_in_any_state_while_it_is_planned_and_not_reached(state):
    nothing = no(OperationNotAllowed, "undo_cancellation", state[0].value, state[1].value)
    assert told(subscription(*state), O.UNDO_CANCELLATION) == nothing
    soon = NOW + timedelta(microseconds=1)
    assert told(cancelled_for(soon, lifecycle=state[0], collection=state[1]), O.UNDO_CANCELLATION) is None
    assert told(cancelled_for(NOW, lifecycle=state[0], collection=state[1]), O.UNDO_CANCELLATION) == (
        no(CancellationReached, NOW)
    )


@pytest.mark.proves("SUB-5")
def test_a_cancellation_that_was_carried_out_is_not_undone():
    assert told(subscription(L.CANCELED, ended_at=NOW - DAY), O.UNDO_CANCELLATION) == no(CancellationReached, NOW - DAY)
    never = no(OperationNotAllowed, "undo_cancellation", "incomplete_expired", "ok")
    assert told(subscription(L.INCOMPLETE_EXPIRED), O.UNDO_CANCELLATION) == never


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize("operation", Operation)
def test_from_the_instant_of_a_planned_end_on_nothing_is_possible_even_if_the_work_is_late(operation):
    assert told(cancelled_for(NOW), operation) == no(CancellationReached, NOW)
    assert told(cancelled_for(NOW - DAY, hold=Hold(since=NOW, code="x")), operation) == no(
        CancellationReached, NOW - DAY
    )


@pytest.mark.proves("SUB-5")
def test_who_has_cancelled_pauses_only_before_the_end():
    ends = NOW + 10 * DAY
    nora = cancelled_for(ends)
    assert told(nora, O.PAUSE) == no(CancellationScheduled, ends)
    assert told(nora, O.PAUSE, begins=ends) == no(CancellationScheduled, ends)
    assert told(nora, O.PAUSE, begins=ends - DAY) is None
    assert told(nora, O.CANCEL) is None


# On hold, paused, ended


@pytest.mark.proves("SUB-5", "RUN-12")
@pytest.mark.parametrize("operation", Operation)
def test_while_the_shop_decides_only_cancelling_is_possible(operation):
    nora = subscription(hold=Hold(since=NOW - DAY, code="subscriptions.bad_plan"))
    assert told(nora, operation) == (None if operation is O.CANCEL else no(OnHold, NOW - DAY))


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize("state", [state for states in COLUMNS.values() for state in states])
def test_only_what_is_paused_is_resumed(state):
    assert told(subscription(*state), O.RESUME) == (None if state[0] is L.PAUSED else no(NotPaused))


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize("lifecycle", [L.CANCELED, L.EXPIRED])
def test_what_ended_is_taken_up_again_within_the_window_and_no_later(lifecycle):
    policy = SubscriptionPolicy(winning_back=WinBackPolicy(window=10 * DAY))
    ended = subscription(lifecycle, ended_at=NOW - 10 * DAY + timedelta(microseconds=1))
    assert told(ended, O.REACTIVATE, policy) is None
    over = subscription(lifecycle, ended_at=NOW - 10 * DAY)
    assert told(over, O.REACTIVATE, policy) == no(WinBackWindowClosed, date(2031, 3, 14))


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize("lifecycle", [each for each in Lifecycle if each not in {L.CANCELED, L.EXPIRED}])
def test_what_runs_or_never_ran_is_not_taken_up_again(lifecycle):
    ended_at = NOW - DAY if lifecycle is L.INCOMPLETE_EXPIRED else None
    refused = no(OperationNotAllowed, "reactivate", lifecycle.value, "ok")
    assert told(subscription(lifecycle, ended_at=ended_at), O.REACTIVATE) == refused


@pytest.mark.proves("SUB-5")
def test_a_time_without_a_zone_is_no_time():
    with pytest.raises(TypeError):
        require_operation(NORA, O.CANCEL, NOW.replace(tzinfo=None), POLICY)
