"""Signing in with a passkey, giving one as a second step, and proving again with it who one is."""

import json
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import Trigger
from shopaccounts.kernel.assurance import Level, Method
from shopaccounts.kernel.errors import FreshSignInNeeded, Throttled
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import (
    AUTHENTICATORS,
    AccountSuspended,
    CodeWrong,
    PasskeyAnswer,
    PasskeyRefused,
    PasswordAnswer,
    ProgressEnded,
    SecondFactorNeeded,
    SignedIn,
    SignInRefused,
    WayNotOffered,
)
from shopaccounts.signin.passkeys.responses import as_bytes
from shopaccounts.testing.authenticator import EDDSA, ES256, RS256, Bends
from shopaccounts.testing.builders import (
    BEGINNING,
    PASSWORD,
    SITUATIONS,
)
from shopaccounts.testing.recording import assert_indistinguishable
from tests.usecases.signin.test_passkeys import (
    ANN,
    BERT,
    ELSEWHERE,
    HERE,
    MINUTE,
    add,
    ann_with,
    device,
    is_live,
    own,
    shop_with,
    sign_in,
    told,
)

ABSENT = Bends(user_present=False)


@pytest.fixture
def builder(host: str):
    """A shop with passkeys."""
    return shop_with(host)


# Signing in


@pytest.mark.proves("SIG-1", "SIG-7", "SIG-23", "SIG-26", "KER-270")
@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
async def test_a_passkey_that_verified_its_user_signs_in_with_two_factors(shop, builder, algorithm) -> None:
    mine = device(algorithm=algorithm)
    account = await ann_with(shop, mine)
    builder.clock.advance(MINUTE)
    step = await sign_in(shop, mine)
    assert isinstance(step, SignedIn)
    assert (step.account, step.auth.level) == (account.id, Level.MULTI)
    assert [proof.method for proof in step.auth.proofs] == [Method.PASSKEY]
    (kept,) = (await own(builder, account)).passkeys
    assert (kept.counter, kept.last_used_at) == (1, builder.clock.now())


@pytest.mark.proves("SIG-1", "KER-270", "SIG-23")
async def test_a_passkey_that_did_not_verify_its_user_is_one_factor_and_asks_for_another(shop) -> None:
    mine = device(verifies_user=False)
    await ann_with(shop, mine)
    half = await sign_in(shop, mine)
    assert isinstance(half, SecondFactorNeeded)
    assert [option.kind for option in half.options] == ["password"]
    with pytest.raises(WayNotOffered):
        await shop.passkey_signin.step_options(half.progress, HERE)
    step = await shop.second_step.give_second_factor(half.progress, PasswordAnswer(PASSWORD), HERE)
    assert step.auth.level is Level.MULTI


@pytest.mark.proves("SIG-1", "KER-270", "SIG-23")
async def test_where_there_is_no_other_factor_such_a_passkey_opens_a_session_of_one(shop) -> None:
    mine = device(verifies_user=False)
    account = await shop.open_account(ANN, password=None)
    await add(shop, account.session, mine)
    step = await sign_in(shop, mine)
    assert isinstance(step, SignedIn)
    assert step.auth.level is Level.SINGLE


BENT_USES = {
    "another page": Bends(origin="https://evil.example"),
    "another question": Bends(type="webauthn.create"),
    "another challenge": Bends(challenge=b"another challenge of 32 bytes..."),
    "another domain": Bends(rp_id="evil.example"),
    "nobody there": Bends(user_present=False),
    "a frame": Bends(cross_origin=True, top_origin="https://evil.example"),
    "a frame of nobody": Bends(cross_origin=True),
    "another key's name": Bends(credential=b"nobody's"),
    "another's key": Bends(user_handle=b"somebody else"),
    "nobody's key": Bends(user_handle=b""),
    "may be copied now": Bends(eligible=True),
    "a copy of what can't be copied": Bends(backed_up=True),
}


@pytest.mark.proves("SIG-2", "SIG-23", "ADA-205")
@pytest.mark.parametrize("bent", BENT_USES)
async def test_a_bent_use_signs_nobody_in_and_tells_strangers_nothing(shop, builder, bent) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    with pytest.raises(SignInRefused) as refused:
        await sign_in(shop, mine, BENT_USES[bent])
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    (kept,) = (await own(builder, account)).passkeys
    assert (kept.counter, kept.last_used_at) == (0, None)
    assert not told(builder, "signin.signed_in")[1:]
    assert told(builder, "signin.refused")


@pytest.mark.proves("SIG-23")
async def test_another_devices_signature_signs_nobody_in(shop) -> None:
    mine, foreign = device(), device("other")
    await ann_with(shop, mine)
    bert = await shop.open_account(BERT)
    await add(shop, bert.session, foreign)
    with pytest.raises(SignInRefused):
        await sign_in(shop, mine, Bends(signed_by=foreign.held[0]))


