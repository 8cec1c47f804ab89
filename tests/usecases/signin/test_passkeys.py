"""Passkeys as customers meet them: adding one, signing in with it, proving again with it, and taking care of them."""

import json
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactRole
from shopaccounts.kernel.chance import as_token
from shopaccounts.kernel.errors import FreshSignInNeeded, InsecureTransport, InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import FactorProtectsShortPassword
from shopaccounts.signin import (
    AUTHENTICATORS,
    CEREMONIES,
    CodeSignInPolicy,
    EnrolmentNeedsVerifiedContact,
    LastWayIn,
    NoSession,
    PasskeyPolicy,
    PasskeyRefused,
    PasskeyTaken,
    PasskeyUnknown,
    SecondFactorNeeded,
    SignedIn,
    SignInRefused,
    SignInRequired,
    TooManyPasskeys,
    WayNotOffered,
)
from shopaccounts.testing.authenticator import EDDSA, ES256, RS256, STRAIGHT, Bends, SoftwareAuthenticator
from shopaccounts.testing.builders import (
    PASSWORD,
    ShopBuilder,
    quick_policies,
    request_from,
)
from shopaccounts.testing.doubles import ScriptedEntropy

ANN, BERT = "ann@lamp.example", "bert@lamp.example"
HERE = request_from(agent="a browser", browser=Secret("the browser at home, quite long"))
ELSEWHERE = request_from("203.0.113.9", agent="another browser", browser=Secret("the browser of somebody else"))
PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
MINUTE = timedelta(minutes=1)
ABSENT = Bends(user_present=False)


@pytest.fixture
def builder(host: str):
    """A shop with passkeys."""
    return shop_with(host)


def shop_with(host, **policy):
    return ShopBuilder(host=host, policies=quick_policies(passkeys=attrs.evolve(PASSKEYS, **policy)))


def device(seed="mine", **made):
    return attrs.evolve(SoftwareAuthenticator(entropy=ScriptedEntropy(seed)), **made)


async def add(shop, session, mine, label="phone", bends=STRAIGHT, context=HERE):
    asked = await shop.passkeys.start_adding(session, context)
    return await shop.passkeys.add_passkey(session, asked.handle, mine.create(asked.options, bends), label, context)


async def ann_with(shop, mine):
    """Open Ann's account and give her a passkey; answer the account with the session that goes on."""
    account = await shop.open_account(ANN)
    added = await add(shop, account.session, mine)
    return attrs.evolve(account, session=added.next_value.session)


async def sign_in(shop, mine, bends=STRAIGHT, context=HERE, identifier=None):
    asked = await shop.passkey_signin.passkey_options(context, identifier)
    return await shop.passkey_signin.sign_in_with_passkey(asked.handle, mine.get(asked.options, bends), context)


async def own(builder, account):
    return await builder.kept(AUTHENTICATORS, account.id)


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


async def is_live(shop, value):
    return not isinstance(await shop.sessions.resume(value, HERE), NoSession)


# Adding


@pytest.mark.proves("SIG-22", "SIG-26", "SIG-27", "SIG-81", "SIG-31")
@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
async def test_a_passkey_is_added_other_sessions_end_and_the_owner_hears_of_it(shop, builder, algorithm) -> None:
    account = await shop.open_account(ANN)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, ELSEWHERE)).session
    mine = device(algorithm=algorithm)
    added = await add(shop, account.session, mine, " my phone ")
    assert added.next_value is not None
    assert len(added.recovery_codes) == 10
    assert await is_live(shop, added.next_value.session)
    assert not await is_live(shop, account.session)
    assert not await is_live(shop, other)
    (listed,) = await shop.passkeys.passkeys(added.next_value.session, HERE)
    assert (listed.id, listed.label, listed.created_at) == (added.passkey, "my phone", builder.clock.now())
    assert (listed.transports, listed.is_backed_up, listed.last_used_at) == (("hybrid", "internal"), False, None)
    assert listed.aaguid == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    (event,) = told(builder, "signin.passkey_added")
    assert added.passkey in event.data
    assert builder.mailbag.last.message.template == "signin.passkey_added"
    (kept,) = (await own(builder, account)).passkeys
    assert kept.credential == mine.held[0].credential
    assert kept.user_verified


@pytest.mark.proves("SIG-21")
async def test_devices_know_an_account_by_64_bytes_of_chance_made_once(shop, builder) -> None:
    mine, second = device(), device("other")
    account = await ann_with(shop, mine)
    handle = (await own(builder, account)).user_handle
    assert len(handle) == 64
    await add(shop, (await sign_in(shop, mine)).session, second)
    assert second.held[0].user_handle == handle
    assert (await own(builder, account)).user_handle == handle
    bert = await shop.open_account(BERT)
    await add(shop, bert.session, device("third"))
    other = (await own(builder, bert)).user_handle
    assert other != handle
    assert ANN.encode() not in handle


