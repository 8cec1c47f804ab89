"""From papers to the one change that records them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Book, Change, ClaimGuard, Entity, Guard, Write
from shopaccounts.subscriptions.boxes.filing import NOTHING_ON_FILE, BoxesOnFile, box_writes
from shopaccounts.subscriptions.charges.usage import METERS, Meter
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.notices.agenda import NOTICE_AGENDAS, NoticeAgenda, opened_agenda
from shopaccounts.subscriptions.office.beside import NOBODY_BESIDE
from shopaccounts.subscriptions.office.doubling import NO_DOUBLES, with_heirs
from shopaccounts.subscriptions.office.voided import NONE_VOIDED, void_cycles
from shopaccounts.subscriptions.papers.documents import (
    BALANCE_ENTRIES,
    CREDIT_NOTES,
    CYCLES,
    INVOICES,
    BilledCycle,
    Invoice,
)
from shopaccounts.subscriptions.payments.intents import INTENTS
from shopaccounts.subscriptions.planning.writing_up import NameId, Papers
from shopaccounts.subscriptions.states import ENDED

__all__ = ["filed", "names_of", "new_ids", "papers_named"]

T = TypeVar("T", bound=Entity)
_NO_AGENDAS: Final[Mapping[str, NoticeAgenda]] = MappingProxyType({})
_NO_METERS: Final[Mapping[str, Meter]] = MappingProxyType({})


def new_ids(desk: Desk) -> NameId:
    """Answer what names papers that are written up for good; a preview names them by their keys.

    Args:
        desk: Has the clock, and the chance that ids are drawn from.
    """
    return lambda _key: desk.entropy.new_id(desk.now())


def filed(
    desk: Desk,
    papers: Papers,
    *,
    account: BillingAccount | None,
    subscriptions: Mapping[str, Subscription],
    invoices: Mapping[str, Invoice],
    agendas: Mapping[str, NoticeAgenda] = _NO_AGENDAS,
    meters: Mapping[str, Meter] = _NO_METERS,
    boxes: BoxesOnFile = NOTHING_ON_FILE,
    doubles: Mapping[str, Subscription] = NO_DOUBLES,
    beside: Mapping[str, Subscription] = NOBODY_BESIDE,
    voided: Mapping[str, BilledCycle] = NONE_VOIDED,
    claims: tuple[ClaimGuard, ...] = (),
) -> Change:
    """Answer the change that records what was written up.

    Args:
        desk: Puts events into their envelopes.
        papers: What was written up.
        account: As it was stored when that was decided; None for one that is new.
        subscriptions: The same, by id; one that isn't among them is new.
        invoices: The same, of those that were changed.
        agendas: The same, of subscriptions that have charges waiting for a notice.
        meters: The same, of subscriptions whose usage was billed.
        boxes: The same, of subscriptions whose change means something for their boxes.
        doubles: The same, of subscriptions that are marked as doubles of one that may have ended.
        beside: The same, of the account's other subscriptions whose lines waited for an invoice.
        voided: The same, of cycles whose invoice is void now.
        claims: Under which subscriptions are worked on, if somebody claimed them.
    """
    if doubles:
        papers, subscriptions = with_heirs(papers, doubles), {**doubles, **subscriptions}
    writes = [_subscription(one, subscriptions.get(one.id)) for one in papers.subscriptions]
    writes += [SUBSCRIPTIONS.change(beside[one.id], one) for one in papers.beside]
    guards: list[Guard] = []
    purse = _looked_after(papers, desk.now())
    if account is None:
        writes.append(ACCOUNTS.add(purse))
    elif purse is not account:
        writes.append(ACCOUNTS.change(account, purse))
    else:
        guards.append(ACCOUNTS.unchanged(account))
    writes += [INVOICES.change(invoices[one.id], one) for one in papers.changed]
    writes += _new(papers)
    writes += void_cycles(papers, voided) if voided else ()
    writes += _agendas(papers, subscriptions, agendas, desk.now())
    writes += [METERS.change(was, one) if (was := meters.get(one.id)) else METERS.add(one) for one in papers.meters]
    writes += box_writes(papers.subscriptions, subscriptions, boxes, desk.now())
    return Change(writes=tuple(writes), guards=tuple(guards), claims=claims, events=desk.tell(*papers.events))


def _looked_after(papers: Papers, now: datetime) -> BillingAccount:
    """Let somebody see to what waits for an invoice, when a subscription has ended: it may have been the last."""
    account = papers.account
    if account.pending and any(one.lifecycle in ENDED for one in papers.subscriptions):
        return attrs.evolve(account, settle_at=now)
    return account


def _subscription(now: Subscription, was: Subscription | None) -> Write:
    return SUBSCRIPTIONS.add(now) if was is None else SUBSCRIPTIONS.change(was, now)


def _new(papers: Papers) -> Iterable[Write]:
    yield from map(INVOICES.add, papers.invoices)
    yield from map(CREDIT_NOTES.add, papers.notes)
    yield from map(CYCLES.add, papers.cycles)
    yield from map(INTENTS.add, papers.intents)
    yield from map(BALANCE_ENTRIES.add, papers.entries)


def _agendas(
    papers: Papers, stored: Mapping[str, Subscription], agendas: Mapping[str, NoticeAgenda], now: datetime
) -> Iterable[Write]:
    """Open the agendas of new subscriptions, and note there what waits for a notice: somebody looks at once."""
    for one in papers.subscriptions:
        if one.id not in stored:
            yield NOTICE_AGENDAS.add(opened_agenda(one, now))
        elif papers.waiting and (charges := tuple(charge for id, charge in papers.waiting if id == one.id)):
            was = agendas.get(one.id)
            agenda = was or opened_agenda(one, now)
            noted = attrs.evolve(agenda, due_at=now, waiting=agenda.waiting + charges)
            yield NOTICE_AGENDAS.change(was, noted) if was else NOTICE_AGENDAS.add(noted)


def names_of(papers: Papers) -> Mapping[str, tuple[str, ...]]:
    """Answer the ids of the documents among papers, by the books that they stand in."""
    made = (
        (INVOICES.name, papers.invoices),
        (CREDIT_NOTES.name, papers.notes),
        (INTENTS.name, papers.intents),
        (BALANCE_ENTRIES.name, papers.entries),
    )
    return {name: tuple(one.id for one in documents) for name, documents in made if documents}


async def papers_named(
    records: Records, names: Mapping[str, tuple[str, ...]], subscription: Subscription, account: BillingAccount
) -> Papers:
    """Answer documents that were written earlier, as they are now.

    Args:
        records: Where they stand.
        names: Their ids, as ``names_of`` answers them.
        subscription: What they were written for, as it is now.
        account: Who pays, as it is now.
    """
    return Papers(
        account=account,
        subscriptions=(subscription,),
        invoices=await _named(records, INVOICES, names),
        changed=(),
        notes=await _named(records, CREDIT_NOTES, names),
        cycles=(),
        intents=await _named(records, INTENTS, names),
        entries=await _named(records, BALANCE_ENTRIES, names),
        events=(),
    )


async def _named(records: Records, book: Book[T], names: Mapping[str, Sequence[str]]) -> tuple[T, ...]:
    """Answer the entities of a book that are named, in that order."""
    ids = names.get(book.name, ())
    found = {one.id: one for one in await got(records.pick(book, ids))} if ids else {}
    return tuple(found[id] for id in ids if id in found)
