"""The code stays small enough to read, and nothing in it depends on the machine it was written on."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

MODULE_LINES = 450
MEDIAN_FUNCTION_LINES = 10
LONG_FUNCTION_LINES = 30
HOME_FOLDERS = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/[\w.]")


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str()) as docstring):
            lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def written_by_hand(library: dict[str, ast.Module]) -> dict[str, ast.Module]:
    return {path: tree for path, tree in library.items() if not path.startswith("blocking/")}


def test_no_module_is_too_long(library: dict[str, ast.Module], root: Path) -> None:
    sizes = {
        path: len((root / "src/shopaccounts" / path).read_text("utf-8").splitlines())
        for path in written_by_hand(library)
    }
    long = {path: size for path, size in sizes.items() if size > MODULE_LINES}
    assert not long, f"split these, by the rules they hold, below {MODULE_LINES} lines: {long}"


def test_functions_are_short(library: dict[str, ast.Module]) -> None:
    functions = {
        f"{path}:{node.lineno} {node.name}": length(node)
        for path, tree in written_by_hand(library).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    longest = sorted(functions.items(), key=lambda item: -item[1])[:10]
    assert statistics.median(functions.values()) <= MEDIAN_FUNCTION_LINES, longest
    assert statistics.quantiles(functions.values(), n=10)[-1] <= LONG_FUNCTION_LINES, longest


def test_no_file_names_a_folder_of_somebodys_machine(root: Path) -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    files = [root / name for name in listing.stdout.split("\0") if name]
    assert root / "pyproject.toml" in files
    found = [
        f"{file.relative_to(root)}: {hit.group()}"
        for file in files
        if file.is_file()
        for hit in HOME_FOLDERS.finditer(file.read_text("utf-8", errors="ignore"))
    ]
    assert not found, f"these paths exist on one machine only: {found}"


def test_a_functions_length_leaves_out_its_docstring_and_decorators() -> None:
    tree = ast.parse('@decorated\ndef f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    return a\n')
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert length(function) == 4
