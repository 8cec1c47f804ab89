"""The gateway is asked in one place, and never between loading and recording."""

import ast
from pathlib import Path

import pytest

import shopaccounts.subscriptions as context

FOLDER = Path(context.__file__).parent
ASKS = {"charge", "lookup", "refund"}
PREFIX = "shopaccounts.subscriptions."
BOOKS = {"records", "casework", "work", "desk"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def asks_gateway(node: ast.AST) -> bool:
    """Tell whether something is called on ``gateway``."""
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ASKS
        and isinstance(call.func.value, ast.Attribute)
        and call.func.value.attr == "gateway"
        for call in ast.walk(node)
    )


def imports(tree: ast.Module) -> set[str]:
    """Answer which modules of the context a module imports; names that are no modules lead nowhere."""
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    named = {f"{node.module}.{name.name}" for node in froms for name in node.names} | {node.module for node in froms}
    return {module.removeprefix(PREFIX) for module in named if module and module.startswith(PREFIX)}


def reached_from(module: str) -> set[str]:
    """Answer every module of the context that a module can reach."""
    reached, open_ones = set(), {module}
    while open_ones:
        name = open_ones.pop()
        path = FOLDER / f"{name.replace('.', '/')}.py"
        if name not in reached and path.exists():
            reached.add(name)
            open_ones |= imports(parsed(path))
    return reached


@pytest.mark.proves("PAY-1")
def test_the_gateway_is_asked_in_one_module_alone() -> None:
    assert [path.name for path in sorted(FOLDER.rglob("*.py")) if asks_gateway(parsed(path))] == ["asking.py"]


@pytest.mark.proves("PAY-1")
def test_what_asks_the_gateway_neither_reads_nor_writes() -> None:
    functions = [
        node
        for node in ast.walk(parsed(FOLDER / "collecting/asking.py"))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    ]
    asking = [node for node in functions if asks_gateway(node)]
    assert {node.name for node in asking} == {"_ask", "_look_up"}
    for node in asking:
        touched = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)} & BOOKS
        assert touched == set(), f"{node.name} touches {touched}"


@pytest.mark.proves("PAY-1")
@pytest.mark.parametrize(
    "module",
    [
        "collecting.casework",
        "office.desk_work",
        "office.filing",
        "planning.planner",
        "planning.writing_up",
        "usecases.billing_run",
    ],
)
def test_whoever_loads_decides_and_records_can_t_reach_the_gateway(module) -> None:
    reached = reached_from(module)
    assert module in reached
    assert "collecting.asking" not in reached


@pytest.mark.proves("PAY-1")
def test_what_collects_reaches_the_gateway() -> None:
    """Else the test above would find nothing wherever it looked."""
    assert "collecting.asking" in reached_from("usecases.subscribing")


@pytest.mark.proves("PAY-1")
def test_a_use_case_tries_a_payment_only_after_it_has_recorded() -> None:
    """Neither ``decide`` functions nor anything within them try a payment."""
    for path in sorted(FOLDER.rglob("*.py")):
        nested = [
            inner
            for outer in ast.walk(parsed(path))
            if isinstance(outer, ast.AsyncFunctionDef)
            for inner in ast.walk(outer)
            if isinstance(inner, ast.AsyncFunctionDef) and inner is not outer
        ]
        called = {
            call.func.attr
            for inner in nested
            for call in ast.walk(inner)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        }
        assert not called & {"try_now", "collect_due"}, path.name
