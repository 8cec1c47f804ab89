"""What makes a contact verified, which contacts fit together, and who holds a sign-in address."""

from datetime import UTC, datetime

import attrs
import pytest

from shopaccounts.customers import (
    CUSTOMERS,
    AccountStatus,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Standing,
    VerificationMethod,
    is_verified,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import ContactId, CustomerId, RealmId

NOW = datetime(2031, 1, 1, tzinfo=UTC)
R, S = ContactRole, AccountStatus


def contact(address: str = "ann@lamp.example", *roles: ContactRole, proven: bool = True) -> ContactPoint:
    fresh = ContactPoint(
        id=ContactId(address),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(address),
        roles=frozenset(roles),
        added_at=NOW,
    )
    return fresh.proven(VerificationMethod.CODE, "challenge", NOW) if proven else fresh


def customer(*contacts: ContactPoint, status: AccountStatus = S.ACTIVE, before: Standing | None = None) -> Customer:
    return Customer(
        id=CustomerId("c"),
        realm=RealmId("main"),
        standing=Standing(status=status, before=before),
        contacts=contacts,
        created_at=NOW,
        origin=Origin.REGISTRATION,
    )


@pytest.mark.proves("CUS-31", "KER-220")
def test_a_contact_is_verified_while_its_value_is_the_one_that_was_proven() -> None:
    proven = contact("ann@lamp.example")
    assert is_verified(proven)
    assert not is_verified(contact(proven=False))
    assert not is_verified(attrs.evolve(proven, value=EmailAddress.parse("eve@lamp.example")))
    assert is_verified(attrs.evolve(proven, value=EmailAddress.parse("Ann@LAMP.example")))


@pytest.mark.proves("CUS-31")
def test_a_phone_is_compared_by_its_number() -> None:
    phone = ContactPoint(
        id=ContactId("p"), kind=ContactKind.PHONE, value=PhoneNumber.parse("+4930123456"), added_at=NOW
    ).proven(VerificationMethod.CODE, "challenge", NOW)
    assert is_verified(phone)
    assert phone.key == "+4930123456"
    assert not is_verified(attrs.evolve(phone, value=PhoneNumber.parse("+4930123457")))


@pytest.mark.proves("CUS-31")
def test_only_verified_contacts_are_used_unless_somebody_asks_for_others() -> None:
    person = customer(contact("a@lamp.example", R.NOTIFY), contact("b@lamp.example", R.NOTIFY, proven=False))
    assert [c.id for c in person.contacts_for(R.NOTIFY)] == ["a@lamp.example"]
    assert len(person.contacts_for(R.NOTIFY, verified=False)) == 2
    assert not person.contacts_for(R.LOGIN)


@pytest.mark.proves("CUS-32")
def test_there_is_one_primary_contact_of_a_kind() -> None:
    phone = ContactPoint(
        id=ContactId("p"),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse("+4930123456"),
        roles=frozenset({R.PRIMARY}),
        added_at=NOW,
    )
    customer(contact("a@lamp.example", R.PRIMARY), phone)
    with pytest.raises(Defect, match="two primary contacts"):
        customer(contact("a@lamp.example", R.PRIMARY), contact("b@lamp.example", R.PRIMARY))


@pytest.mark.proves("CUS-32")
@pytest.mark.parametrize("role", [R.LOGIN, R.RECOVERY])
@pytest.mark.parametrize("status", [S.ACTIVE, S.SUSPENDED, S.CLOSING])
def test_one_neither_signs_in_nor_recovers_by_an_unproven_contact(role: ContactRole, status: AccountStatus) -> None:
    customer(contact("a@lamp.example", role), status=status)
    with pytest.raises(Defect, match="unproven contact"):
        customer(contact("a@lamp.example", role, proven=False), status=status)


@pytest.mark.proves("CUS-32")
def test_a_waiting_account_holds_the_one_address_that_is_to_be_proven() -> None:
    one, two = contact("a@lamp.example", R.LOGIN, proven=False), contact("b@lamp.example", R.LOGIN, proven=False)
    customer(one, status=S.PENDING)
    customer(one, status=S.SUSPENDED, before=Standing(status=S.PENDING))
    with pytest.raises(Defect, match="sign-in by an unproven contact"):
        customer(one, two, status=S.PENDING)
    with pytest.raises(Defect, match="recovery by an unproven contact"):
        customer(contact("a@lamp.example", R.RECOVERY, proven=False), status=S.PENDING)


@pytest.mark.proves("CUS-32")
def test_a_customer_has_at_most_ten_contacts() -> None:
    ten = [contact(f"ann{number}@lamp.example", R.NOTIFY, proven=False) for number in range(10)]
    customer(*ten)
    with pytest.raises(Defect, match="more than 10 contacts"):
        customer(*ten, contact("one.more@lamp.example"))


@pytest.mark.proves("CUS-16", "CUS-33")
@pytest.mark.parametrize("status", S)
def test_a_sign_in_address_has_one_holder_while_the_account_is_open(status: AccountStatus) -> None:
    keys = CUSTOMERS.keys(customer(contact("Ann@lamp.example", R.LOGIN, R.NOTIFY), status=status))
    holds = status in {S.PENDING, S.ACTIVE, S.SUSPENDED, S.CLOSING}
    assert keys == ({("login_contact", "email ann@lamp.example")} if holds else set())


@pytest.mark.proves("CUS-33")
def test_a_contact_that_nobody_signs_in_by_may_be_shared() -> None:
    assert not CUSTOMERS.keys(customer(contact("family@lamp.example", R.NOTIFY, R.PRIMARY)))
