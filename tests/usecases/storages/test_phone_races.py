"""Many do the same with a phone number at the same moment: one wins, the others end as they were promised to."""

import io

import attrs
import pytest

from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactRole
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.registration import (
    PROVEN_NUMBERS,
    CodeWrong,
    ConfirmationNeeded,
    ContactBelongsElsewhere,
    ContactChanged,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    RegistrationForm,
    WhichNumber,
)
from shopaccounts.signin import SignInRequired
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.races import assert_one_winner, race

TEL, NEW, HERE = "+4915123456789", "+4915198765432", request_from()
FORM = RegistrationForm(identifier=TEL, password=PASSWORD)
CROWD = 16
pytestmark = pytest.mark.proves("KER-180")


@pytest.fixture
def builder(builder: ShopBuilder) -> ShopBuilder:
    """A shop that reaches phones."""
    return attrs.evolve(builder, couriers=dict.fromkeys((Channel.SMS, Channel.VOICE), ConsoleCourier(io.StringIO())))


async def holders(builder, number):
    """Everybody who signs in by a number."""
    found = await got(builder.storage.open(builder.scope).find(CUSTOMERS, f"phone {number}", by="login_contact"))
    return found.it if found else None


async def outcome_of(shop, handle, code):
    """What somebody is told who types a code."""
    try:
        return type(await shop.registration.complete_registration(handle, code, HERE)).__name__
    except Rejected as refused:
        return type(refused).__name__


async def with_numbers(shop, *names):
    """Accounts that have proven the same number, and sign in by their addresses."""
    for name in names:
        account = await shop.open_account(f"{name}@lamp.example")
        started = await shop.contacts.add_contact(account.session, TEL, HERE)
        code = shop.builder.mailbag.last.code
        added = await shop.contacts.prove_added_contact(account.session, started.addition, code, HERE)
        yield account, added.contact


@pytest.mark.proves("REG-12", "REG-8")
async def test_of_many_who_register_a_number_one_proves_it(shop, builder) -> None:
    outcomes = await race(CROWD, lambda _: builder.build().registration.register(FORM, HERE))
    assert [one.error for one in outcomes] == [None] * CROWD
    codes = [one.code for one in builder.mailbag.to(TEL) if "code" in one.secrets]
    assert 1 <= len(codes) <= len(outcomes)
    told = [await outcome_of(shop, one.value.handle, code) for one in outcomes for code in reversed(codes)]
    assert told.count("Registered") == 1
    assert set(told) <= {"Registered", "CodeWrong", "ContactLinkInvalid", "ContactLinkStale", "ContactLinkUsed"}
    assert (await holders(builder, TEL)).status is AccountStatus.ACTIVE


@pytest.mark.proves("REG-15", "REG-8")
async def test_one_registration_by_phone_is_completed_once(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    code = builder.mailbag.last.code
    outcomes = await race(
        CROWD, lambda _: builder.build().registration.complete_registration(started.handle, code, HERE)
    )
    assert_one_winner(outcomes, ContactLinkUsed)


@pytest.mark.proves("CUS-33")
async def test_of_many_who_share_a_phone_one_signs_in_by_it(shop, builder) -> None:
    sharing = [one async for one in with_numbers(shop, *(f"guest{number}" for number in range(6)))]
    outcomes = await race(
        len(sharing),
        lambda index: builder.build().contacts.sign_in_by_contact(sharing[index][0].session, sharing[index][1], HERE),
    )
    assert_one_winner(outcomes, ContactBelongsElsewhere)
    holder = await holders(builder, TEL)
    assert [ContactRole.LOGIN in one.roles for one in holder.contacts if one.key == TEL] == [True]


@pytest.mark.proves("REG-15", "REG-20", "CUS-33")
async def test_of_a_registration_and_a_change_to_one_number_one_has_it(shop, builder) -> None:
    account = await shop.open_account(NEW)
    await shop.contact_changes.promote_contact(account.session, TEL, HERE)
    letters = {one.template: one for one in builder.mailbag.letters}
    old, new = (letters[f"registration.confirm_{side}_number"].code for side in ("old", "new"))
    await shop.contact_changes.prove_number(account.session, WhichNumber.OLD, old, HERE)
    started = await shop.registration.register(FORM, HERE)
    code = builder.mailbag.last.code

    async def either(index):
        built = builder.build()
        if index % 2:
            return await built.registration.complete_registration(started.handle, code, HERE)
        return await built.contact_changes.prove_number(account.session, WhichNumber.NEW, new, HERE)

    outcomes = await race(2, either)
    lost = [one.error for one in outcomes if one.error]
    assert len(lost) == 1
    late = (CodeWrong, ContactBelongsElsewhere, ContactLinkInvalid, ContactLinkStale, ContactLinkUsed)
    assert isinstance(lost[0], late)  # a registration that loses looks like a wrong code
    assert (await holders(builder, TEL)).status is AccountStatus.ACTIVE


@pytest.mark.proves("REG-70", "REG-64")
async def test_a_change_of_a_number_comes_into_force_once(shop, builder) -> None:
    account = await shop.open_account(TEL)
    await shop.contact_changes.promote_contact(account.session, NEW, HERE)
    letters = {one.template: one for one in builder.mailbag.letters}
    codes = {side: letters[f"registration.confirm_{side.value}_number"].code for side in WhichNumber}

    async def prove(index):
        side = WhichNumber.NEW if index % 2 else WhichNumber.OLD
        return await builder.build().contact_changes.prove_number(account.session, side, codes[side], HERE)

    outcomes = await race(2, prove)
    assert sorted(type(one.value).__name__ for one in outcomes) == ["ConfirmationNeeded", "ContactChanged"]
    again = await race(CROWD, prove)
    assert all(isinstance(one.error, SignInRequired) for one in again)
    assert {ConfirmationNeeded, ContactChanged} == {type(one.value) for one in outcomes}
    assert (await holders(builder, NEW)).id == account.id


@pytest.mark.proves("REG-70", "KER-244")
async def test_parallel_guesses_at_a_numbers_code_get_as_many_answers_as_there_are_tries(shop, builder) -> None:
    account = await shop.open_account(TEL)
    await shop.contact_changes.promote_contact(account.session, NEW, HERE)
    outcomes = await race(
        CROWD,
        lambda index: builder.build().contact_changes.prove_number(
            account.session, WhichNumber.NEW, f"{index:06}", HERE
        ),
    )
    told = [type(one.error).__name__ for one in outcomes]
    assert told.count("CodeWrong") <= 5
    assert set(told) == {"CodeWrong", "CodeExhausted"}


@pytest.mark.proves("CUS-40")
async def test_of_many_who_prove_one_number_at_once_as_many_are_kept_as_there_are_places(shop, builder) -> None:
    proofs = []
    for number in range(5):
        account = await shop.open_account(f"guest{number}@lamp.example")
        started = await shop.contacts.add_contact(account.session, TEL, HERE)
        proofs.append((account, started.addition, builder.mailbag.last.code))
    outcomes = await race(
        len(proofs),
        lambda index: builder.build().contacts.prove_added_contact(
            proofs[index][0].session, proofs[index][1], proofs[index][2], HERE
        ),
    )
    assert [one.error for one in outcomes] == [None] * len(proofs)
    store = builder.storage.open(builder.scope)
    places = [await got(store.find(PROVEN_NUMBERS, f"{TEL} {place}", by="proven_number")) for place in range(4)]
    kept = {found.it.account for found in places[:3] if found}
    assert (len(kept), places[3]) == (3, None)
    assert kept < {account.id for account, _, _ in proofs}