@pytest.mark.proves("SIG-27", "SIG-60")
async def test_adding_takes_a_fresh_proof(shop, builder) -> None:
    account = await shop.open_account(ANN)
    asked = await shop.passkeys.start_adding(account.session, HERE)
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.passkeys.start_adding(account.session, HERE)
    with pytest.raises(FreshSignInNeeded):
        await shop.passkeys.add_passkey(account.session, asked.handle, device().create(asked.options), "x", HERE)


@pytest.mark.proves("SIG-27", "SIG-60")
async def test_who_has_a_second_step_shows_it_before_a_further_passkey_is_added(shop, builder) -> None:
    mine = device()
    await ann_with(shop, mine)
    builder.clock.advance(timedelta(minutes=20))
    half = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(half, SecondFactorNeeded)
    by_passkey = await sign_in(shop, mine)
    assert (await add(shop, by_passkey.session, device("other"))).next_value is not None


@pytest.mark.proves("SIG-27")
async def test_an_account_without_a_proven_contact_gets_none(shop, builder) -> None:
    account = await shop.open_account(ANN)

    def unproven(customer):
        notified = frozenset({ContactRole.NOTIFY})
        contacts = tuple(attrs.evolve(contact, verified=None, roles=notified) for contact in customer.contacts)
        return attrs.evolve(customer, contacts=contacts)

    await builder.edit(CUSTOMERS, account.id, unproven)
    with pytest.raises(EnrolmentNeedsVerifiedContact):
        await shop.passkeys.start_adding(account.session, HERE)


@pytest.mark.proves("SIG-20", "SIG-22")
async def test_a_question_is_answered_once_in_time_in_its_browser_and_session(shop, builder) -> None:
    account, bert = await shop.open_account(ANN), await shop.open_account(BERT)
    mine = device()
    asked = await shop.passkeys.start_adding(account.session, HERE)
    answer = mine.create(asked.options)

    async def refused(session, context=HERE, handle=asked.handle):
        with pytest.raises(PasskeyRefused) as why:
            await shop.passkeys.add_passkey(session, handle, answer, "x", context)
        return why.value.reason

    assert await refused(account.session, ELSEWHERE) == "over"
    assert await refused(account.session, request_from(agent="a browser")) == "over"
    assert await refused(bert.session) == "over"
    assert await refused(account.session, handle=Secret("x" * 60)) == "over"
    sign_in_question = await shop.passkey_signin.passkey_options(HERE)
    assert await refused(account.session, handle=sign_in_question.handle) == "over"
    again = await shop.passkeys.start_adding(account.session, HERE)
    assert await refused(account.session, handle=again.handle) == "challenge"
    builder.clock.advance(5 * MINUTE)
    assert await refused(account.session) == "over"


@pytest.mark.proves("SIG-20")
async def test_a_question_that_was_answered_right_takes_no_second_answer(shop, builder) -> None:
    account = await shop.open_account(ANN)
    asked = await shop.passkeys.start_adding(account.session, HERE)
    first, second = device().create(asked.options), device("other").create(asked.options)
    outcomes = [shop.passkeys.add_passkey(account.session, asked.handle, one, "x", HERE) for one in (first, second)]
    await outcomes[0]
    with pytest.raises(SignInRequired):
        await outcomes[1]
    (ceremony,) = builder.storage.snapshot()[builder.scope.realm].books[CEREMONIES.name].values()
    assert ceremony.used_at == builder.clock.now()
    assert len((await own(builder, account)).passkeys) == 1


@pytest.mark.proves("SIG-20")
async def test_every_question_has_32_bytes_of_chance_that_nobody_sees_twice(shop, builder) -> None:
    await shop.passkey_signin.passkey_options(HERE)
    await shop.passkey_signin.passkey_options(HERE)
    kept = builder.storage.snapshot()[builder.scope.realm].books[CEREMONIES.name].values()
    challenges = {ceremony.challenge for ceremony in kept}
    assert len(challenges) == 2
    assert {len(challenge) for challenge in challenges} == {32}


