"""The public API changes only together with its listing, so that nobody breaks it by accident."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import generate_reference
import public_api


def test_the_listing_of_the_public_api_is_what_the_code_exports() -> None:
    changes = generate_reference.difference(generate_reference.LISTING, public_api.listing())
    assert not changes, (
        "the public API has changed. If that is meant, tell users in changelog.d/ and rewrite the listing with "
        f"`{generate_reference.COMMAND}`:\n{changes}"
    )


def test_a_change_of_the_public_api_is_shown_line_by_line() -> None:
    listed = generate_reference.current(generate_reference.LISTING)
    without = listed.replace("        retry_after: timedelta\n", "", 1)
    assert "-        retry_after: timedelta" in generate_reference.difference(generate_reference.LISTING, without)


def test_everything_is_listed_that_a_shop_imports() -> None:
    modules = public_api.public_modules()
    assert {"shopaccounts", "shopaccounts.signin", "shopaccounts.kernel.money"} <= set(modules)
    assert {"shopaccounts.adapters.memory", "shopaccounts.testing.contracts.writing"} <= set(modules)
    assert "shopaccounts.adapters.sqlalchemy" in modules
    assert "shopaccounts.adapters.sqlalchemy.tables" not in modules


@pytest.mark.parametrize("module", public_api.public_modules())
def test_everything_that_is_listed_can_be_imported(module: str) -> None:
    found = importlib.import_module(module)
    missing = [name for name in public_api.exported(module) if not hasattr(found, name)]
    assert not missing, f"{module} lists in __all__ what it does not have: {missing}"


def imported(code: str) -> set[tuple[str, str]]:
    """Answer what an example imports from the library, as module and name."""
    return {
        (node.module, name.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shopaccounts") and node.module
        for name in node.names
    }


def examples(root: Path) -> Iterator[tuple[str, str]]:
    """Answer the code of every example: the Python blocks of the pages, the example shops, the demo."""
    for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        for number, block in enumerate(re.findall(r"```python[^\n]*\n(.*?)```", page.read_text("utf-8"), re.DOTALL)):
            yield f"{page.relative_to(root)}, example {number + 1}", block
    for folder in ("docs/examples", "demo"):
        for path in sorted((root / folder).rglob("*.py")):
            yield str(path.relative_to(root)), path.read_text("utf-8")


def test_examples_import_only_what_is_public(root: Path) -> None:
    modules = public_api.public_modules()
    public = {(module, name) for module in modules for name in public_api.exported(module)}
    public |= {(package, name) for package, _, name in (module.rpartition(".") for module in modules)}
    used = {where: imported(code) for where, code in examples(root)}
    assert sum(map(len, used.values())) > 500
    hidden = {where: sorted(names - public) for where, names in used.items() if names - public}
    assert not hidden
