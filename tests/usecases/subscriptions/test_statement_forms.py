"""Forms that end contracts in writing: whoever sends one gets a receipt, and nobody learns who is a customer."""

from datetime import date, timedelta

import attrs
import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import Forbidden, InsecureTransport, Rejected, Throttled
from shopaccounts.kernel.ids import AccountId, CustomerId, StoreId, WorkerId
from shopaccounts.kernel.messages import MessageCategory
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.staff import AgentFacts, Permission
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import (
    CANCELLATION_STATEMENTS,
    INTENTS,
    INVOICES,
    SUBSCRIPTIONS,
    WITHDRAWAL_STATEMENTS,
    BillingPorts,
    CancellationForm,
    CancellationKind,
    CancelWish,
    SubscriptionPolicy,
    WithdrawalForm,
)
from shopaccounts.subscriptions.errors import (
    CancellationLinkExpired,
    CancellationLinkInvalid,
    CancellationLinkUsed,
    SubscriptionUnknown,
    WithdrawalPeriodOver,
)
from shopaccounts.subscriptions.leaving.statements import Match
from shopaccounts.subscriptions.papers.documents import InvoiceState
from shopaccounts.subscriptions.payments.intents import IntentState
from shopaccounts.subscriptions.plans.offers import PlanVersionId
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FlatTax, OneJurisdiction
from shopaccounts.testing.builders import quick_policies, request_from
from shopaccounts.testing.recording import assert_indistinguishable
from shopaccounts.testing.subscribers import flat_plan

ANN, EVE, HERE = "ann@lamp.example", "eve@lamp.example", request_from()
DAY = timedelta(days=1)
FORM = CancellationForm(name="Ann Lund", reference="V-2041", contact=ANN)
GERMANY = "DE"


@pytest.fixture
def builder(builder, plans):
    """A shop in Germany that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    ports = BillingPorts(plans=plans, taxes=FlatTax("19"), jurisdictions=OneJurisdiction(GERMANY))
    return attrs.evolve(builder, ports={"billing": ports})


class Clerk:
    """An agent who may help with contracts."""

    def facts(self, _agent):
        """Let everybody help."""
        return AgentFacts(active=True, permissions=frozenset({Permission.HELP_WITH_CONTRACTS}))

    def is_protected(self, _account: AccountId) -> bool:
        """Protect nobody."""
        return False


async def anns(coffee, **order):
    """Answer Ann's subscription, which her papers call V-2041."""
    account = await coffee.shop.open_account(ANN)
    made = await coffee.subscribed(coffee.order(reference="V-2041", **order), customer=CustomerId(account.id))
    return made.subscription


async def kept(coffee, subscription):
    return await coffee.builder.kept(SUBSCRIPTIONS, subscription.id)


def letters(coffee, template):
    return [one for one in coffee.builder.mailbag.letters if one.template == f"subscriptions.{template}"]


async def all_statements(coffee, book):
    return list(coffee.builder.storage.snapshot()[coffee.builder.scope.realm].books.get(book.name, {}).values())


