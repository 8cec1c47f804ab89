"""What is known of a customer that no password may lean on."""

from datetime import UTC, datetime

from shopaccounts.customers import AccountStatus, ContactPoint, ContactRole, Customer, Origin, Standing, Username
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.ids import ContactId, CustomerId, RealmId
from shopaccounts.passwords import PersonalWords, words_of

NOW = datetime(2031, 3, 1, tzinfo=UTC)


def contact(kind: ContactKind, value: EmailAddress | PhoneNumber) -> ContactPoint:
    return ContactPoint(
        id=ContactId(kind.value), kind=kind, value=value, roles=frozenset({ContactRole.NOTIFY}), added_at=NOW
    )


def test_addresses_numbers_and_user_name_are_known() -> None:
    customer = Customer(
        id=CustomerId("anna"),
        realm=RealmId("lampenhaus"),
        standing=Standing(status=AccountStatus.ACTIVE),
        contacts=(
            contact(ContactKind.EMAIL, EmailAddress.parse("Anna@Mail.example")),
            contact(ContactKind.PHONE, PhoneNumber(stored="0421 123456", e164="+49421123456")),
        ),
        username=Username(name="lamplighter", skeleton="lamplighter"),
        created_at=NOW,
        origin=Origin.REGISTRATION,
    )
    known = PersonalWords(emails=("anna@mail.example",), phones=("+49421123456",), user_name="lamplighter")
    assert words_of(customer) == known
