"""Rules of law and of card schemes on subscriptions, as data.

Each row carries where it stands and when it was last compared with it. The library sends what they ask for; which of
them bind a shop, and which others do, the shop finds out itself.

Bounds that a law leaves open are ours, so that a notice is neither forgotten nor sent a month ahead: three days before
a debit in India, ten days before a trial ends under Visa's rules, thirty days before the anniversary in California.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final, TypeVar

import attrs

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.laws.notice_rules import (
    Applies,
    LawRow,
    NoticeEffect,
    NoticeFact,
    NoticeRule,
    NoticeTrigger,
    Offset,
)

__all__ = [
    "EU_MEMBERS",
    "EVIDENCE_RULES",
    "LAWS",
    "NOTICE_RULES",
    "RENEWAL_TERM_RULES",
    "STEP_UP_RULES",
    "WITHDRAWAL_RULES",
    "EvidenceRule",
    "RenewalTermRule",
    "StepUpRule",
    "WithdrawalRule",
    "in_force",
    "in_jurisdiction",
    "renewal_term_problems",
    "step_up_needed",
]

R = TypeVar("R", bound=LawRow)

_REVIEWED: Final = date(2026, 11, 22)
_SHORTEST_MONTH: Final = 28
_MONTHS_IN_YEAR: Final = 12
_DAYS_IN_YEAR: Final = 365

_EU: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU_MEMBERS: Final = frozenset(_EU.split())
"""The members of the European Union since 2020-02-01, as ISO 3166-1 codes."""


def in_jurisdiction(place: str, jurisdiction: str) -> bool:
    """Tell whether a rule of a *jurisdiction* concerns somebody at a *place*.

    Args:
        place: A country (``FR``) or a part of one (``US-CA``), by ISO 3166; empty where it is unknown.
        jurisdiction: The same, or ``EU``, or empty for a rule that holds everywhere.
    """
    country = place.partition("-")[0]
    return jurisdiction in {"", place, country} or (jurisdiction == "EU" and country in EU_MEMBERS)


def in_force(rows: Iterable[R], jurisdiction: str, on: date) -> tuple[R, ...]:
    """Answer the rows that concern somebody on a day, in the order given.

    Args:
        rows: Rules of one kind.
        jurisdiction: Where the customer is on that day, such as ``US-CA`` or ``FR``; empty where it is unknown.
        on: The local day.

    Raises:
        TypeError: *on* is a datetime.
    """
    return tuple(row for row in rows if in_jurisdiction(jurisdiction, row.jurisdiction) and row.holds_on(on))


@attrs.frozen(kw_only=True)
class EvidenceRule(LawRow):
    """For how long the record is kept that somebody agreed to the terms.

    Args:
        years_from_consent: So many years from the consent,
        years_after_end: or so many after the end of the contract, whichever is later.
    """

    years_from_consent: int
    years_after_end: int


@attrs.frozen(kw_only=True)
class StepUpRule(LawRow):
    """Above which amount a customer confirms each charge.

    Args:
        limit: The highest amount that is charged without the customer.
    """

    limit: Money


@attrs.frozen(kw_only=True)
class RenewalTermRule(LawRow):
    """How long a consumer may be bound.

    Args:
        initial_months: The first term has so many months at most.
        notice_months: Once it is over, the contract runs on without a term, and ends so many months after notice was
            given, at most.
    """

    initial_months: int
    notice_months: int


@attrs.frozen(kw_only=True)
class WithdrawalRule(LawRow):
    """For how long a consumer may withdraw from a contract at a distance.

    Args:
        days: So many days from the day of the contract or of the delivery, that day not counted.
        uninformed_months: So many months longer where the shop did not inform about the right.
    """

    days: int
    uninformed_months: int

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        require(self.days >= 0 and self.uninformed_months >= 0, f"{self.id} has no negative lengths")


_FACTS_OF_RENEWAL: Final = frozenset(
    {NoticeFact.PRODUCT, NoticeFact.AMOUNT, NoticeFact.NEXT_DATE, NoticeFact.INTERVAL, NoticeFact.HOW_TO_CANCEL}
)
_FACTS_OF_RECEIPT: Final = frozenset({NoticeFact.STATEMENT, NoticeFact.RECEIVED_AT})
_CARD: Final = frozenset({"card"})
_MANDATE: Final = frozenset({"card", "upi"})
_END_OF_OFFER: Final = frozenset({NoticeTrigger.TRIAL_END, NoticeTrigger.INTRO_END})
_AB_390: Final = "https://leginfo.legislature.ca.gov/faces/billNavClient.xhtml?bill_id=202120220AB390"
_AB_2863: Final = "https://leginfo.legislature.ca.gov/faces/billNavClient.xhtml?bill_id=202320240AB2863"
_CODE_17602: Final = "California Business and Professions Code § 17602"

NOTICE_RULES: Final = (
    NoticeRule(
        id="us_ca.annual_renewal",
        jurisdiction="US-CA",
        law=f"{_CODE_17602}, AB 390",
        source=_AB_390,
        valid_from=date(2022, 7, 1),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.RENEWAL}),
        earliest=Offset.days(45),
        latest=Offset.days(15),
        applies=Applies(initial_months=12, renewal_over_months=1, consumers_only=True),
        facts=_FACTS_OF_RENEWAL,
    ),
    NoticeRule(
        id="us_ca.trial_end",
        jurisdiction="US-CA",
        law=f"{_CODE_17602}, AB 390",
        source=_AB_390,
        valid_from=date(2022, 7, 1),
        reviewed_on=_REVIEWED,
        triggers=_END_OF_OFFER,
        earliest=Offset.days(21),
        latest=Offset.days(3),
        applies=Applies(trial_over_days=31, consumers_only=True),
        facts=_FACTS_OF_RENEWAL,
    ),
    NoticeRule(
        id="us_ca.price_change",
        jurisdiction="US-CA",
        law=f"{_CODE_17602}, AB 2863",
        source=_AB_2863,
        valid_from=date(2025, 7, 1),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.PRICE_CHANGE}),
        earliest=Offset.days(30),
        latest=Offset.days(7),
        applies=Applies(consumers_only=True),
        facts=frozenset({NoticeFact.PRICE_BEFORE, NoticeFact.PRICE_AFTER, NoticeFact.HOW_TO_CANCEL}),
        effect=NoticeEffect.DEFERS_CHANGE,
    ),
    NoticeRule(
        id="us_ca.annual_reminder",
        jurisdiction="US-CA",
        law=f"{_CODE_17602}, AB 2863",
        source=_AB_2863,
        valid_from=date(2025, 7, 1),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.ANNUAL}),
        earliest=Offset.days(30),
        latest=Offset.days(0),
        applies=Applies(renews=True, consumers_only=True),
        facts=frozenset({NoticeFact.PRODUCT, NoticeFact.AMOUNT, NoticeFact.INTERVAL, NoticeFact.HOW_TO_CANCEL}),
    ),
    NoticeRule(
        id="in.pre_debit",
        jurisdiction="IN",
        law="Reserve Bank of India, e-mandate framework for recurring transactions",
        source="RBI circulars of 2019-08-21, 2020-12-04 and 2021-03-31, in force since 2021-10-01",
        valid_from=date(2021, 10, 1),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.PRE_DEBIT}),
        earliest=Offset.hours(72),
        latest=Offset.hours(24),
        applies=Applies(methods=_MANDATE),
        facts=frozenset({NoticeFact.PRODUCT, NoticeFact.AMOUNT, NoticeFact.NEXT_DATE, NoticeFact.HOW_TO_CANCEL}),
        effect=NoticeEffect.BLOCKS_CHARGE,
    ),
    NoticeRule(
        id="de.cancel_button",
        jurisdiction="DE",
        law="§ 312k BGB",
        source="https://www.gesetze-im-internet.de/bgb/__312k.html",
        valid_from=date(2022, 7, 1),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.CANCEL_RECEIPT}),
        earliest=Offset.hours(0),
        latest=Offset.hours(0),
        applies=Applies(consumers_only=True),
        facts=_FACTS_OF_RECEIPT,
        missed_frees=True,
    ),
    NoticeRule(
        id="eu.withdrawal_function",
        jurisdiction="EU",
        law="Directive 2011/83/EU, Art. 11a, by Directive (EU) 2023/2673",
        source="https://eur-lex.europa.eu/eli/dir/2023/2673/oj",
        valid_from=date(2026, 6, 19),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.WITHDRAWAL_RECEIPT}),
        earliest=Offset.hours(0),
        latest=Offset.hours(0),
        applies=Applies(consumers_only=True),
        facts=_FACTS_OF_RECEIPT,
    ),
    NoticeRule(
        id="fr.tacit_renewal",
        jurisdiction="FR",
        law="Code de la consommation, Art. L215-1",
        source="https://www.legifrance.gouv.fr/codes/id/LEGISCTA000032226980",
        valid_from=date(2016, 7, 1),
        reviewed_on=_REVIEWED,
        triggers=frozenset({NoticeTrigger.TERM_END}),
        earliest=Offset.months(3),
        latest=Offset.months(1),
        applies=Applies(renews=True, consumers_only=True),
        facts=frozenset({NoticeFact.PRODUCT, NoticeFact.NEXT_DATE, NoticeFact.HOW_TO_CANCEL}),
        missed_frees=True,
    ),
    NoticeRule(
        id="visa.trial_reminder",
        jurisdiction="",
        law="Visa Core Rules, subscriptions with a trial or an introductory price",
        source="Visa Core Rules and Visa Product and Service Rules, since 2020-04-18",
        valid_from=date(2020, 4, 18),
        reviewed_on=_REVIEWED,
        triggers=_END_OF_OFFER,
        earliest=Offset.days(10),
        latest=Offset.days(7),
        applies=Applies(methods=_CARD),
        facts=frozenset({NoticeFact.PRODUCT, NoticeFact.AMOUNT, NoticeFact.NEXT_DATE, NoticeFact.HOW_TO_CANCEL}),
    ),
)
"""The notices that are shipped."""

EVIDENCE_RULES: Final = (
    EvidenceRule(
        id="us_ca.evidence",
        jurisdiction="US-CA",
        law=f"{_CODE_17602}, AB 2863",
        source=_AB_2863,
        valid_from=date(2025, 7, 1),
        reviewed_on=_REVIEWED,
        years_from_consent=3,
        years_after_end=1,
    ),
)
"""For how long consent to the terms is kept."""

STEP_UP_RULES: Final = (
    StepUpRule(
        id="in.step_up",
        jurisdiction="IN",
        law="Reserve Bank of India, e-mandate framework for recurring transactions",
        source="RBI circular of 2022-06-16",
        valid_from=date(2022, 6, 16),
        reviewed_on=_REVIEWED,
        limit=Money.of(15_000, "INR"),
    ),
)
"""Above which amounts a customer confirms each charge."""

RENEWAL_TERM_RULES: Final = (
    RenewalTermRule(
        id="de.renewal_term",
        jurisdiction="DE",
        law="§ 309 No. 9 BGB",
        source="https://www.gesetze-im-internet.de/bgb/__309.html",
        valid_from=date(2022, 3, 1),
        reviewed_on=_REVIEWED,
        initial_months=24,
        notice_months=1,
    ),
)
"""How long consumers may be bound."""

WITHDRAWAL_RULES: Final = (
    WithdrawalRule(
        id="eu.withdrawal_period",
        jurisdiction="EU",
        law="Directive 2011/83/EU, Art. 9 and 10; Regulation (EEC, Euratom) 1182/71, Art. 3(4)",
        source="https://eur-lex.europa.eu/eli/dir/2011/83/oj",
        valid_from=date(2014, 6, 13),
        reviewed_on=_REVIEWED,
        days=14,
        uninformed_months=12,
    ),
)
"""For how long consumers may withdraw."""

LAWS: Final[tuple[LawRow, ...]] = (
    *NOTICE_RULES,
    *EVIDENCE_RULES,
    *STEP_UP_RULES,
    *RENEWAL_TERM_RULES,
    *WITHDRAWAL_RULES,
)
"""All that is shipped."""


def step_up_needed(amount: Money, rules: Iterable[StepUpRule]) -> bool:
    """Tell whether the customer has to confirm a charge of this amount.

    Args:
        amount: What is to be charged, taxes included.
        rules: Those that concern the customer on that day.
    """
    return any(amount.currency == rule.limit.currency and amount > rule.limit for rule in rules)


def renewal_term_problems(
    rule: RenewalTermRule, initial: Interval, renewal: Interval | None, notice_days: int
) -> tuple[str, ...]:
    """Answer in English what of a plan's term a rule forbids; empty where it is as the rule wants it.

    Args:
        rule: Which rule.
        initial: The first term.
        renewal: The term for which it is renewed each time, None where it runs on without one.
        notice_days: How many days before it ends a customer has to say so; 28 of them are surely within a month.
    """
    too_long = (
        initial.total_months > rule.initial_months
        or initial.total_days * _MONTHS_IN_YEAR > rule.initial_months * _DAYS_IN_YEAR
    )
    problems = {
        f"{rule.id}: the first term is longer than {rule.initial_months} months": too_long,
        f"{rule.id}: it is renewed for a fixed term": renewal is not None,
        f"{rule.id}: notice is longer than {rule.notice_months} month": notice_days
        > rule.notice_months * _SHORTEST_MONTH,
    }
    return tuple(problem for problem, is_there in problems.items() if is_there)