class TestReceipts:
    @pytest.mark.proves("CAN-8")
    async def test_the_receipt_says_what_came_in_and_when_and_is_recorded_with_the_statement(self, coffee) -> None:
        form = CancellationForm(
            name="Ann Lund",
            reference="V-2041",
            contact=ANN,
            kind=CancellationKind.EXTRAORDINARY,
            reason="The lamps broke.",
            ends_on=date(2031, 6, 30),
        )
        receipt = await coffee.shop.statements.submit_cancellation(form, HERE)
        assert (receipt.said, receipt.received_at) == (form, coffee.builder.clock.now())
        (letter,) = letters(coffee, "cancellation_received")
        assert (letter.to, letter.deliver) == (ANN, True)
        assert letter.variables["at"] == receipt.received_at.isoformat(timespec="minutes")
        assert letter.variables["date"] == "2031-06-30"
        assert letter.secrets == {
            "name": "Ann Lund",
            "reference": "V-2041",
            "address": ANN,
            "reason": "The lamps broke.",
        }
        assert letter.message.category is MessageCategory.LEGAL
        (statement,) = await all_statements(coffee, CANCELLATION_STATEMENTS)
        assert statement.id == receipt.statement

    @pytest.mark.proves("CAN-10")
    async def test_the_same_form_again_gets_the_first_receipt_and_no_second_letter(self, coffee) -> None:
        first = await coffee.shop.statements.submit_cancellation(FORM, HERE)
        coffee.builder.clock.advance(timedelta(seconds=1))
        assert await coffee.shop.statements.submit_cancellation(FORM, HERE) == first
        assert len(letters(coffee, "cancellation_received")) == 1
        assert len(await all_statements(coffee, CANCELLATION_STATEMENTS)) == 1

    @pytest.mark.proves("CAN-8", "ABU-7")
    async def test_a_mailbox_gets_so_many_receipts_and_no_more(self, coffee) -> None:
        refused = 0
        for number in range(12):
            coffee.builder.clock.advance(timedelta(minutes=2))
            form = attrs.evolve(FORM, form_key=str(number))
            try:
                await coffee.shop.statements.submit_cancellation(form, request_from(f"192.0.2.{number}"))
            except Throttled:
                refused += 1
        assert refused == 9
        assert len(letters(coffee, "cancellation_received")) == 3

    @pytest.mark.proves("CAN-8")
    async def test_a_form_does_not_come_unencrypted(self, coffee) -> None:
        with pytest.raises(InsecureTransport):
            await coffee.shop.statements.submit_cancellation(FORM, request_from(secure=False))

    @pytest.mark.proves("ABU-10")
    async def test_what_people_write_stands_in_no_event(self, coffee) -> None:
        await anns(coffee)
        await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, reason="Nora\x07 left me"), HERE)
        realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]
        told = [event.data for event in realm.books["events"].values()]
        assert any("statement" in data for data in told)
        assert not [data for data in told if "Nora" in data or "Lund" in data or ANN in data]


