"""While somebody guesses: what is counted, what the shop hears, and that nothing of it becomes a weapon."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import BadPolicy, Throttled, TryLater, Unavailable
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, WrongPassword
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import AttemptPolicy, NoSession, SignedIn, SignInRefused
from shopaccounts.testing.builders import (
    PASSWORD,
    SITUATIONS,
    ShopBuilder,
    quick_policies,
    request_from,
    without_gaps,
)
from shopaccounts.testing.faults import Fault, Faulty
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from()
STRANGER = request_from("203.0.113.9")
WRONG, NEW = "seven other lamps in the wind", "another lamp by the river"
SECOND = timedelta(seconds=1)


def built(host, **attempts):
    policies = quick_policies(attempts=AttemptPolicy(**attempts), sends=without_gaps())
    return ShopBuilder(host=host, policies=policies)


async def guess(shop, builder, *, password=WRONG, address=ANN, context=STRANGER):
    """Guess once, after whatever wait; tell whether it opened the account."""
    while True:
        try:
            step = await shop.signin.sign_in_with_password(address, password, context)
        except SignInRefused:
            return False
        except Throttled as held:
            builder.clock.advance(held.retry_after)
        else:
            return isinstance(step, SignedIn)


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


# The whole realm


@pytest.mark.proves("KER-263")
async def test_many_failures_in_a_realm_are_told_to_the_shop_and_refuse_nobody(host) -> None:
    builder = built(host, attack_at=20)
    shop = builder.build()
    await shop.open_account(ANN)
    for number in range(45):
        address, network = f"nobody{number}@lamp.example", request_from(f"198.51.100.{number + 1}")
        assert not await guess(shop, builder, address=address, context=network)
    (event,) = told(builder, "signin.attack_suspected")
    assert (event.subject, event.data) == ("", '{"failures":20}')
    assert await guess(shop, builder, password=PASSWORD, context=HERE)
    builder.clock.advance(timedelta(minutes=5))
    for number in range(20):
        await guess(shop, builder, address=f"nobody{number}@lamp.example", context=request_from(f"192.0.2.{number}"))
    assert len(told(builder, "signin.attack_suspected")) == 2


@pytest.mark.proves("KER-263")
def test_a_thousand_failures_within_five_minutes_are_an_attack_unless_a_shop_says_otherwise() -> None:
    assert (AttemptPolicy().attack_at, AttemptPolicy().attack_within) == (1000, timedelta(minutes=5))
    for values in ({"attack_at": 0}, {"attack_within": timedelta(0)}):
        with pytest.raises(BadPolicy):
            AttemptPolicy(**values)


@pytest.mark.proves("KER-263", "KER-267")
async def test_failures_that_can_not_be_counted_for_the_realm_are_refused_all_the_same(builder) -> None:
    await builder.build().open_account(ANN)
    shop = builder.build(Faulty({("add", 1): Fault(Unavailable("connection_lost"))}))
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, WRONG, HERE)
    assert len(told(builder, "signin.refused")) == 1


@pytest.mark.proves("KER-267")
@pytest.mark.parametrize("where", ["read", "swap"])
async def test_who_can_not_be_counted_is_refused_before_anything_is_compared(builder, where) -> None:
    account = await builder.build().open_account(ANN)
    recorder = Recorder()
    broken = Faulty({(where, number): Fault(Unavailable("connection_lost")) for number in range(1, 40)})
    shop = builder.build(lambda port: recorder(broken(port)))
    for tries in (
        shop.signin.sign_in_with_password(ANN, PASSWORD, HERE),
        shop.signin.confirm_identity(account.session, PASSWORD, HERE),
    ):
        with pytest.raises(TryLater):
            await tries
    assert not {"verify", "spend"} & {method for _, method in recorder.trace}


# Success


@pytest.mark.proves("KER-262")
async def test_nothing_but_the_right_password_or_a_reset_clears_the_tries_at_one(builder) -> None:
    shop = builder.build()
    account = await shop.open_account(ANN)
    await shop.open_account("eve@lamp.example")
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, WRONG, STRANGER)
    for work in (
        lambda: shop.sessions.resume(account.session, HERE),
        lambda: shop.sessions.end_other_sessions(account.session, HERE),
        lambda: shop.recovery.request_reset(ANN, HERE),
        lambda: shop.signin.sign_in_with_password("eve@lamp.example", PASSWORD, HERE),
        lambda: shop.registration.register(RegistrationForm(identifier="new@lamp.example", password=PASSWORD), HERE),
    ):
        await work()
        with pytest.raises(Throttled):
            await shop.signin.sign_in_with_password(ANN, PASSWORD, STRANGER)
    builder.clock.advance(SECOND)
    assert await guess(shop, builder, password=PASSWORD)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, WRONG, STRANGER)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, WRONG, STRANGER)


@pytest.mark.proves("KER-262")
async def test_success_leaves_the_failures_of_a_network_counted(shop) -> None:
    await shop.open_account(ANN)
    for number in range(49):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(f"nobody{number}@lamp.example", WRONG, HERE)
    await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password("nobody@lamp.example", WRONG, HERE)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


# No weapon


@pytest.mark.proves("KER-265")
async def test_whatever_a_stranger_asks_for_changes_nothing_of_an_account(host) -> None:
    builder = built(host)
    shop = builder.build()
    account = await shop.open_account(ANN)
    before = [await builder.kept(book, account.id) for book in (CUSTOMERS, SECURITY, PASSWORDS)]
    for _ in range(12):
        await guess(shop, builder)
        await shop.recovery.request_reset(ANN, STRANGER)
        await shop.registration.register(RegistrationForm(identifier=ANN, password=WRONG), STRANGER)
        builder.clock.advance(timedelta(minutes=10))
    assert [await builder.kept(book, account.id) for book in (CUSTOMERS, SECURITY, PASSWORDS)] == before
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.to(ANN)[-1].token, NEW, HERE)
    assert await guess(shop, builder, password=NEW)


# Passwords that are tried too often, where a shop disables them


@pytest.fixture
def strict(host):
    wait = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=None, disable_after=12)
    return built(host, password=wait)


@pytest.mark.proves("KER-266")
async def test_a_password_that_was_tried_too_often_works_again_only_after_a_reset(strict) -> None:
    shop = strict.build()
    account = await shop.open_account(ANN)
    for number in range(12):
        context = request_from(f"203.0.113.{number + 1}")
        assert not await guess(shop, strict, context=context)
    assert (await strict.kept(PASSWORDS, account.id)).is_disabled
    assert [event.subject for event in told(strict, "signin.password_disabled")] == [account.id]
    notices = [letter.template for letter in strict.mailbag.to(ANN)]
    assert notices[-1] == "signin.password_disabled"
    assert not await guess(shop, strict, password=PASSWORD)
    strict.clock.advance(timedelta(days=400))
    assert not await guess(shop, strict, password=PASSWORD)
    assert len(told(strict, "signin.password_disabled")) == 1
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(strict.mailbag.last.token, NEW, HERE)
    assert not await guess(shop, strict)
    assert await guess(shop, strict, password=NEW)


@pytest.mark.proves("KER-266")
async def test_disabling_a_password_stops_neither_the_account_nor_its_sessions(strict) -> None:
    shop = strict.build()
    await shop.open_account(ANN)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)).session
    for _ in range(12):
        await guess(shop, strict)
    assert not isinstance(await shop.sessions.resume(session, HERE), NoSession)
    while True:
        try:
            await shop.signin.confirm_identity(session, PASSWORD, HERE)
        except Throttled as held:
            strict.clock.advance(held.retry_after)
        except SignInRefused:
            break


@pytest.mark.proves("KER-266", "SIG-61")
async def test_guesses_of_somebody_who_is_signed_in_disable_a_password_too(strict) -> None:
    shop = strict.build()
    account = await shop.open_account(ANN)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)).session
    guesses = 0
    while guesses < 12:
        try:
            await shop.signin.confirm_identity(session, WRONG, HERE)
        except Throttled as held:
            strict.clock.advance(held.retry_after)
        except SignInRefused:
            guesses += 1
    assert (await strict.kept(PASSWORDS, account.id)).is_disabled
    assert len(told(strict, "signin.password_disabled")) == 1
    assert len(told(strict, "signin.step_up_refused")) == 12


@pytest.mark.proves("KER-263", "KER-266")
async def test_the_guess_that_disables_a_password_may_be_the_one_that_shows_an_attack(host) -> None:
    wait = Wait(free=5, base=SECOND, cap=SECOND, forget_after=None, disable_after=12)
    builder = built(host, password=wait, attack_at=12, attack_within=timedelta(days=1))
    shop = builder.build()
    await shop.open_account(ANN)
    for _ in range(12):
        await guess(shop, builder)
    names = ("signin.attack_suspected", "signin.password_disabled")
    assert [len(told(builder, name)) for name in names] == [1, 1]


@pytest.mark.proves("KER-266")
async def test_a_password_that_is_disabled_is_not_changed_but_reset(strict) -> None:
    shop = strict.build()
    account = await shop.open_account(ANN)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    await strict.edit(PASSWORDS, account.id, lambda record: attrs.evolve(record, is_disabled=True))
    with pytest.raises(WrongPassword):
        await shop.passwords.change_password(session, PASSWORD, NEW, HERE)


@pytest.mark.proves("KER-266")
async def test_only_failures_in_a_row_count_wherever_they_come_from(strict) -> None:
    shop = strict.build()
    account = await shop.open_account(ANN)
    home = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    known = attrs.evolve(HERE, device=home.set_cookies[1].value)
    for context in (STRANGER, known):
        for _ in range(5):
            await guess(shop, strict, context=context)
    assert await guess(shop, strict, password=PASSWORD, context=known)
    for _ in range(11):
        await guess(shop, strict)
    assert not (await strict.kept(PASSWORDS, account.id)).is_disabled
    await guess(shop, strict, context=known)
    assert (await strict.kept(PASSWORDS, account.id)).is_disabled


@pytest.mark.proves("KER-266", "SIG-61")
async def test_who_proves_again_who_they_are_has_no_failures_in_a_row_any_more(strict) -> None:
    shop = strict.build()
    account = await shop.open_account(ANN)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    for _ in range(2):
        for number in range(7):
            await guess(shop, strict, context=request_from(f"203.0.113.{number + 1}"))
        strict.clock.advance(timedelta(minutes=10))
        session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    assert not (await strict.kept(PASSWORDS, account.id)).is_disabled


@pytest.mark.proves("KER-266")
async def test_otherwise_no_number_of_failures_disables_a_password(shop, builder) -> None:
    account = await shop.open_account(ANN)
    for _ in range(120):
        await guess(shop, builder)
    assert not (await builder.kept(PASSWORDS, account.id)).is_disabled
    assert await guess(shop, builder, password=PASSWORD)


@pytest.mark.proves("KER-266", "KER-250")
async def test_counting_failures_in_a_row_does_not_show_who_has_an_account(host) -> None:
    wait = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=None, disable_after=12)
    traces = []
    for situation in ("unknown", "active", "no password", "suspended"):
        builder = built(host, password=wait)
        await builder.build().arrange(situation, ANN)
        recorder = Recorder()
        shop = builder.build(recorder)
        recorder.trace.clear()
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, WRONG, STRANGER)
        traces.append([(port, "work" if port == "QuickHasher" else method) for port, method in recorder.trace])
    assert all(trace == traces[0] for trace in traces)


@pytest.mark.proves("KER-266")
def test_what_is_free_disables_nothing() -> None:
    with pytest.raises(BadPolicy):
        Wait(free=5, base=SECOND, cap=SECOND, forget_after=None, disable_after=5)


# Who may come in with what


@pytest.mark.proves("KER-221")
@pytest.mark.parametrize("situation", [one for one in SITUATIONS if one not in {"active", "closing", "suspended"}])
async def test_an_address_that_nobody_proved_or_that_signs_in_nowhere_opens_nothing(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    assert not await guess(shop, builder, password=PASSWORD)


@pytest.mark.proves("KER-221")
@pytest.mark.parametrize("role", [role for role in ContactRole if role is not ContactRole.LOGIN])
async def test_a_proven_address_without_the_role_for_it_does_not_sign_in(shop, builder, role) -> None:
    account = await shop.open_account(ANN)
    other = EmailAddress.parse("other@lamp.example")
    contact = ContactPoint(
        id=ContactId("other"), kind=ContactKind.EMAIL, value=other, roles=frozenset(), added_at=builder.clock.now()
    ).proven(VerificationMethod.LINK, "x", builder.clock.now())
    taken = (await builder.kept(CUSTOMERS, account.id)).contacts
    roles = frozenset({role}) - frozenset().union(*(one.roles for one in taken if role is ContactRole.PRIMARY))
    await builder.edit(
        CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, attrs.evolve(contact, roles=roles)))
    )
    assert not await guess(shop, builder, password=PASSWORD, address="other@lamp.example")
    assert await guess(shop, builder, password=PASSWORD)


@pytest.mark.proves("KER-221")
@pytest.mark.parametrize("situation", ["unknown", "unverified contact"])
async def test_only_a_proven_address_of_its_account_gets_a_way_to_recover_it(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    await shop.recovery.request_reset(ANN, HERE)
    assert builder.mailbag.to(ANN) == ()
