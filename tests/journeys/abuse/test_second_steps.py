"""Somebody who has the password, or a stolen session, tries to get around the second step, or to be heard of less."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.errors import FreshSignInNeeded
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS, FactorProtectsShortPassword, PasswordUnacceptable
from shopaccounts.signin import (
    AUTHENTICATORS,
    AttemptPolicy,
    CodeSignInPolicy,
    CodeWay,
    CodeWrong,
    EnrolmentNeeded,
    FactorKind,
    PasskeyAnswer,
    PasskeyPolicy,
    PasskeyRefused,
    Resumed,
    SecondFactorMode,
    SecondFactorNeeded,
    SecondFactorPolicy,
    SentCodeAnswer,
    SignedIn,
    SignInRefused,
    SignInRequired,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.authenticator import SoftwareAuthenticator
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import ScriptedEntropy

SHORT = "kupferdachs"
ANN, EVES = "ann@lamp.example", "eve@evil.example"
HERE = request_from(agent="a browser", browser=Secret("the browser at home, quite long"))
EVE = request_from("203.0.113.66", agent="eve", browser=Secret("the browser of eve, quite long"))
PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
MINUTE, MOMENT = timedelta(minutes=1), timedelta(seconds=1)


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


def with_policies(host, **policies):
    return ShopBuilder(host=host, policies=quick_policies(**policies))


def device(seed):
    return SoftwareAuthenticator(entropy=ScriptedEntropy(seed))


async def with_app(shop, builder):
    account = await shop.open_account(ANN)
    return account, await enrol_app(shop.factors, account.session, HERE, builder.clock)


async def halfway(shop, context):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, context)
    assert isinstance(step, SecondFactorNeeded), step
    return step


async def with_passkey(shop, session, context, key):
    asked = await shop.passkeys.start_adding(session, context)
    added = await shop.passkeys.add_passkey(session, asked.handle, key.create(asked.options), "", context)
    return added.next_value.session


async def with_passkey_shown(shop, session, context, key):
    asked = await shop.passkey_signin.confirmation_options(session, context)
    shown = PasskeyAnswer(asked.handle, key.get(asked.options))
    return (await shop.signin.confirm_identity(session, shown, context)).session


@pytest.mark.proves("SIG-12")
@pytest.mark.parametrize("guesses", [0, 4])
async def test_giving_up_keeps_nobody_from_hearing_that_the_password_is_known(shop, builder, guesses) -> None:
    await with_app(shop, builder)
    before = len(builder.mailbag.to(ANN))
    step = await halfway(shop, EVE)
    for _ in range(guesses):
        with pytest.raises(CodeWrong):
            await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), EVE)
    await shop.second_step.cancel_sign_in(step.progress, EVE)
    await shop.second_step.cancel_sign_in(step.progress, EVE)
    await shop.upkeep.tick()
    assert len(told(builder, "signin.second_factor_missed")) == 1
    assert [letter.template for letter in builder.mailbag.to(ANN)[before:]] == ["signin.second_factor_missed"]


@pytest.mark.proves("SIG-47")
async def test_a_question_from_an_earlier_code_is_not_answered_under_a_newer_one(host) -> None:
    """Eve read the first code over Ann's shoulder and waits until Ann has typed the second one."""
    builder = with_policies(host, passkeys=PASSKEYS)
    shop = builder.build()
    account = await shop.open_account(ANN)
    first = await shop.another_device.start_device_binding(account.session, HERE)
    eves = await shop.another_device.start_adding(ANN, first.code.reveal(), EVE)
    second = await shop.another_device.start_device_binding(account.session, HERE)
    anns = await shop.another_device.start_adding(ANN, second.code.reveal(), HERE)
    with pytest.raises(PasskeyRefused):
        await shop.another_device.add_passkey(eves.handle, device("eve").create(eves.options), "", EVE)
    await shop.another_device.add_passkey(anns.handle, device("ann").create(anns.options), "", HERE)


