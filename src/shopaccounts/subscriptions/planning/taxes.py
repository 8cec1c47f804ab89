"""Which tax rates hold for what is billed: asked for many lines at once."""

from collections.abc import Mapping, Sequence
from datetime import date

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.ports import Taxes, TaxRequest

__all__ = ["RatesOf", "rates_for"]

RatesOf = Mapping[tuple[str, date], tuple[Rate, ...]]
"""From a tax category and the day on which a service begins to the rates that hold."""


async def rates_for(
    taxes: Taxes, decisions: Sequence[Decision], accounts: Mapping[str, BillingAccount]
) -> Mapping[str, RatesOf]:
    """Answer the rates that hold for every line that is to be billed, by account.

    Args:
        taxes: Who knows them; it is asked once.
        decisions: What is to be billed.
        accounts: Whose, by id.

    Raises:
        Defect: The port answered fewer or more than it was asked.
    """
    wanted = dict.fromkeys(
        (one.subscription.account, line.category, line.start)
        for one in decisions
        for bill in one.bills
        for line in bill.lines
        if line.taxed is None
    )
    if not wanted:
        return {}
    requests = [
        TaxRequest(account=account, profile=accounts[account].tax_profile, category=category, on=on)
        for account, category, on in wanted
    ]
    answers = await got(taxes.rates(requests))
    if len(answers) != len(requests):
        msg = f"{len(requests)} tax rates were asked for, and {len(answers)} came"
        raise Defect(msg)
    rates: dict[str, dict[tuple[str, date], tuple[Rate, ...]]] = {}
    for (account, category, on), answer in zip(wanted, answers, strict=True):
        rates.setdefault(account, {})[category, on] = answer
    return rates