class TestMatching:
    @pytest.mark.proves("CAN-8")
    @pytest.mark.parametrize("reference", ["V-2041", " v-2041 ", "its id"])
    async def test_a_contract_ends_that_reference_and_contact_name(self, coffee, reference) -> None:
        subscription = await anns(coffee)
        named = subscription.id if reference == "its id" else reference
        await coffee.shop.statements.submit_cancellation(
            attrs.evolve(FORM, reference=named, contact="Ann@lamp.example"), HERE
        )
        planned = (await kept(coffee, subscription)).scheduled.cancel
        assert planned.at.date() == date(2031, 2, 27)
        (statement,) = await all_statements(coffee, CANCELLATION_STATEMENTS)
        assert (statement.match, statement.subscription) == (Match.MATCHED, subscription.id)
        (letter,) = letters(coffee, "contract_ends")
        assert (letter.to, letter.deliver) == (ANN, True)
        assert letter.variables["date"] == "2031-02-28"
        assert letter.message.subject == subscription.customer

    @pytest.mark.proves("CAN-8")
    async def test_it_ends_at_the_first_boundary_from_the_wished_day_on(self, coffee) -> None:
        subscription = await anns(coffee)
        await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, ends_on=date(2031, 3, 1)), HERE)
        assert (await kept(coffee, subscription)).scheduled.cancel.at.date() == date(2031, 3, 30)

    @pytest.mark.proves("CAN-8", "ABU-7")
    async def test_a_stranger_cancels_nothing_and_the_customer_is_asked_at_an_own_address(self, coffee) -> None:
        subscription = await anns(coffee)
        await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, contact=EVE), HERE)
        assert (await kept(coffee, subscription)).scheduled.cancel is None
        (receipt,), (question,) = letters(coffee, "cancellation_received"), letters(coffee, "confirm_cancellation")
        assert (receipt.to, question.to, question.deliver) == (EVE, ANN, True)
        assert question.variables["product"] == "coffee"
        assert not {"name", "reference", "reason"} & {*question.variables, *question.secrets}

    @pytest.mark.proves("CAN-8")
    async def test_a_confirmed_cancellation_counts_from_its_receipt(self, coffee) -> None:
        subscription = await anns(coffee)
        coffee.builder.clock.set(coffee.builder.clock.now() + 25 * DAY)
        receipt = await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, contact=EVE), HERE)
        token = letters(coffee, "confirm_cancellation")[0].token
        coffee.builder.clock.advance(6 * DAY)
        await coffee.shop.billing.run_billing(worker=WorkerId("w"))
        assert await coffee.shop.statements.confirm_cancellation(token, HERE) == receipt
        assert letters(coffee, "contract_ends")[0].to == ANN
        ended = await kept(coffee, subscription)
        assert ended.lifecycle is Lifecycle.CANCELED
        notes = coffee.builder.storage.snapshot()[coffee.builder.scope.realm].books["credit_notes"].values()
        assert [str(note.total) for note in notes] == ["21.30 EUR"]

    @pytest.mark.proves("CAN-8")
    async def test_the_link_works_once_and_for_a_while(self, coffee) -> None:
        await anns(coffee)
        await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, contact=EVE), HERE)
        token = letters(coffee, "confirm_cancellation")[0].token
        with pytest.raises(CancellationLinkInvalid):
            await coffee.shop.statements.confirm_cancellation(Secret(token.reveal()[:-1] + "x"), HERE)
        coffee.builder.clock.advance(13 * DAY)
        await coffee.shop.statements.confirm_cancellation(token, HERE)
        with pytest.raises(CancellationLinkUsed):
            await coffee.shop.statements.confirm_cancellation(token, HERE)

    @pytest.mark.proves("CAN-8")
    async def test_an_old_link_confirms_nothing(self, coffee) -> None:
        subscription = await anns(coffee)
        await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, contact=EVE), HERE)
        token = letters(coffee, "confirm_cancellation")[0].token
        coffee.builder.clock.advance(14 * DAY)
        with pytest.raises(CancellationLinkExpired):
            await coffee.shop.statements.confirm_cancellation(token, HERE)
        assert (await kept(coffee, subscription)).scheduled.cancel is None

    @pytest.mark.proves("CAN-8", "ABU-7")
    async def test_nobody_floods_a_customer_with_questions(self, coffee) -> None:
        await anns(coffee)
        for number in range(5):
            form = attrs.evolve(FORM, contact=f"eve{number}@lamp.example")
            await coffee.shop.statements.submit_cancellation(form, request_from(f"192.0.2.{number}"))
        asked = letters(coffee, "confirm_cancellation")
        assert [(one.deliver, one.to == ANN) for one in asked] == [(True, True)] * 2 + [(False, False)] * 3
        assert len(letters(coffee, "cancellation_received")) == 5

    @pytest.mark.proves("CAN-8")
    async def test_a_contract_of_another_store_fits_nothing(self, coffee) -> None:
        subscription = await anns(coffee)
        elsewhere = StoreId("elsewhere")
        await coffee.builder.edit(SUBSCRIPTIONS, subscription.id, lambda one: attrs.evolve(one, store=elsewhere))
        await coffee.shop.statements.submit_cancellation(attrs.evolve(FORM, reference=subscription.id), HERE)
        assert (await kept(coffee, subscription)).scheduled.cancel is None


async def outcome(work):
    """What somebody outside gets: the value, or the refusal."""
    try:
        return repr(await work)
    except Rejected as refusal:
        return refusal.code, repr(refusal)


async def nothing_on_file(_coffee):
    """No contract at all."""


async def theirs(coffee):
    """A contract of that customer."""
    await anns(coffee)


async def not_theirs(coffee):
    """A contract of another customer."""
    account = await coffee.shop.open_account(EVE)
    await coffee.subscribed(coffee.order(reference="V-2041"), customer=CustomerId(account.id))


async def of_nobody_known(coffee):
    """A contract whose customer has no account."""
    await coffee.subscribed(coffee.order(reference="V-2041"))


