"""Somebody tries the names and passwords that systems come with."""

import pytest

from shopaccounts.signin import SignInRefused
from shopaccounts.testing.builders import request_from

EVE = request_from("203.0.113.66", agent="eve")
NAMES = ("admin@lampenhaus.example", "root@localhost.example", "test@lamp.example", "demo@lampenhaus.example")
PASSWORDS = ("", "admin", "password", "changeme", "lampenhaus")


@pytest.mark.proves("REG-2", "PAS-34")
async def test_a_fresh_shop_has_no_account_that_somebody_could_know(shop, builder) -> None:
    assert not any(realm.books for realm in builder.storage.snapshot().values())
    for name in NAMES:
        for password in PASSWORDS:
            with pytest.raises(SignInRefused):
                await shop.signin.sign_in_with_password(name, password, EVE)
            builder.clock.advance(builder.policies.attempts.password.cap)
    assert not builder.mailbag.letters
