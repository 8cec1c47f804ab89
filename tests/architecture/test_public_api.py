"""The public API changes only together with its listing, so that nobody breaks it by accident."""

import importlib

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