async def ended(coffee):
    """A contract that is over."""
    subscription = await anns(coffee)
    await coffee.shop.cancellations.cancel(subscription.customer, subscription.id, CancelWish(when=CancelWhen.NOW))


async def cancelled(coffee):
    """A contract that ends soon."""
    subscription = await anns(coffee)
    await coffee.shop.cancellations.cancel(subscription.customer, subscription.id)


def asked_often(arrange):
    """Name a contract twice from elsewhere before."""

    async def arranged(coffee):
        await arrange(coffee)
        for number in range(2):
            form = attrs.evolve(FORM, contact=f"mia{number}@lamp.example")
            await coffee.shop.statements.submit_cancellation(form, request_from(f"198.51.100.{number}"))

    return arranged


SITUATIONS = (nothing_on_file, theirs, not_theirs, of_nobody_known, ended, cancelled)


@pytest.mark.proves("CAN-8", "ABU-7")
@pytest.mark.parametrize("form", [FORM, attrs.evolve(FORM, ends_on=date(9999, 12, 31))], ids=["soon", "in ages"])
@pytest.mark.parametrize("before", [lambda arrange: arrange, asked_often], ids=["first", "asked often"])
async def test_the_form_tells_nobody_who_is_a_customer(coffee, form, before) -> None:
    """The answer, each call of each port and the number of letters are the same in every situation."""
    start = coffee.builder.clock.now()

    async def use_case(arrange, recorder):
        builder = attrs.evolve(coffee.builder, storage=MemoryStorage(), clock=FixedClock(start))
        await before(arrange)(attrs.evolve(coffee, builder=builder, shop=builder.build()))
        builder.clock.set(start + timedelta(hours=8))
        earlier = len(builder.mailbag.letters)
        shop = builder.build(recorder)
        recorder.trace.clear()
        answer = await outcome(shop.statements.submit_cancellation(form, HERE))
        return answer, len(builder.mailbag.letters) - earlier

    await assert_indistinguishable(use_case, {one.__doc__ or one.__name__: one for one in SITUATIONS})


class TestTheQueue:
    @pytest.mark.proves("CAN-8")
    async def test_a_clerk_sees_what_fits_nothing_and_what_gives_a_reason_the_newest_first(self, coffee) -> None:
        await anns(coffee)
        coffee.builder.agents = Clerk()
        unknown = attrs.evolve(FORM, reference="V-9", contact="a@lamp.example")
        urgent = attrs.evolve(FORM, kind=CancellationKind.EXTRAORDINARY, reason="It burned.")
        plain = attrs.evolve(FORM, form_key="plain")
        for form in (unknown, urgent, plain):
            await coffee.shop.statements.submit_cancellation(form, HERE)
            coffee.builder.clock.advance(timedelta(minutes=2))
        coffee.builder.scope = attrs.evolve(coffee.builder.scope, actor=Actor(ActorKind.AGENT, "carla"))
        page = await coffee.builder.build().statements.unmatched_statements("daily look")
        assert [one.said for one in page.items] == [urgent, unknown]

    @pytest.mark.proves("CAN-8")
    @pytest.mark.parametrize("listing", ["unmatched_statements", "unmatched_withdrawals"])
    async def test_nobody_else_sees_it(self, coffee, listing) -> None:
        with pytest.raises(Forbidden):
            await getattr(coffee.shop.statements, listing)("curiosity")


