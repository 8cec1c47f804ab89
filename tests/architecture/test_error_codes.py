"""Every way to say no has its own stable code, named after the part of the business that says it."""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator

import pytest

import shopaccounts
from shopaccounts.kernel.errors import Kind, Rejected

# The kernel has these rules for contexts that come later; the codes are those contexts' own, and stable for good.
OF_LATER_CONTEXTS = {"consent.bad_zone", "privacy.key_in_use", "privacy.no_rule_for_date"}
OF_EVERY_SENDER = {"registration.country_not_served", "registration.phone_not_served"}  # said wherever codes are sent
CODE = re.compile(r"[a-z]+(\.[a-z][a-z0-9_]*)+")


def subclasses(kind: type[Rejected]) -> Iterator[type[Rejected]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def is_family(kind: type[Rejected]) -> bool:
    """Whether contexts word this rejection themselves, each by a subclass: a link that expired, was used, ..."""
    return "code" not in vars(kind) and bool(kind.__subclasses__())


@pytest.fixture(scope="module")
def rejections() -> dict[str, type[Rejected]]:
    """Every rejection of the library by its full name."""
    for module in pkgutil.walk_packages(shopaccounts.__path__, "shopaccounts."):
        if ".migrations" not in module.name:  # Alembic runs these itself
            importlib.import_module(module.name)
    found = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in subclasses(Rejected)}
    ours = {name: kind for name, kind in found.items() if name.startswith("shopaccounts.") and not is_family(kind)}
    assert ours
    return ours


def test_every_rejection_has_a_code_of_its_own(rejections: dict[str, type[Rejected]]) -> None:
    without = [name for name, kind in rejections.items() if not CODE.fullmatch(vars(kind).get("code", ""))]
    assert not without, f"give each a class variable `code` like 'recovery.link_expired': {without}"
    codes = Counter(kind.code for kind in rejections.values())
    assert codes.most_common(1)[0][1] == 1, f"each code may be used once: {codes.most_common(5)}"


def test_every_rejection_has_a_kind(rejections: dict[str, type[Rejected]]) -> None:
    without = [name for name, kind in rejections.items() if not isinstance(getattr(kind, "kind", None), Kind)]
    assert not without, f"set the class variable `kind`, so that hosts know how to answer: {without}"


def test_a_code_begins_with_the_name_of_its_context_or_module(rejections: dict[str, type[Rejected]]) -> None:
    elsewhere = OF_LATER_CONTEXTS | OF_EVERY_SENDER
    strangers = [
        f"{name} has {kind.code!r}"
        for name, kind in rejections.items()
        if kind.code not in elsewhere and kind.code.split(".")[0] not in re.split(r"[._]", kind.__module__)
    ]
    assert not strangers, f"begin each code with the context that says no: {strangers}"
