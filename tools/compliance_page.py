"""Write docs/compliance.md: what standards ask of customer accounts, which rules answer it, which tests prove them.

The demands stand in docs/compliance.toml. Which rules exist is read from the tables ``## Rules`` of the docs, which
tests prove them from the marker ``proves`` in the source of the tests; nothing is imported or run.
"""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parent.parent
DEMANDS: Final = Path("docs/compliance.toml")
TESTS: Final = ("tests", "src/shopaccounts/testing")
ROW: Final = re.compile(r"\| ([A-Z]{2,3}-\d+[a-z]?) \|")
LEVELS: Final = {"L1": ("asvs-l1", "asvs-l2"), "L2": ("asvs-l2",), "L3": ("asvs-l3 overlay",)}
PROFILES: Final = ("shop-default", "asvs-l1", "asvs-l2", "asvs-l3 overlay", "nist-aal1", "nist-aal2")


@attrs.frozen(kw_only=True)
class Demand:
    """What a standard asks for; see the top of docs/compliance.toml."""

    id: str
    demand: str
    nist: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    aal2: bool = False
    asvs: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    others: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    rules: tuple[str, ...] = attrs.field(converter=tuple)
    proof: tuple[str, ...] = attrs.field(converter=tuple)
    tests: tuple[str, ...] = attrs.field(default=(), converter=tuple)

    @property
    def source(self) -> str:
        """The standards and their numbers, as one reads them."""
        nist = f"NIST SP 800-63B-4 {', '.join(self.nist)}" if self.nist else ""
        levels = (re.sub(r" (L[123])$", r" (\1)", one) for one in self.asvs)
        asvs = f"ASVS {', '.join(levels)}" if self.asvs else ""
        return "; ".join(filter(None, (nist, asvs, *self.others)))

    @property
    def profiles(self) -> tuple[str, ...]:
        """The assurance profiles whose standards ask for this; what OWASP advises everybody concerns all."""
        if self.others:
            return PROFILES
        found = {profile for one in self.asvs for profile in LEVELS.get(one[-2:], ())}
        if self.nist:
            found |= {"nist-aal2"} if self.aal2 else {"nist-aal1", "nist-aal2"}
        return tuple(profile for profile in PROFILES if profile in found)


@attrs.frozen
class Test:
    """A test, by its file and its name."""

    file: str
    name: str


Marked = tuple[Test, frozenset[str]]
"""A test, and the rules it proves."""


@cache
def source() -> Mapping[str, Mapping[str, list[str]]]:
    """Read the file of demands."""
    return tomllib.loads((ROOT / DEMANDS).read_text("utf-8"))


def demands() -> tuple[Demand, ...]:
    """Answer every demand, in the order of the file; a field that doesn't exist is an error."""
    return tuple(Demand(id=id, **fields) for id, fields in source().items() if id != "host")  # type: ignore[arg-type]  # TOML is checked by the fields it may have


@cache
def stated() -> Mapping[str, str]:
    """Answer on which page of the docs each rule is stated; on the first, where it is more than one."""
    found: dict[str, str] = {}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        _, _, rules = page.read_text("utf-8").partition("\n## Rules\n")
        for line in rules.splitlines():
            if row := ROW.match(line):
                found.setdefault(row[1], page.relative_to(ROOT / "docs").as_posix())
    return found


@cache
def proven() -> Mapping[str, tuple[Test, ...]]:
    """Answer which tests prove each rule, in the order of the files and of the source."""
    found: dict[str, dict[Test, None]] = defaultdict(dict)
    for test, rules in every_test():
        for rule in rules:
            found[rule][test] = None
    return {rule: tuple(tests) for rule, tests in found.items()}


def every_test() -> Iterator[Marked]:
    """Find every test with the rules it proves, by its own marker or that of its class or module."""
    for folder in TESTS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from tests_in(ast.parse(path.read_text("utf-8")), path.relative_to(ROOT).as_posix(), frozenset())


def tests_in(node: ast.Module | ast.ClassDef, file: str, around: frozenset[str]) -> Iterator[Marked]:
    """Find the tests of a module or class; a class that only inherits its tests counts as one."""
    marks = around.union(*(claims(part) for part in node.body if is_mark(part)))
    for part in node.body:
        match part:
            case ast.ClassDef(name=name, decorator_list=decorators):
                marked = marks.union(*map(claims, decorators))
                within = list(tests_in(part, file, marked))
                yield from within or ([(Test(file, name), marked)] if name.startswith("Test") else [])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test"):
                yield Test(file, name), marks.union(*map(claims, part.decorator_list))
            case ast.Assign(targets=[ast.Name(id=name)]) if name.startswith("Test"):
                yield Test(file, name), marks.union(claims(part))