@pytest.mark.proves("SIG-83", "SIG-84")
async def test_objecting_to_the_last_of_a_thiefs_changes_undoes_the_first_as_well(host) -> None:
    """Eve, who has the password, adds an address, a passkey and an app. Ann acts on the letter that came last."""
    builder = with_policies(host, passkeys=PASSKEYS)
    shop, key = builder.build(), device("eve")
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(days=3))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, EVE)
    assert isinstance(step, SignedIn)
    builder.clock.advance(MOMENT)
    added = await shop.contacts.add_contact(step.session, EVES, EVE)
    code = builder.mailbag.to(EVES)[-1].code
    await shop.contacts.prove_added_contact(step.session, added.addition, code, EVE)
    builder.clock.advance(MOMENT)
    session = await with_passkey(shop, step.session, EVE, key)
    session = await with_passkey_shown(shop, session, EVE, key)
    builder.clock.advance(MOMENT)
    await enrol_app(shop.factors, session, EVE, builder.clock)
    notice = next(one for one in reversed(builder.mailbag.to(ANN)) if one.template == "signin.factor_enrolled")
    before = len(builder.mailbag.letters)
    await shop.objections.not_me_change(notice.ticket("not_me_link"), HERE)
    own = await builder.kept(AUTHENTICATORS, account.id)
    assert (own.factors, own.passkeys, own.recovery_codes) == ((), (), None)
    resets = [one.to for one in builder.mailbag.letters[before:] if one.template == "recovery.choose_new_password"]
    assert resets == [ANN]
    asked = await shop.passkey_signin.passkey_options(EVE)
    with pytest.raises(SignInRefused):
        await shop.passkey_signin.sign_in_with_passkey(asked.handle, key.get(asked.options), EVE)


@pytest.mark.proves("KER-272", "KER-266")
async def test_who_fails_until_a_step_is_disabled_is_asked_for_no_less(host) -> None:
    """Eve sits at Ann's trusted computer and has the password, but no phone."""
    wait = Wait(free=5, base=MOMENT, cap=MOMENT, forget_after=None, disable_after=8)
    builder = with_policies(host, attempts=AttemptPolicy(password=wait, factor=wait))
    shop = builder.build()
    account, app = await with_app(shop, builder)
    step = await halfway(shop, HERE)
    answer = TotpCode(app.app.next_code())
    done = await shop.second_step.give_second_factor(step.progress, answer, HERE, trust_device=True)
    trusted = next(cookie.value for cookie in done.set_cookies if cookie.name == "__Host-device")
    there = attrs.evolve(HERE, device=trusted)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, there)).session
    for _ in range(8):
        builder.clock.advance(2 * MOMENT)
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, TotpCode("000000"), there)
    assert (await builder.kept(AUTHENTICATORS, account.id)).factors[0].is_disabled
    session = (await shop.signin.confirm_identity(session, PASSWORD, there)).session
    with pytest.raises(FreshSignInNeeded) as needed:
        await shop.contacts.add_contact(session, EVES, there)
    assert (needed.value.level, needed.value.methods) == (Level.MULTI, ("recovery_code",))


@pytest.mark.proves("SIG-9", "SIG-72")
async def test_a_session_for_enrolling_is_kept_alive_by_nothing(host) -> None:
    builder = with_policies(host, second_factor=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED))
    shop = builder.build()
    account = await shop.open_account(ANN, None)
    sent = await shop.step_codes.send_confirmation_code(account.session, HERE)
    proof = SentCodeAnswer(sent.handle, builder.mailbag.last.code)
    session = (await shop.signin.confirm_identity(account.session, proof, HERE)).session
    assert isinstance(await shop.sessions.resume(session, HERE), Resumed)
    builder.clock.advance(30 * MINUTE)
    assert not isinstance(await shop.sessions.resume(session, HERE), Resumed)


