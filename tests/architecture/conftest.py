"""What the architecture tests read: the source of the library as syntax trees."""

import ast
from pathlib import Path

import pytest

TECHNOLOGY = {"adapters", "blocking", "locale", "testing"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def library(root: Path) -> dict[str, ast.Module]:
    """Every module of the library by its path below src/shopaccounts."""
    package = root / "src" / "shopaccounts"
    trees = {
        path.relative_to(package).as_posix(): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted(package.rglob("*.py"))
    }
    assert "kernel/errors.py" in trees, f"no library found below {package}"
    return trees


@pytest.fixture(scope="session")
def business(library: dict[str, ast.Module]) -> dict[str, ast.Module]:
    """The modules of the kernel and of the contexts, without the technology around them."""
    return {path: tree for path, tree in library.items() if "/" in path and path.split("/")[0] not in TECHNOLOGY}