class TestWithdrawals:
    form = WithdrawalForm(name="Ann Lund", reference="V-2041", contact=ANN)

    @pytest.mark.proves("CAN-9")
    async def test_two_steps_end_the_contract_and_a_receipt_says_when(self, coffee) -> None:
        subscription = await anns(coffee)
        statements = coffee.shop.statements
        opened = await statements.open_withdrawal(self.form, HERE)
        assert (await kept(coffee, subscription)).lifecycle is Lifecycle.ACTIVE
        assert not letters(coffee, "withdrawal_received")
        coffee.builder.clock.advance(timedelta(minutes=5))
        receipt = await statements.confirm_withdrawal(opened.statement, HERE)
        assert receipt.received_at == coffee.builder.clock.now()
        over = await kept(coffee, subscription)
        assert (over.lifecycle, over.parting.reason) == (Lifecycle.CANCELED, "withdrawal")
        (letter,) = letters(coffee, "withdrawal_received")
        assert (letter.to, letter.secrets["reference"]) == (ANN, "V-2041")
        assert letters(coffee, "contract_ends")[0].variables["date"] == "2031-01-31"
        notes = coffee.builder.storage.snapshot()[coffee.builder.scope.realm].books["credit_notes"].values()
        assert [str(note.total) for note in notes] == ["21.30 EUR"]

    @pytest.mark.proves("CAN-9")
    async def test_weeks_that_are_over_are_taken_back_too(self, coffee, plans) -> None:
        plans.add(weekly := flat_plan("10.00", Interval.weeks(1), id=PlanVersionId("weekly-1")))
        await anns(coffee, plan=weekly.id)
        coffee.builder.clock.advance(timedelta(days=8))
        opened = await coffee.shop.statements.open_withdrawal(self.form, HERE)
        await coffee.shop.statements.confirm_withdrawal(opened.statement, HERE)
        books = coffee.builder.storage.snapshot()[coffee.builder.scope.realm].books
        assert [str(note.total) for note in books["credit_notes"].values()] == ["11.90 EUR", "11.90 EUR"]
        assert {str(invoice.due) for invoice in books["invoices"].values()} == {"0.00 EUR"}

    @pytest.mark.proves("CAN-9")
    async def test_what_was_paid_goes_back_the_way_it_came(self, coffee) -> None:
        subscription = await anns(coffee)
        realm, now = coffee.builder.storage.snapshot()[coffee.builder.scope.realm], coffee.builder.clock.now()
        (invoice,), (charge,) = realm.books["invoices"].values(), realm.books["payment_intents"].values()
        settled = {"state": IntentState.SUCCEEDED, "due_at": None, "settled_at": now, "paid": charge.amount}
        await coffee.builder.edit(INTENTS, charge.id, lambda one: attrs.evolve(one, **settled))
        settled = {"state": InvoiceState.PAID, "paid": invoice.total}
        await coffee.builder.edit(INVOICES, invoice.id, lambda one: attrs.evolve(one, **settled))
        opened = await coffee.shop.statements.open_withdrawal(self.form, HERE)
        await coffee.shop.statements.confirm_withdrawal(opened.statement, HERE)
        realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]
        refund = next(one for one in realm.books["payment_intents"].values() if one.refund_of)
        assert (refund.refund_of, str(refund.amount)) == (charge.key, "21.30 EUR")
        told = [event.data for event in realm.books["events"].values() if event.name.endswith("withdrawal_confirmed")]
        assert len(told) == 1
        assert '{"currency":"EUR","minor":2130}' in told[0]
        assert letters(coffee, "contract_ends")[0].variables["amount"] == "21.30 EUR"
        assert (await kept(coffee, subscription)).lifecycle is Lifecycle.CANCELED

    @pytest.mark.proves("CAN-10")
    async def test_each_step_taken_again_answers_as_the_first_time(self, coffee) -> None:
        await anns(coffee)
        statements = coffee.shop.statements
        opened = await statements.open_withdrawal(self.form, HERE)
        coffee.builder.clock.advance(timedelta(seconds=9))
        assert await statements.open_withdrawal(self.form, HERE) == opened
        first = await statements.confirm_withdrawal(opened.statement, HERE)
        coffee.builder.clock.advance(timedelta(seconds=9))
        assert await statements.confirm_withdrawal(opened.statement, HERE) == first
        assert await statements.open_withdrawal(self.form, HERE) == first
        assert len(letters(coffee, "withdrawal_received")) == 1
        assert len(await all_statements(coffee, WITHDRAWAL_STATEMENTS)) == 1

    @pytest.mark.proves("CAN-9")
    async def test_served_on_express_wish_keeps_what_the_days_were_worth(self, coffee) -> None:
        await anns(coffee, begin_on_wish=True)
        coffee.builder.clock.advance(7 * DAY)
        opened = await coffee.shop.statements.open_withdrawal(self.form, HERE)
        await coffee.shop.statements.confirm_withdrawal(opened.statement, HERE)
        notes = coffee.builder.storage.snapshot()[coffee.builder.scope.realm].books["credit_notes"].values()
        assert [note.lines[0].base for note in notes] == [Money.of("13.42", "EUR")]  # 7 of 28 days were 4.48

    @pytest.mark.proves("CAN-9")
    @pytest.mark.parametrize(("told", "last"), [(True, date(2031, 2, 14)), (False, date(2032, 2, 16))])
    async def test_a_signed_in_customer_is_told_that_it_is_too_late(self, coffee, told, last) -> None:
        subscription = await anns(coffee, told_of_withdrawal=told)
        until = last - date(2031, 1, 31)
        who = subscription.customer
        coffee.builder.clock.set(subscription.created_at + until)
        await coffee.shop.statements.open_withdrawal(attrs.evolve(self.form, form_key="1"), HERE, who)
        coffee.builder.clock.set(subscription.created_at + until + DAY)
        with pytest.raises(WithdrawalPeriodOver) as refused:
            await coffee.shop.statements.open_withdrawal(self.form, HERE, who)
        assert refused.value.ended_on == last

    @pytest.mark.proves("CAN-9")
    async def test_what_was_begun_in_time_and_confirmed_too_late_is_refused_too(self, coffee) -> None:
        subscription = await anns(coffee)
        opened = await coffee.shop.statements.open_withdrawal(self.form, HERE, subscription.customer)
        coffee.builder.clock.advance(15 * DAY)
        with pytest.raises(WithdrawalPeriodOver):
            await coffee.shop.statements.confirm_withdrawal(opened.statement, HERE, subscription.customer)
        assert not letters(coffee, "withdrawal_received")

    @pytest.mark.proves("CAN-9", "ABU-7")
    @pytest.mark.parametrize("why", ["too late", "another contact", "no such contract"])
    async def test_anybody_else_gets_the_receipt_and_a_clerk_looks(self, coffee, why) -> None:
        subscription = await anns(coffee)
        if why == "too late":
            coffee.builder.clock.advance(20 * DAY)
        changed = {"another contact": {"contact": EVE}, "no such contract": {"reference": "V-7"}}.get(why, {})
        form = attrs.evolve(self.form, **changed)
        opened = await coffee.shop.statements.open_withdrawal(form, HERE)
        receipt = await coffee.shop.statements.confirm_withdrawal(opened.statement, HERE)
        assert receipt.said == form
        assert (await kept(coffee, subscription)).lifecycle is Lifecycle.ACTIVE
        coffee.builder.agents = Clerk()
        coffee.builder.scope = attrs.evolve(coffee.builder.scope, actor=Actor(ActorKind.AGENT, "carla"))
        page = await coffee.builder.build().statements.unmatched_withdrawals("daily look")
        assert [one.id for one in page.items] == [opened.statement]

    @pytest.mark.proves("CAN-9")
    async def test_where_no_law_gives_the_right_there_is_none(self, coffee, plans) -> None:
        coffee.builder.ports = {"billing": BillingPorts(plans=plans, jurisdictions=OneJurisdiction("US"))}
        there = attrs.evolve(coffee, shop=coffee.builder.build())
        subscription = await anns(there)
        with pytest.raises(WithdrawalPeriodOver):
            await there.shop.statements.open_withdrawal(self.form, HERE, subscription.customer)

    @pytest.mark.proves("CAN-9")
    async def test_an_unknown_statement_is_not_confirmed(self, coffee) -> None:
        with pytest.raises(SubscriptionUnknown):
            await coffee.shop.statements.confirm_withdrawal("nothing", HERE)