@pytest.mark.proves("SIG-54", "SIG-80", "SIG-4")
async def test_nobody_gets_a_browser_known_unheard_since_a_second_step_is_yet_to_be_enrolled(host) -> None:
    """Eve has the password, in a shop that has just begun to ask everybody for a second step."""
    builder = with_policies(host)
    await builder.build().open_account(ANN)
    builder.policies = quick_policies(second_factor=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED))
    shop, before = builder.build(), len(builder.mailbag.letters)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, EVE)
    assert isinstance(step, EnrolmentNeeded)
    (notice,) = builder.mailbag.letters[before:]
    assert (notice.template, notice.to) == ("signin.new_device", ANN)
    await shop.objections.not_me_sign_in(notice.ticket("not_me_link"), HERE)
    with pytest.raises(SignInRequired):
        await shop.factors.start_totp(step.session, "", EVE)


@pytest.mark.proves("KER-266", "KER-263")
async def test_codes_of_the_mailbox_wear_out_no_app(host) -> None:
    """Eve names Ann's app where a code of the mailbox is answered, so as to have it disabled sooner."""
    wait = Wait(free=5, base=MOMENT, cap=MOMENT, forget_after=None, disable_after=6)
    builder = with_policies(host, attempts=AttemptPolicy(password=wait, factor=wait, code=wait))
    shop = builder.build()
    account = await shop.open_account(ANN)
    sent = await shop.factors.add_email_step(account.session, HERE)
    added = await shop.factors.confirm_sent_factor(account.session, sent.handle, builder.mailbag.last.code, HERE)
    app = await enrol_app(shop.factors, added.next_value.session, HERE, builder.clock)
    for _ in range(2):
        builder.clock.advance(timedelta(hours=1))
        step = await halfway(shop, EVE)
        sent = await shop.step_codes.send_step_code(step.progress, added.factor, EVE)
        for _ in range(4):
            builder.clock.advance(2 * MINUTE)
            with pytest.raises(WayNotOffered):
                await shop.second_step.give_second_factor(
                    step.progress, SentCodeAnswer(sent.handle, "000000", app.id), EVE
                )
    own = await builder.kept(AUTHENTICATORS, account.id)
    assert not any(factor.is_disabled for factor in own.factors)


@pytest.mark.proves("SIG-51")
async def test_no_device_is_trusted_beyond_a_change_of_second_steps(host) -> None:
    """The shop lets sessions go on when a second step changes; Eve's browser is asked again all the same."""
    builder = with_policies(host, second_factor=SecondFactorPolicy(end_other_sessions=False))
    shop = builder.build()
    _, app = await with_app(shop, builder)
    step = await halfway(shop, EVE)
    answer = TotpCode(app.app.next_code())
    done = await shop.second_step.give_second_factor(step.progress, answer, EVE, trust_device=True)
    trusted = next(cookie.value for cookie in done.set_cookies if cookie.name == "__Host-device")
    there = attrs.evolve(EVE, device=trusted)
    waived = await shop.signin.sign_in_with_password(ANN, PASSWORD, there)
    assert isinstance(waived, SignedIn)
    another = await enrol_app(shop.factors, done.session, HERE, builder.clock, "another")
    assert isinstance(await shop.sessions.resume(waived.session, there), Resumed)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, there), SecondFactorNeeded)
    await shop.factors.remove_factor(another.session, app.id, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, there), SecondFactorNeeded)


