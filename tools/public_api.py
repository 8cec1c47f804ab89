"""List the public API as the source has it: what ``__all__`` of every public module names, with its signatures.

Nothing is imported, so the listing is the same on every Python and needs none of the packages that adapters use.
"""

import ast
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parent.parent / "src"
ONE_BY_ONE: Final = ("kernel", "testing", "adapters")
"""Packages whose modules are public one by one; of every context the package is, with the parts that publish."""
ALONE: Final = ("books", "serial")
"""Modules beside the contexts that whoever stores something needs."""
OF_A_CONTEXT: Final = ("errors", "events")
"""Modules that are public in every context."""
INTERNAL: Final = {"blocking", "locale"}
HEADER: Final = """\
# The public API: what __all__ of these modules lists.
# Written by tools/generate_reference.py. A change here is a change for everybody who uses the library.
"""
LONGEST_VALUE: Final = 80
Function = ast.FunctionDef | ast.AsyncFunctionDef
Variable = ast.Assign | ast.AnnAssign
Definition = ast.ClassDef | Function | Variable


@cache
def tree(module: str) -> ast.Module:
    """Read the source of a module or package."""
    path = SOURCE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def public_modules() -> tuple[str, ...]:
    """Answer the names of all public modules that export something."""
    package = SOURCE / "shopaccounts"
    found = [package, *(path for path in package.iterdir() if path.is_dir() and path.name not in INTERNAL)]
    found += [package / name for name in ALONE]
    for name in ONE_BY_ONE:
        found += [path.with_suffix("") for path in (package / name).rglob("*.py") if path.stem != "__init__"]
        found += [path.parent for path in (package / name).rglob("__init__.py")]
    for context in contexts(package):
        found += [part.parent for part in context.glob("*/__init__.py")]
        found += [context / name for name in OF_A_CONTEXT if (context / f"{name}.py").exists()]
    names = {".".join(path.relative_to(SOURCE).parts) for path in found if is_open(path)}
    return tuple(sorted(name for name in names if exported(name)))


def contexts(package: Path) -> list[Path]:
    """Answer the folders of the contexts."""
    apart = {*ONE_BY_ONE, *INTERNAL}
    return [path for path in package.iterdir() if (path / "__init__.py").exists() and path.name not in apart]


def is_open(path: Path) -> bool:
    """Tell whether a module may be used by others; a package of adapters is used by what the package exports."""
    parts = path.relative_to(SOURCE).parts
    is_package = not path.is_dir() or (path / "__init__.py").exists()
    is_inside_an_adapter = parts[1:2] == ("adapters",) and len(parts) > len(("shopaccounts", "adapters", "sqlalchemy"))
    return is_package and not is_inside_an_adapter and not any(part.startswith("_") for part in parts)


def exported(module: str) -> list[str]:
    """Answer what a module lists in its ``__all__``."""
    for node in tree(module).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return sorted(ast.literal_eval(value))
    return []


def find(module: str, name: str) -> tuple[str, Definition]:
    """Find where *name* is defined, following what modules import from each other.

    Raises:
        LookupError: Nowhere.
    """
    for node in statements(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shopaccounts"):
            original = next((alias.name for alias in node.names if (alias.asname or alias.name) == name), None)
            if original:
                return find(node.module or "", original)
        elif isinstance(node, Definition) and name_of(node) == name:
            return module, node
    msg = f"{module} exports {name} but neither defines nor imports it"
    raise LookupError(msg)


def statements(module: str) -> Iterator[ast.stmt]:
    """Answer the statements of a module, those for type checkers included."""
    for node in tree(module).body:
        yield from node.body if isinstance(node, ast.If) else (node,)


def name_of(node: ast.stmt) -> str:
    """Answer what a statement defines; nothing where it defines nothing, or several things."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def listing() -> str:
    """Write the listing of the public API."""
    parts = [HEADER]
    for module in (modules := public_modules()):
        parts.append(f"\n{module}\n")
        for name in exported(module):
            home, node = find(module, name)
            elsewhere = home != module and home in modules and name in exported(home)
            lines = [f"{name} is {home}.{name}"] if elsewhere else described(name, home, node)
            parts += [f"    {line}\n" for line in lines]
    return "".join(parts)


def described(name: str, module: str, node: Definition) -> list[str]:
    """Describe one export: its kind, and what its users see of it."""
    match node:
        case ast.ClassDef():
            bases = ", ".join(ast.unparse(base) for base in node.bases)
            made = "".join(f" @{mark}" for mark in map(ast.unparse, node.decorator_list) if mark.startswith("attrs."))
            inner = [f"    {line}" for _, line in members(module, node)]
            return [f"class {name}{f'({bases})' if bases else ''}{made}", *inner]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [f"function {signature(node)}"]
        case _:
            return [f"constant {variable(node)}"]


def members(module: str, node: ast.ClassDef) -> list[tuple[str, str]]:
    """Describe the public members of a class by name, with those that it has from classes which are not public."""
    named = [(name_of(member), member) for member in node.body]
    own = [
        (name, method(member) if isinstance(member, Function) else variable(member))
        for name, member in named
        if isinstance(member, Function | Variable) and (name == "__init__" or not name.startswith("_"))
    ]
    inherited = [line for home, base in hidden_bases(module, node) for line in members(home, base)]
    return [line for line in inherited if line[0] not in dict(named)] + own


def hidden_bases(module: str, node: ast.ClassDef) -> Iterator[tuple[str, ast.ClassDef]]:
    """Find the classes of the library that a class builds on and that nothing lists."""
    for base in node.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(name, ast.Name):
            with suppress(LookupError):  # a class of Python or of another package
                home, found = find(module, name.id)
                if isinstance(found, ast.ClassDef) and not is_listed(home, name.id):
                    yield home, found


def is_listed(home: str, name: str) -> bool:
    """Tell whether a public module lists what *home*, itself or a part of that module, defines."""
    return any(f"{home}.".startswith(f"{module}.") and name in exported(module) for module in public_modules())


def method(node: Function) -> str:
    """Describe a method: how it is bound, and its signature."""
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    return " ".join(
        [*(m for m in marks if m in {"classmethod", "overload", "property", "staticmethod"}), signature(node)]
    )


def signature(node: Function) -> str:
    """Write the signature of a function as its source has it."""
    kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{kind}{node.name}({ast.unparse(node.args)}){returns}"


def variable(node: Variable) -> str:
    """Write a field or constant: its name, its type, and its value."""
    hint = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
    value = preset(node.value) if node.value else None
    return f"{name_of(node)}{hint}{f' = {shortened(value)}' if value else ''}"


def preset(value: ast.expr) -> ast.expr | None:
    """Answer the default that ``attrs.field`` gives a field, and any other value as it stands."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="attrs"), attr="field"), keywords=words):
            return next((word.value for word in words if word.arg in {"default", "factory"}), None)
    return value


def shortened(value: ast.expr) -> str:
    """Write a value; of a long one only what it is made by."""
    text = ast.unparse(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{ast.unparse(value.func)}(...)" if isinstance(value, ast.Call) else "..."
