"""What an agent who acts for a customer may not do is refused at the door, whatever use-case is written next.

Every use-case that takes a session value and writes something has to say at the door what it is about to do, and that
must be nothing that an agent may do. The few that don't ask the door are named here, each with its reason.
"""

import ast
import importlib.util
from collections.abc import Iterator

import pytest

SESSION_PARAMETERS = {"value", "session"}
ALLOWED_TO_AGENTS = {"LOOK", "SHOP"}
NOT_AT_THE_DOOR = {
    "Sessions.resume": "notes that the session was used, and nothing else",
    "Sessions.renew": "refuses sessions of agents itself, and is refused for them in its own test",
    "Sessions.sign_out": "an agent may leave",
    "Impersonation.end_impersonation": "an agent may leave",
}


@pytest.fixture(scope="module")
def classes(library) -> dict[str, ast.ClassDef]:
    """Every class of the contexts by its name."""
    outside = {"testing", "blocking", "adapters"}
    trees = (tree for path, tree in library.items() if path.split("/")[0] not in outside)
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


@pytest.fixture(scope="module")
def faces(root) -> set[str]:
    """The classes that a shop offers."""
    spec = importlib.util.spec_from_file_location("generate_blocking", root / "tools" / "generate_blocking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name for _, name in module.FACES.values()}


def methods(cls: ast.ClassDef) -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    return {node.name: node for node in cls.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def collaborators(cls: ast.ClassDef) -> dict[str, str]:
    """The class of each field, without those of the door itself."""
    found = {}
    for node in cls.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=field), annotation=ast.Name(id=kind)) if field != "doorkeeper":
                found[field] = kind
    return found


def reached(classes, cls: str, method: str, seen: set[tuple[str, str]]) -> Iterator[ast.AST]:
    """Every node that a method leads to: its own, and those of the methods of the parts that it calls."""
    if (cls, method) in seen or cls not in classes or method not in methods(classes[cls]):
        return
    seen.add((cls, method))
    parts = collaborators(classes[cls])
    for node in ast.walk(methods(classes[cls])[method]):
        yield node
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                yield from reached(classes, cls, name, seen)
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=part), attr=name) if part in parts:
                yield from reached(classes, parts[part], name, seen)


def with_session(classes, faces) -> list[tuple[str, str]]:
    found = [
        (name, method)
        for name in sorted(faces)
        for method, node in methods(classes[name]).items()
        if isinstance(node, ast.AsyncFunctionDef) and not method.startswith("_")
        if SESSION_PARAMETERS & {argument.arg for argument in node.args.args}
    ]
    assert len(found) > 30
    return found


def named(nodes: list[ast.AST]) -> set[str]:
    """The operations that are named there."""
    return {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Operation"
    }


def writes(nodes: list[ast.AST]) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in {"record", "record_page"} for node in nodes)


@pytest.mark.proves("SIG-96")
def test_whatever_writes_names_what_no_agent_may_do(classes, faces) -> None:
    wrong = []
    for name, method in with_session(classes, faces):
        nodes = list(reached(classes, name, method, set()))
        if writes(nodes) and f"{name}.{method}" not in NOT_AT_THE_DOOR:
            operations = named(nodes)
            if not operations or operations & ALLOWED_TO_AGENTS:
                wrong.append(f"{name}.{method}: {sorted(operations) or 'nothing'}")
    assert not wrong, wrong


@pytest.mark.proves("SIG-96")
def test_everything_that_takes_a_session_asks_at_the_door(classes, faces) -> None:
    silent = {
        f"{name}.{method}"
        for name, method in with_session(classes, faces)
        if not named(list(reached(classes, name, method, set())))
    }
    assert silent == set(NOT_AT_THE_DOOR)
