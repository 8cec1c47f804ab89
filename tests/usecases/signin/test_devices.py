"""Devices: a browser that the account knows has tries of its own, and a browser that it doesn't know is told."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactRole, Trigger
from shopaccounts.kernel.errors import FreshSignInNeeded, Throttled, Unavailable
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import DEVICES, SESSIONS, AccountSuspended, DeviceUnknown, SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.recording import Recorder

ANN, BEN, HERE = "ann@lamp.example", "ben@lamp.example", request_from(agent="Mozilla/5.0 (X11; Linux) Firefox/133.0")
STRANGER = request_from("203.0.113.9", agent="curl/8.9")
WRONG = "seven other lamps in the wind"
DAY = timedelta(days=1)


class Browser:
    """Keeps what it is told to keep."""

    def __init__(self, shop, context=HERE):
        self.shop, self.context, self.session = shop, context, None

    async def signs_in(self, address=ANN, password=PASSWORD):
        step = await self.shop.signin.sign_in_with_password(address, password, self.context)
        if isinstance(step, SignedIn):
            self.session = step.session
            for cookie in step.set_cookies:
                if cookie.name == "__Host-device":
                    self.context = attrs.evolve(self.context, device=cookie.value)
        return step


async def guess(shop, context, password=WRONG, address=ANN):
    """How long one has to wait, None if the guess was looked at."""
    try:
        await shop.signin.sign_in_with_password(address, password, context)
    except SignInRefused:
        return None
    except Throttled as held:
        return held.retry_after
    return timedelta(0)


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


def notices(builder, address=ANN):
    return [letter.template for letter in builder.mailbag.to(address) if letter.template.startswith("signin.")]


# Being known


@pytest.mark.proves("SIG-50", "SIG-54")
async def test_a_browser_is_told_what_to_keep_and_is_known_when_it_comes_back(shop, builder) -> None:
    account = await shop.open_account(ANN)
    browser = Browser(shop)
    first = await browser.signs_in()
    cookie = first.set_cookies[1]
    assert (cookie.name, cookie.max_age) == ("__Host-device", timedelta(days=400))
    assert (cookie.secure, cookie.http_only, cookie.same_site, cookie.path) == (True, True, "Lax", "/")
    builder.clock.advance(timedelta(hours=1))
    again = await browser.signs_in()
    assert (first.new_device, again.new_device, len(again.set_cookies)) == (True, False, 1)
    (known,) = rows(builder, DEVICES)
    assert (known.id, len(known.devices)) == (account.id, 2), "the one that it was registered with is the other"
    assert {session.device for session in rows(builder, SESSIONS)} == {device.public_id for device in known.devices}


@pytest.mark.proves("SIG-54")
async def test_the_browser_of_the_registration_is_known_and_nobody_is_told_of_it(shop, builder) -> None:
    started = await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    browser = Browser(shop, attrs.evolve(HERE, device=done.step.set_cookies[1].value))
    step = await browser.signs_in()
    assert (done.step.new_device, step.new_device) == (False, False)
    assert notices(builder) == []


@pytest.mark.proves("SIG-50")
async def test_two_people_at_one_browser_are_both_known(shop) -> None:
    for address in (ANN, BEN):
        await shop.open_account(address)
    browser = Browser(shop)
    assert [(await browser.signs_in(address)).new_device for address in (ANN, BEN, ANN, BEN)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.proves("SIG-50")
async def test_nothing_that_is_stored_opens_or_shows_the_value_of_a_device(shop, builder) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    verifier = browser.context.device.reveal().rpartition(".")[2]
    assert verifier not in repr([attrs.asdict(known) for known in rows(builder, DEVICES)])
    assert await guess(shop, browser.context, PASSWORD, BEN) is None
    assert (await shop.sessions.resume(browser.context.device, HERE)).reason.value == "unknown"


@pytest.mark.proves("SIG-7", "SIG-50")
async def test_a_device_is_noted_in_the_change_that_signs_in(builder) -> None:
    await builder.build().open_account(ANN)
    recorder = Recorder()
    await Browser(builder.build(recorder)).signs_in()
    assert [method for port, method in recorder.trace if port == "records"].count("record") == 1


@pytest.mark.proves("SIG-3", "SIG-50")
async def test_a_suspended_account_gets_to_know_nobody(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = rows(builder, DEVICES)
    await builder.step(account.id, Trigger.SUSPEND)
    assert isinstance(await Browser(shop).signs_in(), AccountSuspended)
    assert rows(builder, DEVICES) == before


# Tries of one's own


@pytest.mark.proves("KER-263", "KER-265")
async def test_whoever_guesses_from_elsewhere_keeps_nobody_out_who_comes_from_home(shop, builder) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    for number in range(30):
        while wait := await guess(shop, request_from(f"203.0.113.{number + 1}")):
            builder.clock.advance(wait)
    assert await guess(shop, STRANGER, PASSWORD) > timedelta(minutes=30)
    assert isinstance(await browser.signs_in(), SignedIn)
    assert await guess(shop, STRANGER, PASSWORD) > timedelta(minutes=30), "nor does the owner end the stranger's wait"


@pytest.mark.proves("KER-263", "KER-262")
async def test_a_known_device_has_to_wait_on_its_own_and_a_sign_in_clears_its_own_tries_alone(shop, builder) -> None:
    await shop.open_account(ANN)
    one, other = Browser(shop), Browser(shop)
    await one.signs_in()
    await other.signs_in()
    assert [await guess(shop, one.context) for _ in range(6)] == [None] * 5 + [timedelta(seconds=1)]
    assert [await guess(shop, STRANGER) for _ in range(6)] == [None] * 5 + [timedelta(seconds=1)]
    await other.signs_in()
    assert await guess(shop, one.context) == timedelta(seconds=1)
    assert await guess(shop, STRANGER) == timedelta(seconds=1)
    builder.clock.advance(timedelta(seconds=1))
    await one.signs_in()
    assert [await guess(shop, one.context) for _ in range(5)] == [None] * 5
    assert await guess(shop, STRANGER) is None
    assert await guess(shop, STRANGER) == timedelta(seconds=2)


@pytest.mark.proves("KER-263")
async def test_the_value_of_another_account_is_no_known_device(shop) -> None:
    for address in (ANN, BEN):
        await shop.open_account(address)
    ben = Browser(shop)
    await ben.signs_in(BEN)
    for _ in range(5):
        await guess(shop, STRANGER)
    assert await guess(shop, ben.context) == timedelta(seconds=1)


@pytest.mark.proves("KER-263")
async def test_the_network_comes_first_also_for_a_known_device(shop) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    for number in range(50):
        await guess(shop, HERE, address=f"nobody{number}@lamp.example")
    assert await guess(shop, browser.context, PASSWORD) == timedelta(seconds=1)


@pytest.mark.proves("KER-262", "KER-265")
async def test_a_reset_ends_the_wait_of_known_devices_too(shop, builder) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    for _ in range(9):
        while wait := await guess(shop, browser.context):
            builder.clock.advance(wait)
    assert await guess(shop, browser.context, PASSWORD)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "another lamp by the river", HERE)
    assert isinstance(await browser.signs_in(password="another lamp by the river"), SignedIn)


# What the owner is told


@pytest.mark.proves("SIG-54", "SIG-80", "SIG-81", "SIG-82")
async def test_a_new_device_is_told_with_a_way_to_object_to_this_session(host) -> None:
    class Atlas:
        def coarse(self, address):
            return "Bremen" if str(address) == "192.0.2.1" else None

    builder = ShopBuilder(host=host, ports={"places": Atlas()})
    shop = builder.build()
    account = await shop.open_account(ANN)
    step = await Browser(shop).signs_in()
    letter = builder.mailbag.to(ANN)[-1]
    assert letter.template == "signin.new_device"
    assert (letter.secrets["device"], letter.secrets["place"]) == ("Firefox, Linux", "Bremen")
    assert {"not_me_link", "freeze_link"} <= set(letter.secrets)
    assert not {"device", "place"} & set(letter.variables), "who reads the books doesn't read where somebody was"
    (ticket,) = (ticket for ticket in rows(builder, TICKETS) if ticket.purpose == "not_me_sign_in")
    assert (ticket.subject, ticket.bound) == (account.id, step.public_id)
    assert [event.subject for event in told(builder, "signin.device_new")] == [account.id]
    listed = await shop.sessions.list_sessions(step.session, HERE)
    assert (listed[0].device, listed[0].place) == ("Firefox, Linux", "Bremen")


@pytest.mark.proves("SIG-54")
async def test_a_look_up_of_places_that_fails_keeps_nobody_out(host) -> None:
    class Burnt:
        def coarse(self, address):
            raise Unavailable(str(address))

    builder = ShopBuilder(host=host, ports={"places": Burnt()})
    shop = builder.build()
    await shop.open_account(ANN)
    assert isinstance(await Browser(shop).signs_in(), SignedIn)
    assert "place" not in builder.mailbag.to(ANN)[-1].secrets


@pytest.mark.proves("SIG-55")
async def test_whoever_clears_cookies_is_told_once_a_day(shop, builder) -> None:
    await shop.open_account(ANN)
    for hours in (0, 1, 22):
        builder.clock.advance(timedelta(hours=hours))
        await Browser(shop).signs_in()
    assert notices(builder) == ["signin.new_device"]
    await Browser(shop, attrs.evolve(STRANGER, user_agent=HERE.user_agent)).signs_in()
    assert notices(builder) == ["signin.new_device"] * 2, "in another network it is told"
    await Browser(shop, attrs.evolve(HERE, user_agent="curl/8.9")).signs_in()
    assert notices(builder) == ["signin.new_device"] * 3, "and of another kind"
    builder.clock.advance(timedelta(hours=25))
    await Browser(shop).signs_in()
    assert notices(builder) == ["signin.new_device"] * 4


@pytest.mark.proves("SIG-80")
async def test_a_sign_in_after_five_failures_is_told_and_wrong_passwords_alone_are_not(shop, builder) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    for _ in range(4):
        await guess(shop, browser.context)
    await browser.signs_in()
    for _ in range(5):
        await guess(shop, browser.context)
    assert notices(builder) == ["signin.new_device"]
    builder.clock.advance(timedelta(seconds=1))
    await browser.signs_in()
    assert notices(builder) == ["signin.new_device", "signin.after_failures"]


@pytest.mark.proves("SIG-80")
async def test_a_sign_in_after_half_a_year_is_told(shop, builder) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    builder.clock.advance(179 * DAY)
    await browser.signs_in()
    builder.clock.advance(180 * DAY)
    await browser.signs_in()
    assert notices(builder) == ["signin.new_device", "signin.after_silence"]


@pytest.mark.proves("SIG-80", "KER-221")
async def test_notices_go_to_proven_addresses_alone(shop, builder) -> None:
    account = await shop.arrange("unverified contact", BEN)
    customer = await builder.kept(CUSTOMERS, account)
    assert any(ContactRole.NOTIFY in contact.roles and contact.key == BEN for contact in customer.contacts)
    await Browser(shop).signs_in(f"other.{BEN}")
    assert notices(builder, f"other.{BEN}") == ["signin.new_device"]
    assert notices(builder, BEN) == []


# What the owner sees


@pytest.mark.proves("SIG-52")
async def test_owners_see_their_devices_the_last_used_first(shop, builder) -> None:
    await shop.open_account(ANN)
    builder.clock.advance(DAY)
    phone, laptop = Browser(shop, STRANGER), Browser(shop)
    await laptop.signs_in()
    builder.clock.advance(DAY)
    await phone.signs_in()
    listed = await shop.sessions.list_devices(phone.session, HERE)
    assert [(device.label, device.current) for device in listed] == [
        ("curl", True),
        ("Firefox, Linux", False),
        ("", False),
    ]
    assert listed[1].first_seen == listed[1].last_seen == builder.clock.now() - DAY


@pytest.mark.proves("SIG-52")
async def test_what_an_account_knows_no_longer_is_neither_shown_nor_kept(shop, builder) -> None:
    account = await shop.open_account(ANN)
    phone, laptop = Browser(shop, STRANGER), Browser(shop)
    await phone.signs_in()
    await laptop.signs_in()
    now = builder.clock.now()

    def over(known):
        return attrs.evolve(known, devices=tuple(attrs.evolve(d, known_until=now) for d in known.devices))

    await builder.edit(DEVICES, account.id, over)
    assert await shop.sessions.list_devices(laptop.session, HERE) == ()
    assert (await Browser(shop, STRANGER).signs_in()).new_device is True
    assert [device.label for device in (await builder.kept(DEVICES, account.id)).devices] == ["curl"]


@pytest.mark.proves("SIG-52")
async def test_a_device_that_is_forgotten_is_new_when_it_comes_back(shop, builder) -> None:
    await shop.open_account(ANN)
    phone, laptop = Browser(shop, STRANGER), Browser(shop)
    await phone.signs_in()
    await laptop.signs_in()
    (listed,) = (d for d in await shop.sessions.list_devices(laptop.session, HERE) if d.label == "curl")
    await shop.sessions.forget_device(laptop.session, listed.public_id, HERE)
    assert (await laptop.signs_in()).new_device is False
    assert (await phone.signs_in()).new_device is True
    await shop.sessions.forget_all_devices(laptop.session, HERE)
    await shop.sessions.forget_all_devices(laptop.session, HERE)
    assert await shop.sessions.list_devices(laptop.session, HERE) == ()
    assert (await laptop.signs_in()).new_device is True
    assert [event.data for event in told(builder, "signin.device_revoked")] == [
        f'{{"account":"{event.subject}","device":{device}}}'
        for event, device in zip(told(builder, "signin.device_revoked"), (f'"{listed.public_id}"', "null"), strict=True)
    ]


@pytest.mark.proves("SIG-52")
async def test_nobody_forgets_the_device_of_another_account(shop) -> None:
    for address in (ANN, BEN):
        await shop.open_account(address)
    ann, ben = Browser(shop), Browser(shop)
    await ann.signs_in()
    await ben.signs_in(BEN)
    bens = await shop.sessions.list_devices(ben.session, HERE)
    for public_id in (bens[0].public_id, "unknown"):
        with pytest.raises(DeviceUnknown):
            await shop.sessions.forget_device(ann.session, public_id, HERE)
    assert await shop.sessions.list_devices(ben.session, HERE) == bens


@pytest.mark.proves("SIG-52", "SIG-60")
async def test_forgetting_devices_takes_a_fresh_proof(shop, builder) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop)
    await browser.signs_in()
    builder.clock.advance(timedelta(minutes=15))
    (device, *_) = await shop.sessions.list_devices(browser.session, HERE)
    for forgetting in (
        shop.sessions.forget_device(browser.session, device.public_id, HERE),
        shop.sessions.forget_all_devices(browser.session, HERE),
    ):
        with pytest.raises(FreshSignInNeeded):
            await forgetting


@pytest.mark.proves("SIG-50")
async def test_devices_that_nobody_used_for_four_hundred_days_are_purged(shop, builder) -> None:
    await shop.open_account(ANN)
    builder.clock.advance(399 * DAY)
    await shop.upkeep.tick()
    assert len(rows(builder, DEVICES)) == 1
    builder.clock.advance(2 * DAY)
    await shop.upkeep.tick()
    assert rows(builder, DEVICES) == ()
    assert (await Browser(shop).signs_in()).new_device


@pytest.mark.proves("SIG-50")
@pytest.mark.parametrize("odd", ["", "~~~~", "sa1.dev.x.y", "x" * 10_000, "\ud800"])
async def test_a_cookie_that_makes_no_sense_is_no_device_and_no_error(shop, odd) -> None:
    await shop.open_account(ANN)
    browser = Browser(shop, attrs.evolve(HERE, device=Secret(odd)))
    assert (await browser.signs_in()).new_device
    assert (await browser.signs_in()).new_device is False
