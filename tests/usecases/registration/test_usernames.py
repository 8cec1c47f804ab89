"""User names, for shops that want them."""

from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.customers import CUSTOMERS, Trigger, canonical_username, identifier_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailInvalid, EmailUnsupportedCharacters
from shopaccounts.kernel.errors import BadPolicy, Throttled
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.registration import RegistrationPolicy, UsernameNotAllowed, UsernamePolicy, UsernameTaken
from shopaccounts.signin import SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.races import race

ANN, HERE = "ann@lamp.example", request_from()
ON = RegistrationPolicy(usernames=UsernamePolicy(enabled=True))


class LookAlikes:
    """A zero looks like an o."""

    def skeleton(self, text):
        return text.replace("0", "o")


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(registration=ON), ports={"confusables": LookAlikes()})


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


@pytest.mark.proves("REG-9")
async def test_a_name_is_taken_and_leads_to_its_customer(shop, builder) -> None:
    ann = await shop.open_account("ann@lamp.example")
    assert await shop.usernames.is_username_free("Ann.Lamp", HERE)
    await shop.usernames.change_username(ann.session, "Ann.Lamp", HERE)
    customer = await builder.kept(CUSTOMERS, ann.id)
    assert customer.username.name == "ann.lamp"
    assert rows(builder, EVENTS)[-1].name == "registration.username_changed"
    assert not await shop.usernames.is_username_free("ANN.LAMP", HERE)
    store = builder.storage.open(builder.scope)
    for typed in ("Ann.Lamp", "ann@lamp.example"):
        found = await got(store.find(CUSTOMERS, identifier_key(typed, usernames=True), by="login_contact"))
        assert found.it.id == ann.id


@pytest.mark.proves("REG-9")
@pytest.mark.parametrize("name", ["ann.lamp", "ANN.LAMP", "ann.l\uff41mp"])
async def test_a_name_has_one_owner_however_it_is_written(shop, name) -> None:
    ann = await shop.open_account("ann@lamp.example")
    bob = await shop.open_account("bob@lamp.example")
    await shop.usernames.change_username(ann.session, "ann.lamp", HERE)
    with pytest.raises(UsernameTaken):
        await shop.usernames.change_username(bob.session, name, HERE)


@pytest.mark.proves("REG-9")
async def test_a_name_that_looks_like_anothers_is_refused(shop) -> None:
    ann = await shop.open_account("ann@lamp.example")
    bob = await shop.open_account("bob@lamp.example")
    await shop.usernames.change_username(ann.session, "lamp-doctor", HERE)
    assert not await shop.usernames.is_username_free("lamp-d0ctor", HERE)
    with pytest.raises(UsernameTaken):
        await shop.usernames.change_username(bob.session, "lamp-d0ctor", HERE)
    await shop.usernames.change_username(ann.session, "lamp-d0ctor", HERE)


@pytest.mark.proves("REG-9")
async def test_a_name_that_was_given_up_stays_reserved_for_ninety_days(shop, builder) -> None:
    ann = await shop.open_account("ann@lamp.example")
    bob = await shop.open_account("bob@lamp.example")
    await shop.usernames.change_username(ann.session, "lamp-doctor", HERE)
    await shop.usernames.change_username(ann.session, "lamplighter", HERE)
    for name in ("lamp-doctor", "lamp-d0ctor"):
        with pytest.raises(UsernameTaken):
            await shop.usernames.change_username(bob.session, name, HERE)
    builder.clock.advance(timedelta(days=90))
    value = (await shop.signin.sign_in_with_password("bob@lamp.example", bob.password, HERE)).session
    await shop.usernames.change_username(value, "lamp-doctor", HERE)
    assert (await builder.kept(CUSTOMERS, bob.id)).username.name == "lamp-doctor"
    assert (await builder.kept(CUSTOMERS, ann.id)).username.name == "lamplighter"


@pytest.mark.proves("REG-9")
async def test_a_name_is_given_up_and_changing_to_the_same_changes_nothing(shop, builder) -> None:
    ann = await shop.open_account("ann@lamp.example")
    await shop.usernames.change_username(ann.session, "lamplighter", HERE)
    events = len(rows(builder, EVENTS))
    await shop.usernames.change_username(ann.session, "LampLighter", HERE)
    assert len(rows(builder, EVENTS)) == events
    await shop.usernames.change_username(ann.session, None, HERE)
    assert (await builder.kept(CUSTOMERS, ann.id)).username is None


@pytest.mark.proves("REG-9")
async def test_who_leaves_leaves_the_name(shop, builder) -> None:
    ann = await shop.open_account("ann@lamp.example")
    bob = await shop.open_account("bob@lamp.example")
    await shop.usernames.change_username(ann.session, "lamplighter", HERE)
    await builder.step(ann.id, Trigger.REQUEST_CLOSING)
    await builder.step(ann.id, Trigger.CLOSE)
    await shop.usernames.change_username(bob.session, "lamplighter", HERE)