@pytest.mark.proves("KER-263", "SIG-12")
@pytest.mark.parametrize("named", [None, "nobodys"])
async def test_nobody_locks_the_mailbox_by_codes_that_name_no_second_step(host, named) -> None:
    """Eve has the password, and guesses at nothing so often that Ann would have to wait for her own code."""
    builder = with_policies(
        host, sends=without_gaps(), code_sign_in=CodeSignInPolicy(ways=frozenset({CodeWay.EMAIL_CODE}))
    )
    shop = builder.build()
    account = await shop.open_account(ANN)
    sent = await shop.factors.add_email_step(account.session, HERE)
    added = await shop.factors.confirm_sent_factor(account.session, sent.handle, builder.mailbag.last.code, HERE)
    session, step = added.next_value.session, await halfway(shop, EVE)
    guess = SentCodeAnswer(
        Secret("v1.stc.aaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "0", named
    )
    for _ in range(8):
        with pytest.raises(WayNotOffered):
            await shop.second_step.give_second_factor(step.progress, guess, EVE)
    sent = await shop.step_codes.send_confirmation_code(session, HERE)
    proof = SentCodeAnswer(sent.handle, builder.mailbag.last.code)
    await shop.signin.confirm_identity(session, proof, HERE)


@pytest.mark.proves("PAS-23")
async def test_no_short_password_opens_an_account_whose_passkey_is_never_asked_for(host) -> None:
    """The shop has passkeys to sign in with, and apps as second steps; Eve guesses at short passwords."""
    kinds = frozenset({FactorKind.TOTP, FactorKind.RECOVERY_CODES})
    builder = with_policies(host, passkeys=PASSKEYS, second_factor=SecondFactorPolicy(kinds=kinds))
    shop = builder.build()
    account = await shop.open_account(ANN)
    key = device("ann")
    session = await with_passkey(shop, account.session, HERE, key)
    with pytest.raises(PasswordUnacceptable):
        await shop.passwords.change_password(session, PASSWORD, SHORT, HERE)
    await shop.recovery.request_reset(ANN, HERE)
    token = builder.mailbag.last.token
    assert (await shop.recovery.peek_reset(token, HERE)).guide.minimum == 15
    with pytest.raises(PasswordUnacceptable):
        await shop.recovery.reset_password(token, SHORT, HERE)
    session = await with_passkey_shown(shop, session, HERE, key)
    app = await enrol_app(shop.factors, session, HERE, builder.clock)
    changed = await shop.passwords.change_password(app.session, PASSWORD, SHORT, HERE)
    proof = TotpCode(app.app.next_code())
    session = (await shop.signin.confirm_identity(changed.next_value.session, proof, HERE)).session
    with pytest.raises(FactorProtectsShortPassword):
        await shop.factors.remove_factor(session, app.id, HERE)


@pytest.mark.proves("SIG-32", "SIG-53")
async def test_nobody_takes_the_password_away_who_has_it_alone(shop, builder) -> None:
    """Eve has the password and Ann's session, in which Ann gave her code in the morning."""
    account, app = await with_app(shop, builder)
    session = (await shop.signin.confirm_identity(app.session, TotpCode(app.app.next_code()), HERE)).session
    builder.clock.advance(15 * MINUTE)
    session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    with pytest.raises(FreshSignInNeeded):
        await shop.passwords.remove_password(session, HERE)
    assert await builder.kept(PASSWORDS, account.id) is not None
    session = (await shop.signin.confirm_identity(session, TotpCode(app.app.next_code()), HERE)).session
    await shop.passwords.remove_password(session, HERE)
    assert await builder.kept(PASSWORDS, account.id) is None


@pytest.mark.proves("SIG-32", "SIG-53")
async def test_nobody_sets_a_password_who_reads_the_mailbox_alone(shop, builder) -> None:
    """Eve reads Ann's mail and has her session; Ann has no password, and an app."""
    account, app = await with_app(shop, builder)
    session = (await shop.signin.confirm_identity(app.session, TotpCode(app.app.next_code()), HERE)).session
    session = (await shop.passwords.remove_password(session, HERE)).next_value.session
    builder.clock.advance(15 * MINUTE)
    sent = await shop.step_codes.send_confirmation_code(session, HERE)
    proof = SentCodeAnswer(sent.handle, builder.mailbag.last.code)
    session = (await shop.signin.confirm_identity(session, proof, HERE)).session
    with pytest.raises(FreshSignInNeeded):
        await shop.passwords.set_first_password(session, PASSWORD, HERE)
    session = (await shop.signin.confirm_identity(session, TotpCode(app.app.next_code()), HERE)).session
    await shop.passwords.set_first_password(session, PASSWORD, HERE)
    assert await builder.kept(PASSWORDS, account.id) is not None
