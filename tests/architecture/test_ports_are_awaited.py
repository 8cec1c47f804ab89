"""A use-case takes every answer of a port through ``await got(...)``, since a port may answer now or later.

A bare ``self.accounts.load(...)`` works with a store that answers now and silently does nothing with one that answers
later; no type checker sees it.
"""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch


def port_types(module: ast.Module) -> set[str]:
    """Names that the module imports from a module of ports."""
    return {
        name.asname or name.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == "ports"
        for name in node.names
    }


def names_in(annotation: ast.expr | None) -> set[str]:
    """Every name that stands in an annotation."""
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)} if annotation else set()


def port_attributes(kind: ast.ClassDef, ports: set[str]) -> set[str]:
    """Attributes of a class that hold a port."""
    attributes = set()
    for node in ast.walk(kind):
        match node:
            case (
                ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=annotation)
                | ast.arg(arg=name, annotation=annotation)
            ) if names_in(annotation) & ports:
                attributes.add(name)
    return attributes


def port_calls(kind: ast.ClassDef, attributes: set[str]) -> Iterator[ast.Call]:
    """Every ``self.port.method(...)`` of a class."""
    for node in ast.walk(kind):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=name))):
                if name in attributes:
                    yield node


def awaited_answers(kind: ast.ClassDef) -> set[ast.expr]:
    """Every x in an ``await got(x)`` of a class."""
    answers = set()
    for node in ast.walk(kind):
        match node:
            case ast.Await(value=ast.Call(func=ast.Name(id="got"), args=[answer])):
                answers.add(answer)
    return answers


def calls_and_slips(module: ast.Module) -> tuple[int, list[int]]:
    """How many port calls a module has, and the lines of those that are not awaited."""
    ports, total, slips = port_types(module), 0, []
    for kind in (node for node in ast.walk(module) if isinstance(node, ast.ClassDef)):
        calls = list(port_calls(kind, port_attributes(kind, ports)))
        awaited = awaited_answers(kind)
        total += len(calls)
        slips += [call.lineno for call in calls if call not in awaited]
    return total, slips


def test_every_call_on_a_port_sits_in_await_got(business: dict[str, ast.Module]) -> None:
    results = {path: calls_and_slips(tree) for path, tree in business.items() if fnmatch(path, "*/usecases*.py")}
    assert sum(total for total, _ in results.values()), "no use-case that calls a port was found"
    found = [f"{path}:{line}" for path, (_, slips) in results.items() for line in slips]
    assert not found, f"write `await got(self.port.method(...))` in {found}"


def test_the_check_sees_each_way_to_forget_it() -> None:
    module = ast.parse(
        "from shopaccounts.signin.ports import Accounts, Courier\n"
        "class SignIn:\n"
        "    accounts: Accounts\n"
        "    clock: Clock\n"
        "    def __init__(self, courier: Courier | None): self.courier = courier\n"
        "    async def sign_in(self):\n"
        "        a = await got(self.accounts.load(self.clock.now()))\n"
        "        self.accounts.load(1)\n"
        "        await self.courier.send(a)\n"
        "        got(self.accounts.load(2))\n"
    )
    assert calls_and_slips(module) == (4, [8, 9, 10])
