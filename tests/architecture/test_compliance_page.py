"""The page about standards names, for every demand, the rules that answer it and the tests that prove them."""

import ast
from pathlib import Path

import compliance_page
import generate_reference

KINDS = {"examples", "properties", "callers at once", "equal work", "sequences"}


def test_the_demands_are_numbered_without_a_gap_and_tell_whatever_one_has_to_know() -> None:
    every = compliance_page.demands()
    assert [one.id for one in every] == [f"C-{number}" for number in range(1, 120)]
    for one in every:
        assert one.rules, f"{one.id} names no rule"
        assert one.source, f"{one.id} names no source"
        assert one.profiles, f"{one.id} concerns no profile"
        assert one.demand.endswith("."), f"{one.id} is no sentence"
        assert set(one.proof) <= KINDS, f"{one.id} is proven by {one.proof}"


def test_every_rule_of_a_demand_is_stated_and_proven_or_listed_as_not_built() -> None:
    for one in compliance_page.demands():
        state, missing = compliance_page.cells(one)[-1], compliance_page.missing(one)
        for rule in one.rules:
            stands = rule in compliance_page.stated() and bool(compliance_page.proven().get(rule))
            assert stands is not (rule in missing), f"{one.id}: {rule}"
        assert state == (f"not built yet: {', '.join(missing)}" if missing else "proven")


def test_the_page_finds_every_rule_that_a_test_proves(root: Path) -> None:
    sources = (path for folder in compliance_page.TESTS for path in (root / folder).rglob("*.py"))
    claimed = frozenset().union(*(compliance_page.claims(ast.parse(path.read_text("utf-8"))) for path in sources))
    assert compliance_page.proven().keys() == claimed


def test_a_test_proves_what_its_class_and_its_module_say_too() -> None:
    module = ast.parse(
        'pytestmark = pytest.mark.proves("MON-1")\n'
        '@pytest.mark.proves("MON-2")\n'
        "class TestMoney:\n"
        '    @pytest.mark.proves("MON-7")\n'
        "    async def test_adds(self): ...\n"
        "    def helps(self): ...\n"
        "def test_alone(): ...\n"
        '@pytest.mark.proves("MON-3")\n'
        "class TestInherits(Contract): ...\n"
    )
    assert list(compliance_page.tests_in(module, "f.py", frozenset())) == [
        (compliance_page.Test("f.py", "test_adds"), frozenset({"MON-1", "MON-2", "MON-7"})),
        (compliance_page.Test("f.py", "test_alone"), frozenset({"MON-1"})),
        (compliance_page.Test("f.py", "TestInherits"), frozenset({"MON-1", "MON-3"})),
    ]


def test_the_page_is_held_fresh_with_the_other_pages() -> None:
    assert generate_reference.wanted()[Path("docs/compliance.md")] == compliance_page.page()
