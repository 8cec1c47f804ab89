"""Which letters will go out, and when: looks at an agenda that are still to come.

The rules, in plain English:

* Whoever looks at an agenda does what the notices themselves do: the same windows open, the same rules ask for letters,
  and what was sent is remembered. Only nothing is written.
* Between two looks that find nothing new, nothing has to be looked at: the next one that counts is when a window opens,
  when an anniversary has passed, or when something has become of the subscription.
"""

from collections.abc import Iterator
from datetime import datetime

import attrs

from shopaccounts.subscriptions.announcing.amounts import amount_of, foreseen
from shopaccounts.subscriptions.announcing.looks import ABOUT_CHARGES, DueLetter, Look, look_again, look_at
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import ContractFacts, NoticeFacts, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.laws.rows import in_jurisdiction
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.notices.agenda import LOOK_AGAIN, NoticeAgenda, with_sent
from shopaccounts.subscriptions.notices.occasions import Occasion, contract_facts, notice_of, occasions
from shopaccounts.subscriptions.office.known import method_of
from shopaccounts.subscriptions.planning.taxes import RatesOf
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import MethodFacts

__all__ = ["Foretelling", "Foretold"]

_T = NoticeTrigger


@attrs.frozen(kw_only=True)
class Foretold:
    """A letter that will go out.

    Args:
        at: When.
        trigger: What it announces.
    """

    at: datetime
    trigger: NoticeTrigger


@attrs.define(kw_only=True)
class Foretelling:
    """The agenda of one subscription, as it will be.

    Args:
        agenda: As it is; then, as it will be after the letters that were foretold.
        method: What is known of the payment method.
        rates: The rates of taxes, as of today.
        policy: Which rules the shop follows.
    """

    agenda: NoticeAgenda
    method: MethodFacts | None
    rates: RatesOf
    policy: SubscriptionPolicy

    @property
    def sent(self) -> tuple[SentNotice, ...]:
        """What the customer will have been told by then."""
        return self.agenda.sent

    def before(
        self, stop: datetime, subscription: Subscription, account: BillingAccount, facts: Facts
    ) -> Iterator[Foretold]:
        """Answer the letters that go out before an instant, if nothing becomes of the subscription before it.

        Args:
            stop: Before when.
            subscription: As it is until then.
            account: Who pays.
            facts: What is known; what was sent is known here.
        """
        facts = attrs.evolve(facts, has_method=method_of(subscription, account) is not None)
        contract = contract_facts(subscription, self.method, has_method=facts.has_method)
        if not self._is_told_anything(subscription, facts, contract):
            self._pass_over(stop)
        while (at := self.agenda.due_at) is not None and at < stop:
            facts = attrs.evolve(facts, notices=self.sent)
            found = dict.fromkeys(occasions(subscription, facts, self.policy, self.method, at), facts)
            look = Look(agenda=self.agenda, subscription=subscription, account=account)
            look = look_at(look, found, contract, self.policy, at)
            letters = [one for one in look.due if self._says_something(one, look)]
            sent = tuple(
                notice_of(subscription, one.occasion, rule, NoticeFacts(), at) for one in letters for rule in one.rules
            )
            again = self._next_look(look, tuple(found), at, stop)
            self.agenda = attrs.evolve(with_sent(self.agenda, sent, at), due_at=again, looked_at=at)
            yield from (Foretold(at=at, trigger=one.occasion.trigger) for one in letters)

    def _is_told_anything(self, subscription: Subscription, facts: Facts, contract: ContractFacts) -> bool:
        """Tell whether any rule asks for a letter about what there may be to announce; else nobody has to look."""
        ahead = {
            _T.RENEWAL: True,
            _T.ANNUAL: True,
            _T.PRE_DEBIT: facts.has_method,
            _T.PAYMENT_METHOD_EXPIRING: self.method is not None and self.method.expires_on is not None,
            _T.TRIAL_END: contract.trial_days > 0,
            _T.INTRO_END: contract.trial_days > 0,
            _T.TERM_END: subscription.term is not None,
            _T.PRICE_CHANGE: bool(facts.price_changes),
        }
        possible = frozenset(trigger for trigger, is_ahead in ahead.items() if is_ahead)
        return any(
            rule.triggers & possible
            and in_jurisdiction(facts.place, rule.jurisdiction)
            and rule.applies.holds_for(contract)
            for rule in (self.policy.prices.rule, *self.policy.notices.rules)
        )

    def _pass_over(self, stop: datetime) -> None:
        """Leave out the looks before an instant."""
        at = self.agenda.due_at
        if at is not None and at < stop:
            self.agenda = attrs.evolve(self.agenda, due_at=at - (at - stop) // LOOK_AGAIN * LOOK_AGAIN)

    def _says_something(self, letter: DueLetter, look: Look) -> bool:
        """Tell whether anything is charged; what a charge is about that isn't made needs no letter."""
        if letter.occasion.trigger not in ABOUT_CHARGES:
            return True
        occasion = letter.occasion
        ahead = foreseen(look.subscription, occasion, look.account, self.rates, letter.facts, self.policy)
        amount = amount_of(ahead, occasion)
        return not amount.is_zero

    def _next_look(self, look: Look, found: tuple[Occasion, ...], at: datetime, stop: datetime) -> datetime | None:
        """Answer the next look that can find anything; they come a day apart, and when a window opens."""
        if look_again(look, self.policy, at) is None:
            return None
        years = (one.at + LOOK_AGAIN for one in found if one.trigger is NoticeTrigger.ANNUAL)
        quiet_until = min([stop, *years]) if look.due == () else at
        daily = at + max(-((at - quiet_until) // LOOK_AGAIN), 1) * LOOK_AGAIN
        return daily if look.opens_at is None else min(daily, look.opens_at)