@pytest.mark.proves("REG-9")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ann@lamp.example", "form"),
        ("+4915112345678", "form"),
        ("1ann", "form"),
        ("ann lamp", "form"),
        ("\u0430nn", "form"),
        ("\u212aate", "form"),
        ("\u0130stanbul", "form"),
        ("an", "length"),
        ("a" * 31, "length"),
        ("admin", "reserved"),
        ("Ad.Min", "reserved"),
        ("s-u-p-p-o-r-t", "reserved"),
        ("lampenhaus", "reserved"),
    ],
)
async def test_a_name_that_nobody_may_have(shop, name, reason) -> None:
    ann = await shop.open_account("ann@lamp.example")
    for asked in (
        shop.usernames.is_username_free(name, HERE),
        shop.usernames.change_username(ann.session, name, HERE),
    ):
        with pytest.raises(UsernameNotAllowed) as refused:
            await asked
        assert refused.value.reason == reason


@pytest.mark.proves("REG-9")
async def test_a_shop_without_user_names_has_none(host) -> None:
    shop = ShopBuilder(host=host).build()
    account = await shop.open_account("ann@lamp.example")
    with pytest.raises(UsernameNotAllowed) as refused:
        await shop.usernames.change_username(account.session, "lamplighter", HERE)
    assert refused.value.reason == "off"
    with pytest.raises(EmailInvalid):
        identifier_key("lamplighter")


@pytest.mark.proves("REG-9")
async def test_asking_for_names_is_slowed_down(shop) -> None:
    for number in range(20):
        await shop.usernames.is_username_free(f"lamp{number}", HERE)
    with pytest.raises(Throttled):
        await shop.usernames.is_username_free("lamp20", HERE)
    assert await shop.usernames.is_username_free("lamp20", request_from("198.51.100.99"))


@pytest.mark.proves("REG-9")
async def test_only_who_is_signed_in_takes_a_name(shop) -> None:
    ann = await shop.open_account("ann@lamp.example")
    await shop.sessions.sign_out(ann.session, HERE)
    with pytest.raises(SignInRequired):
        await shop.usernames.change_username(ann.session, "lamplighter", HERE)


@pytest.mark.proves("REG-9", "KER-180")
async def test_of_many_who_want_one_name_at_once_one_gets_it(builder, shop) -> None:
    owners = [await shop.open_account(f"ann{number}@lamp.example") for number in range(4)]
    outcomes = await race(
        4, lambda n: builder.build().usernames.change_username(owners[n].session, "lamplighter", HERE)
    )
    assert sum(one.error is None for one in outcomes) == 1
    assert all(isinstance(one.error, UsernameTaken) for one in outcomes if one.error is not None)


@given(st.text(max_size=40))
@pytest.mark.proves("REG-9")
def test_whatever_is_typed_a_name_is_plain_and_its_own_form(text) -> None:
    name = canonical_username(text)
    if name is not None:
        assert name.isascii()
        assert name == name.lower() == canonical_username(name)
        assert "@" not in name


@pytest.mark.parametrize("values", [{"shortest": 0}, {"shortest": 9, "longest": 8}, {"longest": 61}])
def test_a_policy_for_names_that_fit_nobody_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        UsernamePolicy(**values)
    with pytest.raises(BadPolicy):
        attrs.evolve(UsernamePolicy(), reserved_for=timedelta(days=-1))


@pytest.mark.proves("REG-9", "KER-221")
async def test_who_has_a_user_name_signs_in_with_it_however_it_is_spelled(shop) -> None:
    ann = await shop.open_account(ANN)
    await shop.usernames.change_username(ann.session, "ann.lamp", HERE)
    for typed in ("ann.lamp", "Ann.LAMP", ANN):
        step = await shop.signin.sign_in_with_password(typed, PASSWORD, HERE)
        assert (isinstance(step, SignedIn), step.account) == (True, ann.id)
    for typed in ("ann-lamp", "looks ann.lamp", "name ann.lamp"):
        with pytest.raises((SignInRefused, EmailInvalid, EmailUnsupportedCharacters)):
            await shop.signin.sign_in_with_password(typed, PASSWORD, HERE)


@pytest.mark.proves("REG-9")
async def test_a_shop_without_user_names_reads_every_identifier_as_an_address(host) -> None:
    shop = ShopBuilder(host=host).build()
    with pytest.raises(EmailInvalid):
        await shop.signin.sign_in_with_password("ann.lamp", PASSWORD, HERE)