@pytest.mark.proves("SIG-3", "KER-266")
async def test_a_passkey_that_was_disabled_opens_nothing_and_is_asked_for_nowhere(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    session = (await sign_in(shop, mine)).session

    def disabled(kept):
        return attrs.evolve(kept, passkeys=tuple(attrs.evolve(one, is_disabled=True) for one in kept.passkeys))

    await builder.edit(AUTHENTICATORS, account.id, disabled)
    with pytest.raises(SignInRefused):
        await sign_in(shop, mine)
    with pytest.raises(WayNotOffered):
        await shop.passkey_signin.confirmation_options(session, HERE)
    (listed,) = await shop.passkeys.passkeys(session, HERE)
    assert listed.is_disabled
    assert (await shop.passkeys.signal_payload(session, HERE)).all_accepted_credential_ids == ()


@pytest.mark.proves("SIG-20")
async def test_an_answer_signs_in_once_in_time_and_in_the_browser_that_was_asked(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    asked = await shop.passkey_signin.passkey_options(HERE)
    answer = mine.get(asked.options)

    async def refused(context=HERE, handle=asked.handle):
        with pytest.raises(PasskeyRefused) as why:
            await shop.passkey_signin.sign_in_with_passkey(handle, answer, context)
        return why.value.reason

    assert await refused(ELSEWHERE) == "over"
    text = asked.handle.reveal()
    assert await refused(handle=Secret(text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1])) == "over"
    confirming = await shop.passkey_signin.confirmation_options(account.session, HERE)
    assert await refused(handle=confirming.handle) == "over"
    adding = await shop.passkeys.start_adding((await sign_in(shop, mine)).session, HERE)
    assert await refused(handle=adding.handle) == "over"
    assert isinstance(await shop.passkey_signin.sign_in_with_passkey(asked.handle, answer, HERE), SignedIn)
    assert await refused() == "over"
    late = await shop.passkey_signin.passkey_options(HERE)
    late_answer = mine.get(late.options)
    builder.clock.advance(5 * MINUTE)
    with pytest.raises(PasskeyRefused):
        await shop.passkey_signin.sign_in_with_passkey(late.handle, late_answer, HERE)


@pytest.mark.proves("SIG-24", "SIG-80")
async def test_a_counter_that_stands_still_is_told_to_shop_and_owner_and_never_goes_back(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    await sign_in(shop, mine, Bends(counter=9))
    step = await sign_in(shop, mine, Bends(counter=3))
    assert isinstance(step, SignedIn)
    (kept,) = (await own(builder, account)).passkeys
    assert kept.counter == 9
    (event,) = told(builder, "signin.passkey_maybe_cloned")
    assert kept.id in event.data
    assert builder.mailbag.last.message.template == "signin.passkey_maybe_cloned"
    await shop.objections.not_me_sign_in(builder.mailbag.last.ticket("not_me_link"), HERE)
    assert not await is_live(shop, step.session)


@pytest.mark.proves("SIG-24")
async def test_a_counter_that_stands_still_is_refused_where_the_shop_wants_that(host) -> None:
    builder = shop_with(host, counter="refuse")
    shop = builder.build()
    mine = device()
    await ann_with(shop, mine)
    await sign_in(shop, mine, Bends(counter=9))
    with pytest.raises(SignInRefused):
        await sign_in(shop, mine, Bends(counter=9))
    assert isinstance(await sign_in(shop, mine, Bends(counter=10)), SignedIn)


@pytest.mark.proves("SIG-24")
async def test_a_synced_passkey_keeps_no_counter_and_is_never_suspected(shop, builder) -> None:
    mine = device(syncs=True)
    account = await ann_with(shop, mine)
    for _ in range(3):
        assert isinstance(await sign_in(shop, mine), SignedIn)
    assert not told(builder, "signin.passkey_maybe_cloned")
    (listed,) = await shop.passkeys.passkeys(account.session, HERE)
    assert listed.is_backed_up


@pytest.mark.proves("SIG-2")
@pytest.mark.parametrize("situation", ["suspended", "closed"])
async def test_what_a_passkey_opens_depends_on_the_account(shop, builder, situation) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    steps = {"suspended": (Trigger.SUSPEND,), "closed": (Trigger.REQUEST_CLOSING, Trigger.CLOSE)}
    for trigger in steps[situation]:
        await builder.step(account.id, trigger)
    if situation == "suspended":
        assert isinstance(await sign_in(shop, mine), AccountSuspended)
    else:
        with pytest.raises(SignInRefused):
            await sign_in(shop, mine)


@pytest.mark.proves("KER-260", "KER-262", "KER-263")
async def test_failures_with_a_passkey_are_counted_for_it_alone_and_a_sign_in_forgets_them(shop, builder) -> None:
    mine, second = device(), device("other")
    await ann_with(shop, mine)
    await add(shop, (await sign_in(shop, mine)).session, second)

    async def fail(times):
        for _ in range(times):
            builder.clock.advance(timedelta(seconds=3))
            with pytest.raises(SignInRefused):
                await sign_in(shop, mine, ABSENT)

    await fail(19)
    assert isinstance(await sign_in(shop, mine), SignedIn)
    await fail(20)
    with pytest.raises(Throttled) as held:
        await sign_in(shop, mine)
    assert held.value.retry_after == timedelta(seconds=30)
    assert isinstance(await sign_in(shop, second), SignedIn)


@pytest.mark.proves("KER-260", "KER-267")
async def test_a_network_begins_only_so_often(host) -> None:
    builder = shop_with(host, requests=Window(limit=2, per=MINUTE))
    shop = builder.build()
    await shop.passkey_signin.passkey_options(HERE)
    await shop.passkey_signin.passkey_options(HERE, ANN)
    with pytest.raises(Throttled):
        await shop.passkey_signin.passkey_options(HERE)
    await shop.passkey_signin.passkey_options(ELSEWHERE)


# Saying who one is first


@pytest.mark.proves("SIG-25")
async def test_unless_the_shop_wants_names_first_no_keys_are_named(shop) -> None:
    await ann_with(shop, device())
    for identifier in (None, ANN, "nobody@lamp.example"):
        asked = json.loads((await shop.passkey_signin.passkey_options(HERE, identifier)).options)
        assert asked["allowCredentials"] == []


@pytest.mark.proves("SIG-25", "SIG-20", "SIG-23")
async def test_with_names_first_the_keys_of_that_account_are_named_and_no_others_count(host) -> None:
    builder = shop_with(host, identifier_first=True)
    shop = builder.build()
    mine, foreign = device(), device("other")
    account = await ann_with(shop, mine)
    bert = await shop.open_account(BERT)
    await add(shop, bert.session, foreign)
    asked = await shop.passkey_signin.passkey_options(HERE, ANN)
    assert len(json.loads(asked.options)["allowCredentials"]) == 1
    with pytest.raises(SignInRefused):
        await shop.passkey_signin.sign_in_with_passkey(
            asked.handle, foreign.get(asked.options, held=foreign.held[0]), HERE
        )
    silent = mine.get(asked.options, Bends(user_handle=b""))
    step = await shop.passkey_signin.sign_in_with_passkey(asked.handle, silent, HERE)
    assert step.account == account.id


@pytest.mark.proves("SIG-25")
@pytest.mark.parametrize("address", ["nobody@lamp.example", BERT])
async def test_with_names_first_who_has_no_passkey_is_named_the_same_made_up_key_each_time(host, address) -> None:
    builder = shop_with(host, identifier_first=True)
    shop = builder.build()
    await shop.open_account(BERT)
    await ann_with(shop, mine := device())

    async def named(identifier):
        asked = await shop.passkey_signin.passkey_options(HERE, identifier)
        return json.loads(asked.options)["allowCredentials"], asked

    first, asked = await named(address)
    again, _ = await named(address.upper())
    real, _ = await named(ANN)
    assert first == again
    assert len(first) == len(real) == 1
    assert first[0].keys() == real[0].keys()
    assert first[0]["transports"] == real[0]["transports"]
    assert first[0]["id"] != real[0]["id"]
    with pytest.raises(SignInRefused):
        await shop.passkey_signin.sign_in_with_passkey(asked.handle, mine.get(asked.options, held=mine.held[0]), HERE)


# A second step, and a fresh proof


@pytest.mark.proves("SIG-1", "KER-270", "SIG-20")
async def test_a_passkey_is_a_second_step_after_a_password(shop, builder) -> None:
    mine = device(verifies_user=False)
    account = await ann_with(shop, mine)
    half = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(half, SecondFactorNeeded)
    asked = await shop.passkey_signin.step_options(half.progress, HERE)
    assert len(json.loads(asked.options)["allowCredentials"]) == 1
    answer = mine.get(asked.options)
    with pytest.raises(CodeWrong):
        await shop.second_step.give_second_factor(
            half.progress, PasskeyAnswer(asked.handle, mine.get(asked.options, Bends(user_present=False))), HERE
        )
    step = await shop.second_step.give_second_factor(half.progress, PasskeyAnswer(asked.handle, answer), HERE)
    assert (step.account, step.auth.level) == (account.id, Level.MULTI)
    (kept,) = (await own(builder, account)).passkeys
    assert kept.last_used_at == builder.clock.now()
    with pytest.raises(ProgressEnded):
        await shop.passkey_signin.step_options(half.progress, HERE)


@pytest.mark.proves("SIG-20", "SIG-61", "SIG-63")
async def test_an_answer_for_one_step_is_none_for_another(shop) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    half = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    other = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    asked = await shop.passkey_signin.step_options(half.progress, HERE)
    answer = PasskeyAnswer(asked.handle, mine.get(asked.options))
    with pytest.raises(CodeWrong):
        await shop.second_step.give_second_factor(other.progress, answer, HERE)
    with pytest.raises(CodeWrong):
        await shop.signin.confirm_identity(account.session, answer, HERE)
    signing_in = await shop.passkey_signin.passkey_options(HERE)
    with pytest.raises(CodeWrong):
        await shop.signin.confirm_identity(
            account.session, PasskeyAnswer(signing_in.handle, mine.get(signing_in.options)), HERE
        )


@pytest.mark.proves("SIG-20")
async def test_an_answer_to_the_question_for_a_new_passkey_proves_nothing(shop) -> None:
    mine = device()
    await ann_with(shop, mine)
    session = (await sign_in(shop, mine)).session
    adding = await shop.passkeys.start_adding(session, HERE)
    confirming = await shop.passkey_signin.confirmation_options(session, HERE)
    bends = Bends(challenge=as_bytes(json.loads(adding.options)["challenge"]))
    answer = mine.get(confirming.options, bends)
    with pytest.raises(CodeWrong):
        await shop.signin.confirm_identity(session, PasskeyAnswer(adding.handle, answer), HERE)


@pytest.mark.proves("SIG-61", "SIG-62", "SIG-23")
async def test_a_passkey_proves_again_who_one_is_with_its_user_verified(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    builder.clock.advance(timedelta(minutes=20))
    session = (await sign_in(shop, mine)).session
    builder.clock.advance(timedelta(minutes=20))
    with pytest.raises(FreshSignInNeeded):
        await shop.passkeys.start_adding(session, HERE)
    asked = await shop.passkey_signin.confirmation_options(session, HERE)
    assert json.loads(asked.options)["userVerification"] == "required"
    for bends in (Bends(user_verified=False), Bends(origin="https://evil.example")):
        wrong = PasskeyAnswer(asked.handle, mine.get(asked.options, bends))
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, wrong, HERE)
    renewed = await shop.signin.confirm_identity(session, PasskeyAnswer(asked.handle, mine.get(asked.options)), HERE)
    await shop.passkeys.start_adding(renewed.session, HERE)
    (kept,) = (await own(builder, account)).passkeys
    assert kept.last_used_at == builder.clock.now()


@pytest.mark.proves("SIG-61")
async def test_a_passkey_of_another_account_proves_nothing_here_and_is_counted(shop) -> None:
    mine, foreign = device(), device("other")
    account = await ann_with(shop, mine)
    bert = await shop.open_account(BERT)
    await add(shop, bert.session, foreign)
    for _ in range(20):
        asked = await shop.passkey_signin.confirmation_options(account.session, HERE)
        answer = PasskeyAnswer(asked.handle, foreign.get(asked.options, held=foreign.held[0]))
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(account.session, answer, HERE)
    with pytest.raises(Throttled):
        await shop.signin.confirm_identity(account.session, answer, HERE)


@pytest.mark.proves("SIG-61")
async def test_what_cannot_be_read_proves_nothing(shop) -> None:
    account = await ann_with(shop, device())
    asked = await shop.passkey_signin.confirmation_options(account.session, HERE)
    for junk in ("", "{}", "x" * 70_000, None, b"{}"):
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(account.session, PasskeyAnswer(asked.handle, junk), HERE)


async def test_who_has_no_passkey_is_asked_for_none(shop) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(WayNotOffered):
        await shop.passkey_signin.confirmation_options(account.session, HERE)


# What strangers learn


@pytest.mark.proves("KER-250", "KER-254", "SIG-25")
@pytest.mark.parametrize("names_first", [True, False], ids=["names first", "no names"])
async def test_nobody_learns_from_being_asked_who_has_an_account_or_a_passkey(host, names_first) -> None:
    async def ask(situation, recorder):
        builder = shop_with(host, identifier_first=names_first)
        plain = builder.build()
        if situation == "with a passkey":
            await ann_with(plain, device(id_bytes=20))
        else:
            await plain.arrange(situation, ANN)
        builder.clock.set(BEGINNING + timedelta(days=3))
        shop = builder.build(recorder)
        recorder.trace.clear()
        asked = await shop.passkey_signin.passkey_options(HERE, ANN)
        options = json.loads(asked.options)
        hidden = [one.keys() for one in options.pop("allowCredentials")]
        assert options.pop("challenge")
        return repr(asked), repr(hidden), options

    situations = {name: name for name in (*SITUATIONS, "with a passkey")}
    await assert_indistinguishable(ask, situations)
