"""Which step leads a subscription where; the tables stand here once more, as a shopkeeper would write them down."""

import re
from itertools import product

import pytest

import draw_subscription_states
from shopaccounts.kernel.errors import Kind
from shopaccounts.subscriptions import events
from shopaccounts.subscriptions.errors import TransitionRefused
from shopaccounts.subscriptions.states import (
    COLLECTION,
    ENDED,
    LIFECYCLE,
    Collection,
    Lifecycle,
    Trigger,
    collected,
    moved,
)

LIVES = """
                   : subscribed later > pending, subscribed unpaid > incomplete
                   : subscribed trial > trialing, subscribed > active
pending            : started unpaid > incomplete, started trial > trialing, started > active, canceled > canceled
incomplete         : first paid > active, first paid trial > trialing
incomplete         : first unpaid expired > incomplete expired, canceled > canceled
trialing           : trial converted > active, trial paused > paused, trial lapsed > canceled
trialing           : canceled > canceled, cancel reached > canceled
active             : paused > paused, gave up paused > paused, term ended > expired
active             : canceled > canceled, cancel reached > canceled, gave up > canceled
paused             : resumed > active, term ended > expired
paused             : canceled > canceled, cancel reached > canceled, gave up > canceled
canceled           : reactivated > active
expired            : reactivated > active
incomplete expired :
"""
PAYING = """
ok       : payment failed > past due, invoice overdue > past due, payment reversed > past due
past due : payment failed > past due, settled > ok, retries exhausted > unpaid
unpaid   : payment failed > unpaid, settled > ok
"""
STATES = [None, *Lifecycle]


def read(table: str) -> dict[tuple[str, str], str]:
    """A table in words: where each step leads from where."""
    steps = {}
    for line in table.strip("\n").replace(" > ", ">").splitlines():
        state, _, found = line.partition(":")
        for step in filter(None, (part.strip() for part in found.split(","))):
            trigger, target = step.replace(" ", "_").split(">")
            steps[state.strip().replace(" ", "_"), trigger] = target
    return steps


LEADS, PAYS = read(LIVES), read(PAYING)


def value(state: Lifecycle | None) -> str:
    return state.value if state else ""


@pytest.mark.proves("SUB-2")
@pytest.mark.parametrize(("state", "trigger"), list(product(STATES, Trigger)))
def test_a_step_of_the_lifecycle_leads_where_the_table_says_or_is_refused(state, trigger):
    target = LEADS.get((value(state), trigger.value))
    if target:
        assert moved(state, trigger) is Lifecycle(target)
        return
    with pytest.raises(TransitionRefused) as refused:
        moved(state, trigger)
    assert (refused.value.state, refused.value.trigger) == (value(state), trigger.value)
    assert (refused.value.code, refused.value.kind) == ("subscriptions.transition_refused", Kind.CONFLICT)


@pytest.mark.proves("SUB-2")
@pytest.mark.parametrize(("state", "trigger"), list(product(Collection, Trigger)))
def test_a_step_of_collection_leads_where_the_table_says_or_is_refused(state, trigger):
    target = PAYS.get((state.value, trigger.value))
    if target:
        assert collected(state, trigger) is Collection(target)
        return
    with pytest.raises(TransitionRefused) as refused:
        collected(state, trigger)
    assert (refused.value.state, refused.value.trigger) == (state.value, trigger.value)


@pytest.mark.proves("SUB-2")
def test_the_tables_hold_no_more_than_is_written_here():
    assert len(LIFECYCLE) == len(LEADS) == 30
    assert len(COLLECTION) == len(PAYS) == 8
    assert set(LIFECYCLE.values()) == set(Lifecycle)


@pytest.mark.proves("SUB-3")
def test_no_step_moves_both_whether_it_runs_and_whether_it_is_paid():
    lives, pays = ({trigger for _, trigger in table} for table in (LIFECYCLE, COLLECTION))
    assert not lives & pays
    assert lives | pays == set(Trigger)


@pytest.mark.proves("SUB-3")
@pytest.mark.parametrize(("state", "trigger"), list(product(STATES, sorted({t for _, t in COLLECTION}, key=str))))
def test_no_payment_and_no_failed_one_changes_whether_a_subscription_runs(state, trigger):
    with pytest.raises(TransitionRefused):
        moved(state, trigger)


def test_what_has_ended_goes_on_only_if_the_customer_comes_back():
    for ended in ENDED:
        assert {trigger for state, trigger in LIFECYCLE if state is ended} <= {Trigger.REACTIVATED}
    assert not [trigger for state, trigger in LIFECYCLE if state is Lifecycle.INCOMPLETE_EXPIRED]


def test_each_step_of_the_lifecycle_is_told_by_one_event_and_each_such_event_tells_of_a_step():
    assert set(events.STEPS) == {trigger for _, trigger in LIFECYCLE}
    told = set(events.STEPS.values())
    assert all(issubclass(kind, events.SubscriptionEvent) for kind in told)
    assert told == {
        *(events.SubscriptionStarted, events.SubscriptionActivated, events.FirstPaymentExpired),
        *(events.TrialStarted, events.TrialConverted, events.TrialLapsed),
        *(events.SubscriptionPaused, events.SubscriptionResumed),
        *(events.SubscriptionCanceled, events.SubscriptionExpired, events.SubscriptionReactivated),
    }


@pytest.mark.parametrize("module", [events.contract, events.billing])
def test_the_events_of_a_subscription_belong_to_its_customer(module):
    kinds = [kind for name in module.__all__ if hasattr(kind := getattr(module, name), "name")]
    without = {kind.name for kind in kinds if "account" not in {field.name for field in kind.__attrs_attrs__}}
    assert without <= {"subscriptions.price_change_announced"}  # that one is of a plan


@pytest.mark.proves("SUB-2")
@pytest.mark.parametrize("picture", draw_subscription_states.PICTURES, ids=lambda picture: picture.path.stem)
def test_the_pictures_in_the_docs_show_the_tables_as_they_are(picture):
    assert picture.path.read_text("utf-8") == picture.drawing(), "run tools/generate_reference.py"


@pytest.mark.parametrize(("stem", "table"), [("lifecycle", LEADS), ("collection", PAYS)])
def test_every_state_and_every_step_is_in_the_pictures(stem, table):
    (picture,) = (one for one in draw_subscription_states.PICTURES if one.path.stem == stem)
    said = re.findall(r">([a-z_, ]+)</text>", picture.drawing())
    named = {name for text in said for name in text.split(", ")}
    assert {state for state, _ in table if state} | {trigger for _, trigger in table} | set(table.values()) <= named
