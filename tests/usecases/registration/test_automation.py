"""Programs that fill in forms, and addresses that the shop doesn't take."""

import json
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.contact import EmailInvalid
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.request import HumanEvidence
from shopaccounts.registration import (
    ATTEMPTS,
    ContactLinkInvalid,
    Disposable,
    DomainNotAccepted,
    HumanCheckNeeded,
    HumanVerdict,
    RegistrationForm,
    RegistrationPolicy,
)
from shopaccounts.testing.builders import PASSWORD, SITUATIONS, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.plugin import ASYNC, BLOCKING

ANN, HERE = "ann@lamp.example", request_from()
FORM = RegistrationForm(identifier=ANN, password=PASSWORD)


def seen_as(evidence):
    return attrs.evolve(HERE, human=evidence)


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


class Puzzle:
    """A check for people that answers what a test says."""

    def __init__(self, verdict=HumanVerdict.NOT_HUMAN):
        self.verdict, self.asked = verdict, []

    def judge(self, evidence, action):
        self.asked.append((evidence.answer, action))
        return self.verdict


class Listed:
    """Knows one throw-away domain, and which domains take mail."""

    def __init__(self, accepts=None):
        self.accepts = accepts

    def lists(self, domain):
        return domain == "gone.example"

    def accepts_mail(self, domain):  # noqa: ARG002  (the port's signature)
        return self.accepts

    def objections(self, address):
        return ("local_part",) if address.startswith("odd") else ()


@pytest.mark.proves("REG-6")
@pytest.mark.parametrize(
    ("evidence", "sign"),
    [
        (HumanEvidence(honeypot="http://lamps.example"), "honeypot"),
        (HumanEvidence(filled_in=timedelta(seconds=1, microseconds=999_999)), "too_fast"),
    ],
)
async def test_a_program_gets_the_ordinary_answer_and_nothing_comes_of_it(shop, builder, evidence, sign) -> None:
    ordinary = await shop.registration.register(attrs.evolve(FORM, identifier="nora@lamp.example"), HERE)
    before = {book.name: rows(builder, book) for book in (CUSTOMERS, ATTEMPTS)}, len(builder.mailbag.letters)
    answer = await shop.registration.register(FORM, seen_as(evidence))
    assert repr(answer) == repr(attrs.evolve(ordinary, masked="a***@lamp.example"))
    assert ({book.name: rows(builder, book) for book in (CUSTOMERS, ATTEMPTS)}, len(builder.mailbag.letters)) == before
    told = rows(builder, EVENTS)[-1]
    assert told.name == "registration.automation_suspected"
    assert json.loads(told.data)["sign"] == sign
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(answer.handle, "123456", HERE)


@pytest.mark.proves("REG-6")
@pytest.mark.parametrize("evidence", [None, HumanEvidence(), HumanEvidence(filled_in=timedelta(seconds=2))])
async def test_a_person_is_not_taken_for_a_program(shop, builder, evidence) -> None:
    await shop.registration.register(FORM, seen_as(evidence))
    assert len(rows(builder, ATTEMPTS)) == 1


@pytest.mark.proves("REG-6")
@pytest.mark.parametrize("verdict", [HumanVerdict.NOT_HUMAN, HumanVerdict.UNAVAILABLE])
async def test_a_busy_network_solves_a_puzzle_first(host, verdict) -> None:
    puzzle = Puzzle(verdict)
    policies = quick_policies(sends=without_gaps())
    builder: Any = ShopBuilder(host=host, policies=policies, ports={"human_check": puzzle})
    shop = builder.build()
    for number in range(3):
        await shop.registration.register(attrs.evolve(FORM, identifier=f"ann{number}@lamp.example"), HERE)
    assert not puzzle.asked
    before = len(rows(builder, ATTEMPTS))
    with pytest.raises(HumanCheckNeeded):
        await shop.registration.register(FORM, seen_as(HumanEvidence(answer="solved")))
    assert puzzle.asked == [("solved", "register")]
    assert len(rows(builder, ATTEMPTS)) == before
    await shop.registration.register(FORM, request_from("198.51.100.99"))
    puzzle.verdict = HumanVerdict.HUMAN
    await shop.registration.register(FORM, seen_as(HumanEvidence(answer="solved")))
    builder.clock.advance(timedelta(hours=1))
    asked = len(puzzle.asked)
    await shop.registration.register(FORM, HERE)
    assert len(puzzle.asked) == asked


@pytest.mark.proves("REG-6")
async def test_a_shop_may_do_without_the_puzzle(host) -> None:
    puzzle = Puzzle()
    policies = quick_policies(sends=without_gaps(), registration=RegistrationPolicy(human_check_after=None))
    shop = ShopBuilder(host=host, policies=policies, ports={"human_check": puzzle}).build()
    for number in range(6):
        await shop.registration.register(attrs.evolve(FORM, identifier=f"ann{number}@lamp.example"), HERE)
    assert not puzzle.asked