@pytest.mark.proves("SIG-22", "ADA-205")
@pytest.mark.parametrize(
    ("bends", "reason"),
    [
        (Bends(origin="https://evil.example"), "origin"),
        (Bends(type="webauthn.get"), "type"),
        (Bends(rp_id="evil.example"), "relying_party"),
        (Bends(user_present=False), "user_presence"),
        (Bends(cross_origin=True, top_origin="https://evil.example"), "cross_origin"),
        (Bends(eligible=False, backed_up=True), "backup_state"),
        (Bends(challenge=b"another challenge of 32 bytes..."), "challenge"),
    ],
)
async def test_a_bent_registration_adds_nothing_and_says_why(shop, builder, bends, reason) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(PasskeyRefused) as why:
        await add(shop, account.session, device(), bends=bends)
    assert why.value.reason == reason
    assert (await own(builder, account)).passkeys == ()
    assert await is_live(shop, account.session)
    assert not told(builder, "signin.passkey_added")


@pytest.mark.proves("SIG-22", "SIG-23", "KER-270")
async def test_where_the_shop_wants_verified_users_others_are_refused_and_not_taken_for_less(host) -> None:
    builder = shop_with(host, user_verification="required")
    shop = builder.build()
    account = await shop.open_account(ANN)
    with pytest.raises(PasskeyRefused) as why:
        await add(shop, account.session, device(verifies_user=False))
    assert why.value.reason == "user_verification"
    mine = device()
    await add(shop, account.session, mine)
    with pytest.raises(SignInRefused):
        await sign_in(shop, mine, Bends(user_verified=False))
    assert isinstance(await sign_in(shop, mine), SignedIn)


