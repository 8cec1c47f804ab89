"""What ``import shopaccounts`` costs, in fresh processes, and what it loads."""

import json
import subprocess
import sys
from collections import defaultdict
from statistics import median
from typing import Final

from benchmarks.measuring import Effort
from benchmarks.reports import Reach, Report, Row

__all__ = ["run"]

PROBE: Final = """
import json, sys, time
start = time.process_time()
exec(sys.argv[1])
cost = time.process_time() - start
others = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"__main__"}
print(json.dumps([cost, sorted(name for name in others if not name.startswith("_"))]))
"""
HEAVY: Final = frozenset({"sqlalchemy", "argon2", "babel", "cryptography", "cattrs", "idna", "jinja2", "pyotp"})
ALLAUTH: Final = """
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "allauth",
        "allauth.account", "allauth.headless"],
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"], ROOT_URLCONF="allauth.headless.urls",
    HEADLESS_ONLY=True, HEADLESS_FRONTEND_URLS={}, USE_TZ=True)
import django; django.setup(); import allauth.headless.urls
"""
STATEMENTS: Final = {
    "attrs": "import attrs",
    "shopaccounts": "import shopaccounts",
    "shopaccounts, all contexts": "from shopaccounts import ShopAccounts",
    "shopaccounts with its SQL store": "from shopaccounts import ShopAccounts; import shopaccounts.adapters.sqlalchemy",
    "sqlalchemy": "import sqlalchemy",
    "fastapi-users": "import fastapi_users, fastapi_users.authentication, fastapi_users_db_sqlalchemy",
    "Flask-Security": "import flask_security, flask_sqlalchemy",
    "allauth headless, set up": ALLAUTH,
}


def run(effort: Effort) -> Report:
    """Compare imports."""
    costs: dict[str, list[float]] = defaultdict(list)
    loaded: dict[str, list[str]] = {}
    for _ in range(effort.turns):
        for name, statement in STATEMENTS.items():
            cost, loaded[name] = _probe(statement)
            costs[name].append(cost)
    cost_of = {name: median(measured) for name, measured in costs.items()}
    bare, contexts, stored = list(STATEMENTS)[1:4]
    rows = [
        _row("import shopaccounts", cost_of[bare], cost_of, "attrs", Reach(1.6)),
        _row("all contexts", cost_of[contexts], cost_of, "attrs"),
        *(_row("all contexts and the SQL store", cost_of[stored], cost_of, peer) for peer in list(STATEMENTS)[4:]),
        Row(case="heavy packages loaded", ours=len(HEAVY & set(loaded[bare])), at_most=0, counted="package"),
        Row(case="the same, all contexts", ours=len(HEAVY & set(loaded[contexts])), at_most=0, counted="package"),
    ]
    notes = (
        "Processor time within a fresh process, without Python's own start.",
        f"Of others, import shopaccounts loads: {_names(loaded[bare])}.",
        f"Of others, all contexts load: {_names(loaded[contexts])}.",
    )
    return Report(name="imports", title="Import cost", rows=tuple(rows), notes=notes)


def _probe(statement: str) -> tuple[float, list[str]]:
    answer = subprocess.run(  # noqa: S603  (this Python, with the texts above)
        [sys.executable, "-W", "ignore", "-c", PROBE, statement], check=True, capture_output=True, text=True
    )
    cost, others = json.loads(answer.stdout)
    return cost, others


def _row(case: str, ours: float, cost_of: dict[str, float], peer: str, reach: Reach | None = None) -> Row:
    return Row(case=case, ours=ours, other=cost_of[peer], beside=peer, reach=reach)


def _names(modules: list[str]) -> str:
    return ", ".join(name for name in modules if name != "shopaccounts") or "nothing"