@pytest.mark.proves("REG-7")
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(
    ("policy", "ports", "refusal"),
    [
        ({"blocked_domains": frozenset({"lamp.example"})}, {}, "blocked"),
        ({"blocked_domains": frozenset({"shop.example"})}, {}, None),
        ({"allowed_domains": frozenset({"shop.example"})}, {}, "not_allowed"),
        ({"allowed_domains": frozenset({"lamp.example"})}, {}, None),
        ({}, {"mail_domains": Listed(accepts=False)}, "no_mail"),
        ({}, {"mail_domains": Listed(accepts=None)}, None),
        ({}, {"email_syntax": Listed()}, None),
    ],
)
async def test_a_domain_is_taken_or_not_whoever_has_the_address(host, situation, policy, ports, refusal) -> None:
    builder: Any = ShopBuilder(host=host)
    await builder.build().arrange(situation, ANN)
    builder.clock.advance(timedelta(days=2))
    before = builder.storage.snapshot()
    strict = quick_policies(registration=RegistrationPolicy(**policy))
    shop = attrs.evolve(builder, policies=strict, ports=ports).build()
    if refusal is None:
        assert (await shop.registration.register(FORM, HERE)).masked == "a***@lamp.example"
        return
    with pytest.raises(DomainNotAccepted) as refused:
        await shop.registration.register(FORM, HERE)
    assert refused.value.reason == refusal
    assert builder.storage.snapshot() == before


@pytest.mark.proves("REG-7")
async def test_domains_below_a_listed_one_are_listed_too_and_names_that_only_end_alike_are_not(host) -> None:
    policy = RegistrationPolicy(blocked_domains=frozenset({"lamp.example"}))
    shop = ShopBuilder(host=host, policies=quick_policies(registration=policy)).build()
    with pytest.raises(DomainNotAccepted):
        await shop.registration.register(RegistrationForm(identifier="ann@mail.LAMP.example"), HERE)
    await shop.registration.register(RegistrationForm(identifier="ann@redlamp.example"), HERE)


@pytest.mark.proves("REG-7", "REG-80")
async def test_a_second_opinion_refuses_and_never_changes_an_address(host) -> None:
    shop = ShopBuilder(host=host, ports={"email_syntax": Listed()}).build()
    with pytest.raises(EmailInvalid):
        await shop.registration.register(RegistrationForm(identifier="Odd@lamp.example"), HERE)


@pytest.mark.proves("REG-7")
@pytest.mark.parametrize(
    ("address", "does", "flagged"),
    [
        ("ann@gone.example", Disposable.FLAG, True),
        ("ann@gone.example", Disposable.ALLOW, False),
        ("ann@lamp.example", Disposable.FLAG, False),
    ],
)
async def test_a_throw_away_address_is_flagged_if_the_shop_wants_to_know(host, address, does, flagged) -> None:
    policy = RegistrationPolicy(disposable_domains=does)
    builder: Any = ShopBuilder(
        host=host, policies=quick_policies(registration=policy), ports={"disposable_domains": Listed()}
    )
    shop = builder.build()
    started = await shop.registration.register(RegistrationForm(identifier=address), HERE)
    (attempt,) = rows(builder, ATTEMPTS)
    assert attempt.disposable is flagged
    await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    told = {e.name: json.loads(e.data) for e in rows(builder, EVENTS)}
    assert told["registration.started"]["disposable"] is flagged
    assert told["registration.account_activated"]["disposable"] is flagged


@pytest.mark.proves("REG-7")
async def test_a_throw_away_address_is_refused_if_the_shop_says_so(host) -> None:
    policy = RegistrationPolicy(disposable_domains=Disposable.REFUSE)
    ports = {"disposable_domains": Listed()}
    shop = ShopBuilder(host=host, policies=quick_policies(registration=policy), ports=ports).build()
    with pytest.raises(DomainNotAccepted) as refused:
        await shop.registration.register(RegistrationForm(identifier="ann@gone.example"), HERE)
    assert refused.value.reason == "disposable"


class SlowPuzzle:
    """A puzzle whose service is asked over the network."""

    holds_up_the_loop = True

    def judge(self, evidence, action):  # noqa: ARG002  (the port's signature)
        return HumanVerdict.HUMAN


class LatePuzzle:
    """A puzzle that answers later."""

    async def judge(self, evidence, action):  # noqa: ARG002  (the port's signature)
        return HumanVerdict.HUMAN


@pytest.mark.parametrize(("host", "puzzle"), [(BLOCKING, LatePuzzle()), (ASYNC, SlowPuzzle())])
def test_a_puzzle_fits_the_host_or_is_refused_at_start_up(host, puzzle) -> None:
    with pytest.raises(Defect, match=type(puzzle).__name__):
        ShopBuilder(host=host, ports={"human_check": puzzle}).build()
