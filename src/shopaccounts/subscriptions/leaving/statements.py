"""Statements with which customers end a contract or withdraw from it, and the receipts that they get.

The rules, in plain English:

* Nobody has to sign in to cancel. Who does, names the contract, says who they are, and where the receipt goes.
  [§ 312k BGB]
* The receipt says what was received, and when. It is the same whether the shop has such a contract or not, so the form
  tells nobody who is a customer.
* A statement that names a contract and a way to reach its customer is acted upon. Where the contract is right and the
  contact is another one, the customer is asked at a contact of their own, and the time of receipt stands. What fits no
  contract is for a clerk.
* A withdrawal takes two steps: saying so, and confirming it. [Art. 11a of Directive 2011/83/EU]
* One may withdraw until the local day ends that comes fourteen days after the contract or the delivery; where that is
  no working day, until the next one ends. Who was not told about it has twelve months more.
* Statements are kept as they came in. Sent twice, the same form is one statement, and has one receipt.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.canonical import canonical, plain_fields
from shopaccounts.kernel.dated import WorkCalendar
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.text import CAPS, require_choice, require_text
from shopaccounts.kernel.time import Zone, add_months, require_day, require_instant, start_of_day
from shopaccounts.subscriptions.errors import WithdrawalPeriodOver
from shopaccounts.subscriptions.laws.rows import WithdrawalRule
from shopaccounts.subscriptions.remarks import clean_remark

__all__ = [
    "CANCELLATION_STATEMENTS",
    "WITHDRAWAL_STATEMENTS",
    "CancellationForm",
    "CancellationKind",
    "CancellationStatement",
    "ContractOnFile",
    "Match",
    "StatementReceipt",
    "WithdrawalForm",
    "WithdrawalStatement",
    "WithdrawalWindow",
    "cancellation_statement",
    "confirmed",
    "match_statement",
    "receipt_of",
    "require_open",
    "statement_id",
    "withdrawal_statement",
    "withdrawal_window",
]

_ONE_DAY: Final = timedelta(days=1)
_LONGEST_NAME: Final = 200
_EVIDENCE: Final = OnErase.keep("evidence of what was declared, for as long as claims can be made")
_SAID: Final = personal("contract_statement", Category.CONTENT, on_erase=_EVIDENCE)


class CancellationKind(Enum):
    """Whether somebody cancels as the contract allows, or at once for a reason."""

    ORDINARY = "ordinary"
    EXTRAORDINARY = "extraordinary"


class Match(Enum):
    """What the shop makes of a statement; nobody outside is told."""

    MATCHED = "matched"
    CONFIRM = "confirm"
    UNMATCHED = "unmatched"


def _line(value: object, field: str, cap: int) -> str:
    text = clean_remark(require_text(value, field, cap=cap, printable=False), field)
    if not text:
        raise InvalidInput(field, reason="missing")
    return text


def _name(value: str) -> str:
    return _line(value, "name", _LONGEST_NAME)


def _reference(value: str) -> str:
    return _line(value, "reference", CAPS["handle"])


def _contact(value: str) -> str:
    return _line(value, "contact", CAPS["identifier"])


def _form_key(value: str) -> str:
    return require_text(value, "form_key", cap=CAPS["request_key"])


def _kind(value: CancellationKind) -> CancellationKind:
    return require_choice(value, "kind", CancellationKind)


def _reason(value: str) -> str:
    return clean_remark(value, "reason")


@attrs.frozen(kw_only=True)
class CancellationForm:
    """What somebody filled in to cancel, cleaned.

    Args:
        name: Who cancels; up to 200 characters.
        reference: Which contract, as the customer knows it; up to 128 characters.
        contact: Where the receipt goes: an address or a number.
        kind: As the contract allows, or at once for a reason.
        reason: The reason, up to 2000 characters; needed for the second kind.
        ends_on: On which local day it is to end, None for the earliest possible.
        form_key: What tells one filled-in form from the next, such as a random value in the page; empty where the
            content alone tells.

    Raises:
        InvalidInput: Something is missing, too long, or of another type.
        TypeError: *ends_on* is a datetime.
    """

    name: str = attrs.field(converter=_name, repr=False)
    reference: str = attrs.field(converter=_reference)
    contact: str = attrs.field(converter=_contact, repr=False)
    kind: CancellationKind = attrs.field(default=CancellationKind.ORDINARY, converter=_kind)
    reason: str = attrs.field(default="", converter=_reason, repr=False)
    ends_on: date | None = None
    form_key: str = attrs.field(default="", converter=_form_key)

    def __attrs_post_init__(self) -> None:
        if self.ends_on is not None:
            require_day(self.ends_on)
        if self.kind is CancellationKind.EXTRAORDINARY and not self.reason:
            raise InvalidInput(field="reason", reason="missing")


@attrs.frozen(kw_only=True)
class WithdrawalForm:
    """What somebody filled in to withdraw, cleaned.

    Args:
        name: Who withdraws; up to 200 characters.
        reference: From which contract, as the customer knows it; up to 128 characters.
        contact: Where the receipt goes: an address or a number.
        form_key: What tells one filled-in form from the next; empty where the content alone tells.

    Raises:
        InvalidInput: Something is missing, too long, or of another type.
    """

    name: str = attrs.field(converter=_name, repr=False)
    reference: str = attrs.field(converter=_reference)
    contact: str = attrs.field(converter=_contact, repr=False)
    form_key: str = attrs.field(default="", converter=_form_key)


@described(data_class="contract_statement", default=impersonal("times, choices"))
@attrs.frozen(kw_only=True)
class CancellationStatement:
    """A cancellation as it came in; it is never changed.

    Args:
        id: The same for the same form, so that a store takes it once.
        said: What was filled in.
        received_at: When it came in.
        match: What the shop made of it.
        subscription: Which contract it fits, empty for none.
    """

    id: str = attrs.field(metadata=impersonal("a digest"))
    realm: RealmId
    store: StoreId
    version: int = 1
    said: CancellationForm = attrs.field(metadata=_SAID)
    received_at: datetime
    match: Match
    subscription: str = attrs.field(metadata=impersonal("an id"))


@described(data_class="contract_statement", default=impersonal("times, choices"))
@attrs.frozen(kw_only=True)
class WithdrawalStatement:
    """A withdrawal as it came in. Confirming it adds a time, once; nothing else is ever changed.

    Args:
        id: The same for the same form, so that a store takes it once.
        said: What was filled in.
        opened_at: When the first step was taken.
        confirmed_at: When the second was, None until then.
        match: What the shop made of it.
        subscription: Which contract it fits, empty for none.
    """

    id: str = attrs.field(metadata=impersonal("a digest"))
    realm: RealmId
    store: StoreId
    version: int = 1
    said: WithdrawalForm = attrs.field(metadata=_SAID)
    opened_at: datetime
    confirmed_at: datetime | None = None
    match: Match
    subscription: str = attrs.field(metadata=impersonal("an id"))


def _for_a_clerk(statement: CancellationStatement) -> str | None:
    """Answer the queue of a cancellation that fits no contract, or gives a reason that somebody has to judge."""
    judged = statement.said.kind is CancellationKind.EXTRAORDINARY
    return statement.store if judged or statement.match is Match.UNMATCHED else None


def _withdrawn_in_vain(statement: WithdrawalStatement) -> str | None:
    """Answer the queue of a withdrawal that ended no contract by itself."""
    waits = statement.confirmed_at is not None and statement.match is not Match.MATCHED
    return statement.store if waits else None


CANCELLATION_STATEMENTS: Final = Book(
    name="cancellation_statements",
    of=CancellationStatement,
    groups={"queue": _for_a_clerk, "subscription": lambda statement: statement.subscription or None},
    order=lambda statement: statement.received_at,
)
WITHDRAWAL_STATEMENTS: Final = Book(
    name="withdrawal_statements",
    of=WithdrawalStatement,
    groups={"queue": _withdrawn_in_vain, "subscription": lambda statement: statement.subscription or None},
    order=lambda statement: statement.opened_at,
)


@attrs.frozen(kw_only=True)
class StatementReceipt:
    """What somebody gets for a statement: what it said, and when it came in.

    Args:
        statement: Id of the statement.
        said: What was filled in.
        received_at: When it came in.
    """

    statement: str
    said: CancellationForm | WithdrawalForm
    received_at: datetime


@attrs.frozen
class ContractOnFile:
    """The contract that a statement names, and the keys of its customer's contacts.

    Args:
        subscription: Id of the contract.
        contacts: Keys by which contacts are compared.
    """

    subscription: str
    contacts: frozenset[str]


def match_statement(contract: ContractOnFile | None, contact: str) -> tuple[Match, str]:
    """Answer what the shop makes of a statement, and the contract it fits; empty for none.

    Args:
        contract: What is on file under the reference, None for nothing.
        contact: The key of the contact that the statement gives.
    """
    if contract is None:
        return Match.UNMATCHED, ""
    return (Match.MATCHED if contact in contract.contacts else Match.CONFIRM), contract.subscription


def statement_id(realm: RealmId, store: StoreId, said: CancellationForm | WithdrawalForm) -> str:
    """Answer the id of a statement: a digest of all that was filled in, so the same form is the same statement.

    Returns:
        SHA-256 (FIPS 180-4) as 64 hex digits.
    """
    words = canonical([type(said).__name__, realm, store, plain_fields(said)])
    return hashlib.sha256(words.encode()).hexdigest()


def cancellation_statement(
    said: CancellationForm, found: tuple[Match, str], *, realm: RealmId, store: StoreId, now: datetime
) -> CancellationStatement:
    """Answer what is kept of a cancellation.

    Args:
        said: What was filled in.
        found: What ``match_statement`` answered.
        realm: The pool of customers.
        store: The store whose form it was.
        now: When it came in.
    """
    match, subscription = found
    return CancellationStatement(
        id=statement_id(realm, store, said),
        realm=realm,
        store=store,
        said=said,
        received_at=require_instant(now),
        match=match,
        subscription=subscription,
    )


def withdrawal_statement(
    said: WithdrawalForm, found: tuple[Match, str], *, realm: RealmId, store: StoreId, now: datetime
) -> WithdrawalStatement:
    """Answer what is kept of a withdrawal after its first step.

    Args:
        said: What was filled in.
        found: What ``match_statement`` answered.
        realm: The pool of customers.
        store: The store whose form it was.
        now: When it came in.
    """
    match, subscription = found
    return WithdrawalStatement(
        id=statement_id(realm, store, said),
        realm=realm,
        store=store,
        said=said,
        opened_at=require_instant(now),
        match=match,
        subscription=subscription,
    )


def confirmed(statement: WithdrawalStatement, now: datetime) -> WithdrawalStatement:
    """Answer *statement* with its second step taken; the first confirmation counts."""
    if statement.confirmed_at is not None:
        return statement
    return attrs.evolve(statement, confirmed_at=require_instant(now))


def receipt_of(statement: CancellationStatement | WithdrawalStatement) -> StatementReceipt:
    """Answer the receipt: what was declared and when, and nothing of what the shop makes of it.

    The receipt of a withdrawal has the time of the second step, or of the first while there is no second.
    """
    if isinstance(statement, WithdrawalStatement):
        received_at = statement.confirmed_at or statement.opened_at
    else:
        received_at = statement.received_at
    return StatementReceipt(statement=statement.id, said=statement.said, received_at=received_at)


@attrs.frozen(kw_only=True)
class WithdrawalWindow:
    """Until when a customer may withdraw.

    Args:
        ends_on: The last local day.
        ends_at: The first instant at which it is too late.
    """

    ends_on: date
    ends_at: datetime


def withdrawal_window(
    start: date,
    rule: WithdrawalRule,
    zone: Zone,
    holidays: Iterable[date] = (),
    *,
    information_missing: bool = False,
) -> WithdrawalWindow:
    """Answer until when a customer may withdraw.

    Args:
        start: The local day of the contract, or of the delivery where that decides.
        rule: For how long.
        zone: The customer's.
        holidays: Days without work, besides Saturdays and Sundays.
        information_missing: Whether the shop did not tell the customer about the right.

    Raises:
        TypeError: *start* is a datetime.
        DateOutOfRange: It ends beyond the year 9999.
    """
    last = require_day(start) + rule.days * _ONE_DAY
    if information_missing:
        last = add_months(last, rule.uninformed_months)
    ends_on = WorkCalendar(holidays=frozenset(holidays)).next_working_day(last)
    return WithdrawalWindow(ends_on=ends_on, ends_at=start_of_day(ends_on + _ONE_DAY, zone))


def require_open(window: WithdrawalWindow, now: datetime) -> None:
    """Demand that a customer may still withdraw.

    Raises:
        WithdrawalPeriodOver: It is too late.
    """
    if require_instant(now) >= window.ends_at:
        raise WithdrawalPeriodOver(window.ends_on)