def is_mark(part: ast.stmt) -> bool:
    """Tell whether a statement sets the markers of what is around it."""
    return isinstance(part, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in part.targets)


def claims(node: ast.AST) -> frozenset[str]:
    """Answer every id in the markers ``proves`` below a node."""
    calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
    marks = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "proves")
    ids = (argument for mark in marks for argument in mark.args if isinstance(argument, ast.Constant))
    return frozenset(str(each.value) for each in ids)


def missing(demand: Demand) -> tuple[str, ...]:
    """Answer what a demand still lacks: rules that aren't stated or proven, tests that aren't there."""
    rules = [rule for rule in demand.rules if rule not in stated() or rule not in proven()]
    return (*rules, *(test for test in demand.tests if test not in names_of_all_tests()))


@cache
def names_of_all_tests() -> frozenset[str]:
    """Answer every test as file::name."""
    return frozenset(f"{test.file}::{test.name}" for test, _ in every_test())


# --- The page --------------------------------------------------------------------------------------------------------

PAGE: Final = """\
# Compliance

*Written from `docs/compliance.toml`, the rules in these docs and the tests by `tools/generate_reference.py`; change
those instead of this page.*

What standards ask of customer accounts, which rule of the library answers it, and which tests prove the rule. The
demands are told in our own words; the standards have the last one:

- NIST is SP 800-63B-4, *Digital Identity Guidelines: Authentication and Authenticator Management* (2025)
- ASVS is the OWASP Application Security Verification Standard 5.0.0; L1 to L3 are its levels

A demand is **proven** if each of its rules is stated in these docs and has a test that would fail without the code. If
one is not, the demand counts as not built yet, and the rules that it waits for are named.

Which values a shop takes is another question: [choose a profile](howto/choose-a-profile.md) first.

## How far it is

{summary}
A profile needs the demands of the standard that it is named after; what OWASP's cheat sheets advise concerns all.

## Demands

The number behind a rule says how many tests prove it; [below](#which-tests-prove-a-rule) they are named.

{demands}
## What your pages and servers have to do

The library has no pages and no connections, so these are yours, and no test of ours can prove them:

{duties}
SAML isn't offered, so ASVS 6.8.3 has nothing to ask.

## Which tests prove a rule

{tests}"""


def page() -> str:
    """Write docs/compliance.md."""
    every = demands()
    rules = sorted({rule for demand in every for rule in demand.rules if rule in proven()}, key=by_number)
    return PAGE.format(
        summary=summary(every),
        demands=table(("Id", "Demand", "Source", "Asked by", "Rules", "Proof", "State"), map(cells, every)),
        duties="".join(f"- {duty}\n" for duty in source()["host"]["duties"]),
        tests="".join(f"**{rule}**\n\n{evidence(rule)}\n" for rule in rules),
    )


def summary(every: tuple[Demand, ...]) -> str:
    """Count for each profile how many demands are proven."""
    concerned = {profile: [one for one in every if profile in one.profiles] for profile in PROFILES}
    rows = (
        (f"`{profile}`", str(len(those)), str(sum(not missing(one) for one in those)))
        for profile, those in {**concerned, "all": list(every)}.items()
    )
    return table(("Profile", "Demands", "Proven"), rows)


def cells(demand: Demand) -> tuple[str, ...]:
    """Write the row of one demand."""
    lacks = missing(demand)
    profiles = "all" if demand.profiles == PROFILES else ", ".join(f"`{profile}`" for profile in demand.profiles)
    state = f"not built yet: {', '.join(lacks)}" if lacks else "proven"
    links = ", ".join(map(link, demand.rules))
    return demand.id, demand.demand, demand.source, profiles, links, ", ".join(demand.proof), state


def link(rule: str) -> str:
    """Link a rule to the page that states it, with the number of its tests."""
    return f"[{rule}]({stated()[rule]}#rules) ({len(proven().get(rule, ()))})" if rule in stated() else rule


def evidence(rule: str) -> str:
    """Name the tests of a rule, file by file."""
    files: dict[str, list[str]] = defaultdict(list)
    for test in proven()[rule]:
        files[test.file].append(worded(test.name))
    return "".join(f"- `{file}`: {'; '.join(names)}\n" for file, names in files.items())


def worded(name: str) -> str:
    """Answer the name of a test as the sentence that it is; of a class, its words."""
    return name.removeprefix("test_").replace("_", " ") if name.startswith("test") else f"`{name}`"


def by_number(rule: str) -> tuple[str, int, str]:
    """Answer by what rules are put in order."""
    family, _, number = rule.partition("-")
    return family, int(number.rstrip("abcdefghijklmnopqrstuvwxyz")), number


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Answer a table as Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ("---",) * len(head), *rows))
