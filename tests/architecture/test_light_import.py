"""``import shopaccounts`` costs little: it loads attrs and the standard library, and no event loop."""

import ast
import json
import subprocess
import sys

OURS = {"attr", "attrs", "shopaccounts"}
REPORT = "import sys; old = set(sys.modules); import {}; import json; print(json.dumps(sorted(set(sys.modules) - old)))"


def loaded_by(modules: str) -> set[str]:
    """The packages that a fresh Python loads for an import."""
    answer = subprocess.run(
        [sys.executable, "-c", REPORT.format(modules)], check=False, capture_output=True, text=True
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return {name.split(".")[0] for name in json.loads(answer.stdout)}


def assert_light(packages: set[str]) -> None:
    assert "shopaccounts" in packages
    foreign = {name for name in packages - OURS - sys.stdlib_module_names if not name.startswith("_sysconfigdata")}
    assert not foreign, f"import these inside the functions that need them, or in an adapter: {sorted(foreign)}"
    assert "asyncio" not in packages, "nothing but an adapter may load asyncio"


def test_importing_the_library_loads_attrs_and_the_standard_library_only() -> None:
    assert_light(loaded_by("shopaccounts"))


def test_importing_the_kernel_and_every_context_loads_no_more(business: dict[str, ast.Module]) -> None:
    modules = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in business]
    assert len(modules) > 1
    assert_light(loaded_by(", ".join(f"shopaccounts.{module}" for module in modules)))
