"""Asking the gateway: what is recorded before, and what after.

The rules, in plain English:

* That a payment is on its way is recorded before the gateway is asked, and what it said after that. In between nothing
  is read or written, and nothing is locked; a gateway may be as slow as it likes.
* Whatever breaks off in between leaves a payment on its way. Whose answer doesn't come in time is looked up.
* A payment that waited for its customer in vain is looked up once more before it is given up.
* A gateway that raises has not answered.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Claimed, DueWork
from shopaccounts.kernel.record import Change, ClaimGuard, PageResult
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.collecting.casework import Casework, Verdict
from shopaccounts.subscriptions.collecting.dossiers import Dossier, Outcome, owed
from shopaccounts.subscriptions.collecting.outcomes import after_answer, after_time_out, before_asking, given_up
from shopaccounts.subscriptions.laws.rows import STEP_UP_RULES, step_up_needed
from shopaccounts.subscriptions.payments.charging import (
    Charged,
    ChargeRequest,
    Declined,
    Found,
    NoAnswer,
    RefundRequest,
)
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, PaymentIntent, Purpose
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Gateway, Jurisdictions

__all__ = ["Asking", "verdict_on"]

log = logging.getLogger("shopaccounts")
Rule: TypeAlias = Callable[[Dossier, PaymentIntent, SubscriptionPolicy, datetime], Outcome | None]
Judged: TypeAlias = tuple[PaymentIntent, Verdict]


def verdict_on(id: str, rule: Rule, policy: SubscriptionPolicy) -> Verdict:
    """Answer the verdict on an invoice that decides about one of its payments.

    Args:
        id: The payment's.
        rule: What to decide.
        policy: How the shop chases.
    """

    def verdict(dossier: Dossier, now: datetime) -> Outcome | None:
        intent = next((one for one in dossier.intents if one.id == id), None)
        return rule(dossier, intent, policy, now) if intent is not None else None

    return verdict


def _told(found: Found) -> Rule:
    return lambda dossier, intent, policy, now: after_answer(dossier, intent, found, policy, now)


@attrs.frozen(kw_only=True)
class Asking:
    """Works off payments whose time has come.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        gateway: Who moves money.
        jurisdictions: Whose law holds for a customer.
        casework: Decides and records.
        policy: How the shop chases, and how long an answer is waited for.
    """

    desk: Desk
    work: DueWork
    gateway: Gateway
    jurisdictions: Jurisdictions
    casework: Casework
    policy: SubscriptionPolicy

    async def page(self, limit: int, worker: WorkerId) -> Counter[str] | None:
        """Work off one page of payments; answer how many came to what, None if nothing is due.

        Args:
            limit: How many at most.
            worker: Who works.
        """
        now, lease = self.desk.now(), self.policy.running.lease
        claims = await got(self.work.claim_due(INTENTS, now, limit, lease, worker))
        if not claims:
            return None
        ready = [claim for claim in claims if claim.item.state is IntentState.READY]
        under_way, judged = await self._submit(ready, now)
        counted = Counter[str](given_up=len(judged))
        answers = [(one, await self._ask(one)) for one in under_way if self.desk.now() < now + lease]
        answers += [(one.item, await self._look_up(one.item)) for one in claims if one not in ready]
        counted.update(_word(found) for _, found in answers)
        judged += [(one, verdict_on(one.id, _rule(one, found), self.policy)) for one, found in answers]
        failed = await self._conclude(judged)
        done = [claim for claim in claims if claim.item.invoice not in failed]
        await got(self.work.release(INTENTS, done, None))
        return counted

    async def try_now(self, invoice: str) -> None:
        """Try the payment of an invoice at once, while the customer is there; do nothing if none waits for that.

        Args:
            invoice: Which.
        """
        found = await self.casework.load([invoice])
        live = [one for one in found[invoice].intents if _can_be_asked(one)] if invoice in found else []
        for intent in live:
            asked = await self._begun(found[invoice], intent)
            if asked is not None:
                answer = await self._ask(asked, customer_present=True)
                await self._conclude([(asked, verdict_on(asked.id, _told(answer), self.policy))])

    # Before the gateway is asked

    async def _begun(self, dossier: Dossier, intent: PaymentIntent) -> PaymentIntent | None:
        """Record that one payment is on its way; None if somebody was faster, or nothing is asked for."""
        if intent.state is IntentState.NEEDS_ACTION:
            return intent
        at = self.desk.now()
        step = before_asking(
            dossier, intent, "", self.policy, at, at + self.policy.running.lease, customer_present=True
        )
        if not isinstance(step, PaymentIntent):
            await self._conclude([(intent, verdict_on(intent.id, _unasked(step), self.policy))])
            return None
        write = INTENTS.change(intent, step)
        try:
            await self.desk.record(Change(writes=(write,)))
        except StaleWrite:
            return None
        in_flight: PaymentIntent = write.now
        return in_flight

    async def _submit(
        self, claims: Sequence[Claimed[PaymentIntent]], now: datetime
    ) -> tuple[list[PaymentIntent], list[Judged]]:
        """Record which payments are on their way; answer those, and what others come to without asking."""
        tried = _numbers(claim.item for claim in claims)
        dossiers = await self.casework.load(list(tried), tried) if claims else {}
        changes, judged = [], list[Judged]()
        for claim in claims:
            intent, dossier = claim.item, dossiers[claim.item.invoice]
            place = await self._place(dossier, now)
            step = before_asking(dossier, intent, place, self.policy, now, now + self.policy.running.lease)
            if isinstance(step, PaymentIntent):
                guard = ClaimGuard(INTENTS, intent.id, claim.fence)
                changes.append(Change(writes=(INTENTS.change(intent, step),), claims=(guard,)))
            else:
                judged.append((intent, verdict_on(intent.id, _unasked(step), self.policy)))
        results = await got(self.desk.records.record_page(changes)) if changes else ()
        won = [one for one, result in zip(changes, results, strict=True) if result == PageResult.RECORDED]
        return [one.writes[0].now for one in won], judged

    async def _place(self, dossier: Dossier, now: datetime) -> str:
        """Answer where the customer is, if any law cares about so much money."""
        if not step_up_needed(owed(dossier.invoice), STEP_UP_RULES):
            return ""
        today = local_date(now, dossier.account.zone)
        return await got(self.jurisdictions.of(dossier.account.id, today))

    # The gateway

    async def _ask(self, intent: PaymentIntent, *, customer_present: bool = False) -> Found:
        if intent.purpose is Purpose.REFUND:
            return await _heard(lambda: self.gateway.refund(_refund_of(intent)), intent.key)
        request = ChargeRequest(
            key=intent.key,
            amount=intent.amount,
            method=intent.method,
            invoice=intent.invoice,
            account=intent.account,
            customer_present=customer_present,
        )
        return await _heard(lambda: self.gateway.charge(request), intent.key)

    async def _look_up(self, intent: PaymentIntent) -> Found:
        return await _heard(lambda: self.gateway.lookup(intent.key), intent.key)

    # After that

    async def _conclude(self, judged: Sequence[Judged]) -> set[str]:
        """Record what was decided, of each invoice one thing at a time; answer where that failed."""
        tried = _numbers(intent for intent, _ in judged)
        waiting, failed = list(judged), set[str]()
        while waiting:
            page = {intent.invoice: (intent, verdict) for intent, verdict in reversed(waiting)}
            verdicts = {invoice: verdict for invoice, (_, verdict) in page.items()}
            failed.update(await self.casework.conclude(verdicts, {invoice: tried[invoice] for invoice in verdicts}))
            done = {intent.id for intent, _ in page.values()}
            waiting = [one for one in waiting if one[0].id not in done]
        return failed


async def _heard(ask: Callable[[], Answer[Found]], key: str) -> Found:
    """Answer what the gateway says."""
    try:
        return await got(ask())
    except Exception:
        log.exception("the gateway failed at %s; what became of that is looked up", key)
        return NoAnswer()


def _rule(intent: PaymentIntent, found: Found) -> Rule:
    """Answer what an answer decides; who waited in vain for a customer has no time left."""
    in_vain = intent.state is IntentState.NEEDS_ACTION and not isinstance(found, Charged | Declined)
    return after_time_out if in_vain else _told(found)


def _unasked(step: Found | None) -> Rule:
    return given_up if step is None else _told(step)


def _can_be_asked(intent: PaymentIntent) -> bool:
    """Tell whether a payment waits for its time, or for its customer by law; not for a notice to go out."""
    is_ready = intent.state is IntentState.READY and intent.due_at is not None
    by_law = intent.state is IntentState.NEEDS_ACTION and intent.submitted_at is None
    return intent.purpose is Purpose.CHARGE and (is_ready or by_law)


def _refund_of(intent: PaymentIntent) -> RefundRequest:
    return RefundRequest(
        key=intent.key,
        amount=intent.amount,
        charge=intent.refund_of,
        invoice=intent.invoice,
        account=intent.account,
    )


def _numbers(intents: Iterable[PaymentIntent]) -> dict[str, int]:
    """Answer the highest number among the intents of each invoice."""
    highest: dict[str, int] = {}
    for intent in intents:
        highest[intent.invoice] = max(intent.attempt, highest.get(intent.invoice, 0))
    return highest


def _word(found: Found) -> str:
    return type(found).__name__
