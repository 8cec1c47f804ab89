"""The rulebook and its proofs agree: each rule that a docs page states has a test, each rule a test proves is stated.

A page states rules in the table of its section ``## Rules``, one row ``| Id | Rule | Source |`` each. A test, or a
contract that ships with the library, proves rules with ``@pytest.mark.proves("MON-7")``.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

RULE_ID = re.compile(r"[A-Z]{2,3}-\d+[a-z]?")
COLUMNS = 3
Places = dict[str, list[str]]


def rows(page: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row in the tables of rules."""
    in_rules = False
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("## "):
            in_rules = line.strip() == "## Rules"
        elif in_rules and line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if cells[0] != "Id" and set(cells[0]) - set(":-"):
                yield number, cells


def claims(tree: ast.AST) -> Iterator[tuple[int, str | None]]:
    """Line number and id of everything that a module says it proves; None where the id is not plainly written."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="proves"), args=arguments):
                for argument in arguments:
                    match argument:
                        case ast.Constant(value=str(rule)):
                            yield argument.lineno, rule
                        case _:
                            yield argument.lineno, None


@pytest.fixture(scope="module")
def stated(root: Path) -> Places:
    """Where each rule is stated."""
    found: Places = defaultdict(list)
    for page in sorted((root / "docs").rglob("*.md")):
        for number, cells in rows(page.read_text("utf-8")):
            place = f"{page.relative_to(root)}:{number}"
            assert len(cells) == COLUMNS, f"{place} needs an id, a rule and a source: {cells}"
            assert all(cells), f"{place} leaves a cell empty: {cells}"
            assert RULE_ID.fullmatch(cells[0]), f"{place} has no id like MON-7, but {cells[0]!r}"
            found[cells[0]].append(place)
    assert found, "no page of the docs has a section '## Rules' with a table"
    return found


@pytest.fixture(scope="module")
def proven(root: Path) -> Places:
    """Where each rule is proven."""
    found: Places = defaultdict(list)
    for folder in ("tests", "src/shopaccounts/testing"):
        for module in sorted((root / folder).rglob("*.py")):
            for number, rule in claims(ast.parse(module.read_text("utf-8"))):
                place = f"{module.relative_to(root)}:{number}"
                assert rule is not None, (
                    f"{place}: write the ids into `proves(...)` as they are, so that they can be found"
                )
                assert RULE_ID.fullmatch(rule), f"{place} proves {rule!r}, which is no id like MON-7"
                found[rule].append(place)
    assert found, "no test carries the marker `proves`"
    return found


def test_every_stated_rule_is_proven_by_a_test(stated: Places, proven: Places) -> None:
    unproven = [f"{rule} ({stated[rule][0]})" for rule in sorted(stated.keys() - proven.keys())]
    assert not unproven, "mark the tests that prove these rules with `@pytest.mark.proves`:\n" + "\n".join(unproven)


def test_every_proven_rule_is_stated_in_the_docs(stated: Places, proven: Places) -> None:
    unstated = [f"{rule} ({proven[rule][0]})" for rule in sorted(proven.keys() - stated.keys())]
    assert not unstated, "add a row to the table `## Rules` of a docs page for each of:\n" + "\n".join(unstated)


def test_a_page_states_rules_only_in_its_rules_section() -> None:
    page = (
        "# Money\n| Id | Rule | Source |\n|---|---|---|\n| AAA-1 | before | house |\n"
        "## Rules\n| Id | Rule | Source |\n| --- | :-: | --- |\n| MON-7 | a \\| b | ISO 4217 |\n"
        "## More\n| AAA-2 | after | house |\n"
    )
    assert list(rows(page)) == [(8, ["MON-7", "a \\| b", "ISO 4217"])]


def test_a_test_may_prove_several_rules_but_must_write_their_ids_down() -> None:
    module = ast.parse('pytestmark = pytest.mark.proves("MON-1", "MON-2")\n@pytest.mark.proves(RULE)\ndef test(): ...')
    assert list(claims(module)) == [(1, "MON-1"), (1, "MON-2"), (2, None)]
