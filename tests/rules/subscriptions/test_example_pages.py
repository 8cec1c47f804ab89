"""The pages about subscriptions show what they promise: their examples run here too, and their tables are computed."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import draw_subscription_timelines
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.time import add_months, zone
from shopaccounts.subscriptions.cycles import StartDay, open_cycle
from shopaccounts.subscriptions.guards import OPEN, OPENED_BY_POLICY, Operation, Standing
from shopaccounts.subscriptions.plans import CatchUpMode
from shopaccounts.subscriptions.states import COLLECTION, LIFECYCLE

DOCS = Path(__file__).parents[3] / "docs"
CONTEXT = DOCS / "contexts/subscriptions"
BERLIN = zone("Europe/Berlin")


def section(page: Path, title: str) -> str:
    text = page.read_text("utf-8")
    assert f"\n## {title}\n" in text, f"{page.name} has no section '{title}'"
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def ran(page: Path) -> dict[str, Any]:
    """Run the examples of a page, assertions and all, and answer what their names stand for at the end."""
    names = vars(ModuleType("page"))
    for block in blocks(page.read_text("utf-8")):
        exec(compile(block, str(page), "exec"), names)  # noqa: S102  (the project's own page)
    return names


def cells(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|--"):
            yield [cell.strip(" *") for cell in line.strip("|").split("|")]


@pytest.mark.proves("DOC-1")
def test_the_first_subscription_takes_twenty_lines_and_its_printed_log_is_what_happens_in_a_year():
    shown = section(CONTEXT / "subscribing.md", "A first subscription, and its first year")
    (code,), (session,) = blocks(shown), blocks(shown, "pycon")
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith(("from ", "import "))]
    assert len(lines) <= 20
    names: dict[str, Any] = {}
    exec(compile(code, "subscribing.md", "exec"), names)  # noqa: S102  (the project's own page)
    assert "year.log" in session
    told = [line.partition(" {")[0] for line in names["year"].log]
    first, last = ([line for line in part.splitlines() if line[:2] == "20"] for part in session.split("\n...\n"))
    assert (first, last) == (told[: len(first)], told[-len(last) :])
    assert len(names["year"].happened("subscriptions.subscription_renewed")) == 12


def chained(day: date, months: int, times: int) -> date:
    for _ in range(abs(times)):
        day = add_months(day, months if times > 0 else -months)
    return day


@pytest.mark.proves("DOC-2")
def test_the_table_of_the_31st_stands_beside_a_chain_of_months_and_both_are_computed():
    shown = section(CONTEXT / "cycles.md", "Why the 31st never drifts")
    of = {
        "monthly from 31 May 2031": (date(2031, 5, 31), Interval.months(1), 1, {-3, -1, 1, 2, 9, 10}),
        "yearly from 29 February 2032": (date(2032, 2, 29), Interval.years(1), 12, {1, 4, 68}),
    }
    numbers: dict[str, set[int]] = {}
    for first, *rest in cells(shown):
        if first == "n":
            title = rest[0]
            start, interval, months, _ = of[title]
            cycle = open_cycle(start, interval, StartDay(), zone=BERLIN)
            continue
        n = int(first)
        assert rest == [cycle.boundary(n).isoformat(), chained(start, months, n).isoformat()]
        numbers.setdefault(title, set()).add(n)
    assert numbers == {title: wanted for title, (*_, wanted) in of.items()}
    assert "(the-31st.svg)" in shown


@pytest.mark.proves("DOC-4")
def test_both_tables_of_states_are_drawn_and_listed_as_they_are():
    page = (CONTEXT / "states.md").read_text("utf-8")
    listed = re.findall(r"^ *(\S+) --(\w+)-+> (\w+)$", page, re.MULTILINE)
    steps = [
        (state.value if state else "(new)", trigger.value, target.value)
        for table in (LIFECYCLE, COLLECTION)
        for (state, trigger), target in table.items()
    ]
    assert listed == steps
    assert "(lifecycle.svg)" in page
    assert "(collection.svg)" in page


@pytest.mark.proves("DOC-4")
def test_the_table_of_operations_is_made_by_asking_for_each_and_is_the_table_of_the_rules():
    shown = section(CONTEXT / "states.md", "What the customer may do")
    assert "allowed_operations(one, now, SubscriptionPolicy(**policy))" in shown
    head, *rows = shown.partition('>>> show("", standings)')[2].splitlines()[1:]
    standings = [Standing(name) for name in head.split()]
    listed = {name: dict(zip(standings, row, strict=True)) for name, *row in map(str.split, rows[2:26])}
    for operation in Operation:
        for standing in standings:
            usual = "planned" if operation is Operation.UNDO_CANCELLATION else "yes"
            opened = "policy" if (operation, standing) in OPENED_BY_POLICY else "-"
            assert listed[operation.value][standing] == (usual if standing in OPEN[operation] else opened)


@pytest.mark.proves("DOC-5")
def test_one_outage_is_caught_up_in_all_four_ways_as_the_page_says():
    shown = section(CONTEXT / "subscribing.md", "After an outage")
    assert "(catching-up.svg)" in shown
    invoices = {
        "EACH": "4 ['May'] ['Jun'] ['Jul'] ['Aug']",
        "COLLAPSE": "1 ['May', 'Jun', 'Jul', 'Aug']",
        "LATEST_ONLY": "1 ['Aug']",
        "HOLD": "0 a person decides",
    }
    for mode in CatchUpMode:
        assert f"\n{mode.name:<12}{invoices[mode.name]}\n" in shown
        drawn = [stretch.text for stretch in draw_subscription_timelines.caught_up(mode)][4:]
        late = {text for text in drawn if text.startswith("invoice")}
        assert len(late) == int(invoices[mode.name][0])


@pytest.mark.proves("DOC-6")
def test_the_page_runs_a_box_shop_with_a_box_left_out_one_swapped_and_one_too_late():
    page = CONTEXT / "deliveries.md"
    shown = section(page, "A box shop through three months")
    for act in ("skip_delivery", "edit_delivery", "CutOffPassed", "Interval.months(3)"):
        assert act in shown
    names = ran(page)
    assert names["quarterly"].deliveries.interval == Interval.months(1)
    states = [box.state.value for box in names["shown"]]
    assert states == ["handed_over", "skipped", "handed_over", "handed_over", "planned"]
    swapped = names["shown"][2]
    assert [line.product for line in swapped.lines] != [line.product for line in names["shown"][0].lines]
    assert str(names["bill"].balance_applied) == "30.00 EUR"  # what the box left out was worth


@pytest.mark.proves("DOC-7")
def test_the_page_follows_a_failed_card_to_its_recovery_and_another_to_the_end():
    page = CONTEXT / "payments.md"
    assert "(dunning.svg)" in section(page, "A failed card, from the first decline to recovery")
    assert section(page, "... and to the involuntary end")
    names = ran(page)
    assert [one.state.value for one in names["changed"].tried] == ["succeeded"]
    assert [told.split(", ")[1] for told in names["tries"]] == ["1 declined"] * 5
    over = names["over"]
    assert (over.lifecycle.value, over.collection.value, over.parting.voluntary) == ("canceled", "unpaid", False)


@pytest.mark.proves("DOC-8")
def test_the_gateway_how_to_shows_keys_silence_and_webhooks_of_an_adapter_that_is_tested():
    page = DOCS / "howto/write-a-gateway-adapter.md"
    text = page.read_text("utf-8")
    (included,) = re.findall(r"```\{literalinclude\} (\S+)", text)
    adapter = (page.parent / included).resolve()
    assert adapter == (DOCS / "examples/payment_gateway/adapter.py").resolve()  # which keeps the contract
    for told in ("idempotency key", "*unknown*", "NoAnswer()", "settle_payment", "GatewayContract"):
        assert told in text
    names = ran(page)
    moved = [movement["moved"] for movement in names["books"].movements.values()]
    assert moved == [2490, 2490]  # one debit for each, though one answer was lost and a webhook came twice
    for cron in (text, (DOCS / "howto/bill-from-cron.md").read_text("utf-8")):
        assert re.search(r"^\*/10 \* \* \* \* .*shop\.sweep$", cron, re.MULTILINE)
    assert "shop.sweeping.sweep(worker=" in (DOCS / "howto/bill-from-cron.md").read_text("utf-8")


@pytest.mark.proves("DOC-10")
def test_six_others_are_compared_with_what_we_take_what_we_do_otherwise_and_where_they_are_better():
    page = CONTEXT / "compared.md"
    parts = section(page, "One by one").split("\n### ")[1:]
    names = [part.splitlines()[0] for part in parts]
    assert names == ["Kill Bill", "Lago", "Stripe Billing", "Polar", "Silver", "solidus_subscriptions"]
    for part in parts:
        for said in ("**What we took.**", "**What we do otherwise.**", "**Where it is better.**"):
            assert said in part
    rows = [row[0] for row in cells(section(page, "At a glance").split("\n\n")[0])]
    assert rows[1:] == ["shopaccounts", *names]
    assert "(contexts/subscriptions/compared.md)" in (DOCS / "compare.md").read_text("utf-8")


HOW_TOS = (
    *("bill-from-cron", "bill-from-celery", "preview-a-change"),
    *("import-subscriptions", "coffee-box-shop", "write-a-gateway-adapter"),
)


@pytest.mark.parametrize("how_to", HOW_TOS)
def test_each_how_to_of_billing_is_found_from_the_page_that_it_belongs_to(how_to):
    assert (DOCS / f"howto/{how_to}.md").exists()
    pages = (page.read_text("utf-8") for page in CONTEXT.glob("*.md"))
    assert any(f"(../../howto/{how_to}.md)" in page for page in pages)
