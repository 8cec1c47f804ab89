"""Where the codes of second steps go when another contact takes the place of one."""

from datetime import UTC, datetime

import attrs
import pytest

from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.signin import Authenticators, Factor, FactorKind, pointed_elsewhere

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
OLD, NEW, MAIL = ContactId("old"), ContactId("new"), ContactId("mail")


def text(id: str, contact: ContactId | None, kind: FactorKind = FactorKind.SMS) -> Factor:
    return Factor(id=id, kind=kind, contact=contact, created_at=NOW)


def own(*factors: Factor) -> Authenticators:
    return Authenticators(id=AccountId("ann"), realm=RealmId("main"), factors=factors)


@pytest.mark.proves("SIG-53", "REG-64")
def test_codes_go_where_another_contact_took_the_place_and_the_rest_stays() -> None:
    app, mailed = text("app", None, FactorKind.TOTP), text("mailed", MAIL, FactorKind.EMAIL_STEP)
    was = own(app, text("text", OLD), mailed)
    after = pointed_elsewhere(was, {OLD: NEW})
    assert after == attrs.evolve(was, factors=(app, text("text", NEW), mailed))
    assert pointed_elsewhere(was, {}) == was
    assert pointed_elsewhere(None, {OLD: NEW}) is None


@pytest.mark.proves("SIG-53")
@pytest.mark.parametrize("known_first", [True, False])
def test_a_contact_is_a_second_step_once(known_first: bool) -> None:
    pair = (text("known", NEW), text("moved", OLD))
    after = pointed_elsewhere(own(*(pair if known_first else reversed(pair))), {OLD: NEW})
    assert after == own(text("known", NEW))


@pytest.mark.proves("SIG-53")
def test_of_two_that_go_to_one_place_the_first_stays() -> None:
    after = pointed_elsewhere(own(text("one", OLD), text("two", MAIL)), {OLD: NEW, MAIL: NEW})
    assert after == own(text("one", NEW))