@pytest.mark.proves("SIG-22")
async def test_a_passkey_belongs_to_one_account_of_the_realm(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    credential = mine.held[0].credential
    same_name = device()
    bert = await shop.open_account(BERT)
    asked = await shop.passkeys.start_adding(bert.session, HERE)
    answer = same_name.create(asked.options)
    assert same_name.held[0].credential == credential
    with pytest.raises(PasskeyTaken):
        await shop.passkeys.add_passkey(bert.session, asked.handle, answer, "x", HERE)
    session = (await sign_in(shop, mine)).session
    with pytest.raises(PasskeyTaken):
        await add(shop, session, device())
    assert len((await own(builder, account)).passkeys) == 1


@pytest.mark.proves("SIG-22")
async def test_a_browser_is_told_which_passkeys_there_are_already(shop) -> None:
    mine = device()
    await ann_with(shop, mine)
    session = (await sign_in(shop, mine)).session
    asked = json.loads((await shop.passkeys.start_adding(session, HERE)).options)
    assert len(asked["excludeCredentials"]) == 1


@pytest.mark.proves("SIG-22")
async def test_an_account_has_only_so_many(host) -> None:
    builder = shop_with(host, max_per_account=1)
    shop = builder.build()
    await ann_with(shop, mine := device())
    session = (await sign_in(shop, mine)).session
    with pytest.raises(TooManyPasskeys) as most:
        await shop.passkeys.start_adding(session, HERE)
    assert most.value.most == 1


@pytest.mark.proves("KER-201", "KER-212")
async def test_what_is_no_text_or_too_long_is_refused_and_so_is_an_open_line(shop) -> None:
    account = await shop.open_account(ANN)
    asked = await shop.passkeys.start_adding(account.session, HERE)
    answer = device().create(asked.options)
    for response, label in ((b"{}", "x"), ({}, "x"), ("x" * 65_537, "x"), (answer, "x" * 65), (answer, "a\nb")):
        with pytest.raises(InvalidInput):
            await shop.passkeys.add_passkey(account.session, asked.handle, response, label, HERE)
    open_line = request_from(secure=False)
    with pytest.raises(InsecureTransport):
        await shop.passkey_signin.passkey_options(open_line)
    with pytest.raises(InsecureTransport):
        await shop.passkey_signin.sign_in_with_passkey(asked.handle, answer, open_line)
    with pytest.raises(InsecureTransport):
        await shop.passkeys.start_adding(account.session, open_line)


# Taking care of them


@pytest.mark.proves("SIG-26")
async def test_passkeys_are_renamed_by_their_owner_only(shop) -> None:
    account = await ann_with(shop, device())
    bert = await shop.open_account(BERT)
    (listed,) = await shop.passkeys.passkeys(account.session, HERE)
    await shop.passkeys.rename_passkey(account.session, listed.id, " the key on my ring ", HERE)
    assert [one.label for one in await shop.passkeys.passkeys(account.session, HERE)] == ["the key on my ring"]
    for id in (listed.id, "nobody's"):
        with pytest.raises(PasskeyUnknown):
            await shop.passkeys.rename_passkey(bert.session, id, "mine", HERE)
        with pytest.raises(PasskeyUnknown):
            await shop.passkeys.remove_passkey(bert.session, id, HERE)
    assert await shop.passkeys.passkeys(bert.session, HERE) == ()
    with pytest.raises(InvalidInput):
        await shop.passkeys.rename_passkey(account.session, listed.id, "a\x00b", HERE)


@pytest.mark.proves("SIG-26", "SIG-32", "SIG-81", "KER-223")
async def test_a_passkey_is_removed_with_a_second_step_shown_and_opens_nothing_any_more(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    (listed,) = await shop.passkeys.passkeys(account.session, HERE)
    with pytest.raises(FreshSignInNeeded):
        await shop.passkeys.remove_passkey(account.session, listed.id, HERE)
    session = (await sign_in(shop, mine)).session
    removed = await shop.passkeys.remove_passkey(session, listed.id, HERE)
    assert removed.recovery_codes_removed
    assert await is_live(shop, removed.next_value.session)
    assert not await is_live(shop, account.session)
    assert (await own(builder, account)).passkeys == ()
    assert builder.mailbag.last.message.template == "signin.passkey_removed"
    (event,) = told(builder, "signin.passkey_removed")
    assert listed.id in event.data
    with pytest.raises(SignInRefused):
        await sign_in(shop, mine)


@pytest.mark.proves("SIG-53")
async def test_the_last_way_in_stays(host) -> None:
    policies = quick_policies(passkeys=PASSKEYS, code_sign_in=CodeSignInPolicy(ways=frozenset()))
    builder = ShopBuilder(host=host, policies=policies)
    shop = builder.build()
    mine = device()
    account = await ann_with(shop, mine)
    session = (await sign_in(shop, mine)).session
    without = await shop.passwords.remove_password(session, HERE)
    assert without.next_value is not None
    (listed,) = await shop.passkeys.passkeys(without.next_value.session, HERE)
    with pytest.raises(LastWayIn):
        await shop.passkeys.remove_passkey(without.next_value.session, listed.id, HERE)
    assert len((await own(builder, account)).passkeys) == 1


@pytest.mark.proves("PAS-1", "PAS-23")
async def test_the_last_one_protects_a_short_password(shop) -> None:
    mine = device()
    await ann_with(shop, mine)
    session = (await sign_in(shop, mine)).session
    await shop.passwords.change_password(session, PASSWORD, "wick8 copper", HERE)
    session = (await sign_in(shop, mine)).session
    (listed,) = await shop.passkeys.passkeys(session, HERE)
    with pytest.raises(FactorProtectsShortPassword):
        await shop.passkeys.remove_passkey(session, listed.id, HERE)
    await add(shop, session, device("other"))
    session = (await sign_in(shop, mine)).session
    await shop.passkeys.remove_passkey(session, listed.id, HERE)


@pytest.mark.proves("SIG-27")
async def test_a_browser_is_told_which_passkeys_count(shop, builder) -> None:
    account = await shop.open_account(ANN)
    assert await shop.passkeys.signal_payload(account.session, HERE) is None
    mine = device()
    added = await add(shop, account.session, mine)
    signal = await shop.passkeys.signal_payload(added.next_value.session, HERE)
    assert signal.rp_id == "lampenhaus.example"
    kept = await own(builder, account)
    assert signal.user_id == as_token(kept.user_handle)
    assert signal.all_accepted_credential_ids == (as_token(mine.held[0].credential),)


async def test_a_shop_without_passkeys_offers_none(host) -> None:
    shop = ShopBuilder(host=host).build()
    account = await shop.open_account(ANN)
    calls = [
        shop.passkey_signin.passkey_options(HERE),
        shop.passkey_signin.sign_in_with_passkey(Secret("x"), "{}", HERE),
        shop.passkeys.start_adding(account.session, HERE),
        shop.passkeys.signal_payload(account.session, HERE),
        shop.another_device.start_device_binding(account.session, HERE),
        shop.another_device.start_adding(ANN, "x", HERE),
    ]
    for call in calls:
        with pytest.raises(WayNotOffered) as way:
            await call
        assert way.value.way == "passkey"
    assert await shop.passkeys.passkeys(account.session, HERE) == ()


@pytest.mark.proves("SIG-96")
async def test_nobody_who_is_signed_out_sees_or_changes_passkeys(shop) -> None:
    for call in (
        shop.passkeys.passkeys(Secret("x"), HERE),
        shop.passkeys.start_adding(Secret("x"), HERE),
        shop.passkeys.remove_passkey(Secret("x"), "y", HERE),
    ):
        with pytest.raises(SignInRequired):
            await call
