"""Seeing, renaming and removing second steps; recovery codes; what has to be shown before anything goes."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactRole
from shopaccounts.kernel.assurance import Level, Method
from shopaccounts.kernel.errors import FreshSignInNeeded, InvalidInput, Throttled
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import (
    PASSWORDS,
    Argon2Profile,
    FactorProtectsShortPassword,
    NoPassword,
    PasswordPolicy,
    PasswordUnacceptable,
)
from shopaccounts.signin import (
    AUTHENTICATORS,
    AttemptPolicy,
    CodeWrong,
    Factor,
    FactorKind,
    FactorUnknown,
    NoSession,
    RecoveryCodeAnswer,
    RecoveryCodePolicy,
    SecondFactorNeeded,
    SecondFactorPolicy,
    SignedIn,
    SignInRequired,
    TotpCode,
    WayNotOffered,
    WhyNoSession,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from

ANN, BEA, HERE = "ann@lamp.example", "bea@lamp.example", request_from(agent="a browser")
QUARTER, MOMENT = timedelta(minutes=15), timedelta(microseconds=1)
SHORT = "wick9 brass"
NEW = "nine lamps in the summer rain"


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


async def why(shop, value):
    answer = await shop.sessions.resume(value, HERE)
    return answer.reason if isinstance(answer, NoSession) else None


async def half_way(shop, password=PASSWORD):
    """Give the password, and answer what goes on from there."""
    step = await shop.signin.sign_in_with_password(ANN, password, HERE)
    assert isinstance(step, SecondFactorNeeded)
    there = attrs.evolve(HERE, binding=step.set_cookies[0].value)

    async def give(answer):
        return await shop.second_step.give_second_factor(step.progress, answer, there)

    return give, step


async def protected(shop, builder, password=PASSWORD):
    """An account with an app; its owner has just shown it."""
    account = await shop.open_account(ANN, password)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock, "Phone")
    return account, enrolled, await shown(shop, enrolled, enrolled.session, password)


async def shown(shop, enrolled, session, password=PASSWORD):
    """Show password and app, and answer the session's next value."""
    session = (await shop.signin.confirm_identity(session, password, HERE)).session
    return (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code(), enrolled.id), HERE)).session


async def is_long_enough(builder, account):
    """Whether the password is long enough to open the account alone."""
    return (await builder.kept(PASSWORDS, account.id)).meets_single_factor_minimum


async def kept(builder, account):
    return await builder.kept(AUTHENTICATORS, account.id)


# Seeing and naming


@pytest.mark.proves("SIG-46")
async def test_the_list_tells_kind_name_and_times_and_no_value(shop, builder) -> None:
    account, enrolled, session = await protected(shop, builder)
    listed = await shop.factors.factors(session, HERE)
    (factor,) = listed.factors
    assert (factor.id, factor.kind, factor.label, factor.hint) == (enrolled.id, FactorKind.TOTP, "Phone", "")
    assert factor.created_at < factor.last_used_at == builder.clock.now()
    assert not factor.is_disabled
    assert listed.recovery_codes.left == 10
    row = await kept(builder, account)
    text = f"{attrs.asdict(listed)}"
    assert not any(repr(code.mac) in text for code in row.recovery_codes.codes)
    assert row.factors[0].totp.sealed.data.hex() not in text


@pytest.mark.proves("SIG-46")
async def test_an_account_without_second_steps_sees_what_it_may_add(shop) -> None:
    account = await shop.open_account(ANN)
    listed = await shop.factors.factors(account.session, HERE)
    assert (listed.factors, listed.recovery_codes) == ((), None)
    assert FactorKind.TOTP in {offer.kind for offer in listed.offers}
    with pytest.raises(SignInRequired):
        await shop.factors.factors(Secret("nobody's"), HERE)


@pytest.mark.proves("SIG-31", "SIG-46")
async def test_an_owner_renames_a_second_step_and_nothing_else_happens(shop, builder) -> None:
    account, enrolled, session = await protected(shop, builder)
    before, letters = await kept(builder, account), len(builder.mailbag.letters)
    await shop.factors.rename_factor(session, enrolled.id, "  Old phone ", HERE)
    after = await kept(builder, account)
    renamed = attrs.evolve(before.factors[0], label="Old phone")
    assert after == attrs.evolve(before, version=before.version + 1, factors=(renamed,))
    assert len(builder.mailbag.letters) == letters
    assert await why(shop, session) is None


@pytest.mark.proves("SIG-32")
async def test_ids_of_nobody_and_of_others_are_unknown_alike(shop, builder) -> None:
    _, _, session = await protected(shop, builder)
    bea = await shop.open_account(BEA)
    theirs = await enrol_app(shop.factors, bea.session, HERE, builder.clock)
    for id in ("nobody's", theirs.id):
        with pytest.raises(FactorUnknown):
            await shop.factors.rename_factor(session, id, "Mine", HERE)
        with pytest.raises(FactorUnknown):
            await shop.factors.remove_factor(session, id, HERE)
    with pytest.raises(InvalidInput):
        await shop.factors.remove_factor(session, "x" * 129, HERE)
    with pytest.raises(CodeWrong):
        await shop.signin.confirm_identity(session, TotpCode(theirs.app.next_code(), theirs.id), HERE)


# Removing


@pytest.mark.proves("SIG-31", "SIG-32", "SIG-53", "SIG-81")
async def test_removing_the_last_one_takes_the_recovery_codes_with_it_in_one_change(shop, builder) -> None:
    account, enrolled, session = await protected(shop, builder)
    give, _ = await half_way(shop)
    other = (await give(TotpCode(enrolled.app.next_code()))).session
    before, stamps = len(builder.mailbag.to(ANN)), (await builder.kept(SECURITY, account.id)).stamps
    answer = await shop.factors.remove_factor(session, enrolled.id, HERE)
    assert answer.recovery_codes_removed
    row = await kept(builder, account)
    assert (row.factors, row.recovery_codes) == ((), None)
    assert (await builder.kept(SECURITY, account.id)).stamps == attrs.evolve(stamps, factors=stamps.factors + 1)
    assert await why(shop, other) is WhyNoSession.REVOKED
    assert await why(shop, session) is WhyNoSession.ENDED
    assert await why(shop, answer.next_value.session) is None
    (notice,) = builder.mailbag.to(ANN)[before:]
    assert notice.template == "signin.factor_removed"
    assert {"not_me_link", "freeze_link"} <= notice.secrets.keys()
    (event,) = told(builder, "signin.factor_removed")
    assert (event.subject, '"kind":"totp"' in event.data) == (account.id, True)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("SIG-31")
async def test_each_is_removed_alone_and_the_recovery_codes_stay_with_the_others(shop, builder) -> None:
    account, first, session = await protected(shop, builder)
    second = await enrol_app(shop.factors, session, HERE, builder.clock, "Tablet")
    session = await shown(shop, first, second.session)
    answer = await shop.factors.remove_factor(session, first.id, HERE)
    assert not answer.recovery_codes_removed
    row = await kept(builder, account)
    assert [factor.id for factor in row.factors] == [second.id]
    assert row.recovery_codes.left == 10
    with pytest.raises(CodeWrong):
        await shop.signin.confirm_identity(answer.next_value.session, TotpCode(first.app.next_code()), HERE)


@pytest.mark.proves("SIG-32", "SIG-60")
async def test_a_session_and_a_password_remove_nothing(shop, builder) -> None:
    account, enrolled, _ = await protected(shop, builder)
    give, _ = await half_way(shop)
    session = (await give(TotpCode(enrolled.app.next_code()))).session
    builder.clock.advance(QUARTER)
    session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    for attempt in (
        lambda: shop.factors.remove_factor(session, enrolled.id, HERE),
        lambda: shop.factors.renew_recovery_codes(session, HERE),
        lambda: shop.factors.start_totp(session, "", HERE),
    ):
        with pytest.raises(FreshSignInNeeded) as needed:
            await attempt()
        assert (needed.value.level, needed.value.max_age) == (Level.MULTI, QUARTER)
    assert len((await kept(builder, account)).factors) == 1
    session = (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session
    builder.clock.advance(QUARTER - MOMENT)
    await shop.factors.remove_factor(session, enrolled.id, HERE)


@pytest.mark.proves("SIG-32", "KER-266")
async def test_a_disabled_one_is_removed_by_who_has_a_recovery_code_and_not_with_the_password(host) -> None:
    waits = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=None, disable_after=6)
    builder = ShopBuilder(host=host, policies=quick_policies(attempts=AttemptPolicy(password=waits, factor=waits)))
    shop = builder.build()
    account, enrolled, session = await protected(shop, builder)
    before = len(builder.mailbag.to(ANN))
    for wait in (0, 0, 0, 0, 0, 30):
        builder.clock.advance(timedelta(seconds=wait))
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, TotpCode("000000"), HERE)
    assert (await kept(builder, account)).factors[0].is_disabled
    assert [letter.template for letter in builder.mailbag.to(ANN)[before:]] == ["signin.factor_disabled"]
    assert len(told(builder, "signin.factor_disabled")) == 1
    builder.clock.advance(timedelta(hours=1))
    give, step = await half_way(shop)
    assert [option.kind for option in step.options] == ["recovery_codes"]
    with pytest.raises(WayNotOffered):
        await give(TotpCode(enrolled.app.next_code(), enrolled.id))
    session = (await give(RecoveryCodeAnswer(enrolled.recovery_codes[0]))).session
    with pytest.raises((CodeWrong, Throttled)):
        await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code(), enrolled.id), HERE)
    builder.clock.advance(QUARTER)
    session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    with pytest.raises(FreshSignInNeeded):
        await shop.factors.remove_factor(session, enrolled.id, HERE)
    session = (
        await shop.signin.confirm_identity(session, RecoveryCodeAnswer(enrolled.recovery_codes[1]), HERE)
    ).session
    listed = await shop.factors.factors(session, HERE)
    assert listed.factors[0].is_disabled
    removed = await shop.factors.remove_factor(session, enrolled.id, HERE)
    anew = await enrol_app(shop.factors, removed.next_value.session, HERE, builder.clock)
    give, _ = await half_way(shop)
    assert isinstance(await give(TotpCode(anew.app.next_code())), SignedIn)


@pytest.mark.proves("PAS-1", "PAS-23")
async def test_the_last_one_protects_a_short_password(host) -> None:
    passwords = PasswordPolicy(hashing=Argon2Profile.tests_only())
    builder = ShopBuilder(host=host, policies=quick_policies(passwords=passwords))
    shop = builder.build()
    account, enrolled, session = await protected(shop, builder)
    changed = await shop.passwords.change_password(session, PASSWORD, SHORT, HERE)
    assert not await is_long_enough(builder, account)
    assert changed.next_value is not None
    session = await shown(shop, enrolled, changed.next_value.session, SHORT)
    with pytest.raises(FactorProtectsShortPassword):
        await shop.factors.remove_factor(session, enrolled.id, HERE)
    with pytest.raises(PasswordUnacceptable):
        await shop.factors.remove_factor(session, enrolled.id, HERE, "wick8 copper")
    assert len((await kept(builder, account)).factors) == 1
    before = len(builder.mailbag.to(ANN))
    answer = await shop.factors.remove_factor(session, enrolled.id, HERE, NEW)
    assert {letter.template for letter in builder.mailbag.to(ANN)[before:]} == {
        "signin.factor_removed",
        "passwords.was_changed",
    }
    assert len(told(builder, "passwords.changed")) == 2
    assert await is_long_enough(builder, account)
    assert await why(shop, answer.next_value.session) is None
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("PAS-23")
async def test_a_new_password_needs_one_that_it_replaces(shop, builder) -> None:
    account = await shop.open_account(ANN, None)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    session = (await shop.signin.confirm_identity(enrolled.session, TotpCode(enrolled.app.next_code()), HERE)).session
    with pytest.raises(NoPassword):
        await shop.factors.remove_factor(session, enrolled.id, HERE, NEW)
    await shop.factors.remove_factor(session, enrolled.id, HERE)


@pytest.mark.proves("SIG-53")
async def test_no_second_step_is_a_way_in_so_none_is_the_last(shop, builder) -> None:
    account, enrolled, session = await protected(shop, builder)
    answer = await shop.factors.remove_factor(session, enrolled.id, HERE)
    assert await why(shop, answer.next_value.session) is None
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert (await kept(builder, account)).id == account.id


@pytest.mark.proves("SIG-32")
async def test_without_a_password_the_mailbox_alone_changes_no_second_step(shop, builder) -> None:
    account = await shop.open_account(ANN, None)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    with pytest.raises(FreshSignInNeeded):
        await shop.factors.remove_factor(enrolled.session, enrolled.id, HERE)
    with pytest.raises(FreshSignInNeeded):
        await shop.factors.renew_recovery_codes(enrolled.session, HERE)
    with pytest.raises(FreshSignInNeeded):
        await shop.factors.start_totp(enrolled.session, "a thief's", HERE)


@pytest.mark.proves("SIG-36")
async def test_of_two_removals_at_once_the_second_finds_nothing(shop, builder) -> None:
    _, enrolled, session = await protected(shop, builder)
    give, _ = await half_way(shop)
    other = (await give(TotpCode(enrolled.app.next_code()))).session

    async def elsewhere():
        await shop.factors.remove_factor(other, enrolled.id, HERE)

    with pytest.raises(SignInRequired):
        await builder.build(Between(elsewhere)).factors.remove_factor(session, enrolled.id, HERE)


# Recovery codes


@pytest.mark.proves("SIG-41", "SIG-42")
async def test_a_recovery_code_signs_in_once_and_its_owner_hears_how_many_are_left(shop, builder) -> None:
    account, enrolled, _ = await protected(shop, builder)
    before = len(builder.mailbag.to(ANN))
    give, _ = await half_way(shop)
    done = await give(RecoveryCodeAnswer(enrolled.recovery_codes[4].lower().replace("-", " ")))
    assert isinstance(done, SignedIn)
    assert (done.auth.level, done.recovery_code) == (Level.MULTI, None)
    assert [proof.method for proof in done.auth.proofs] == [Method.PASSWORD, Method.RECOVERY_CODE]
    row = await kept(builder, account)
    assert [code.spent_at is not None for code in row.recovery_codes.codes] == [place == 4 for place in range(10)]
    (notice,) = (letter for letter in builder.mailbag.to(ANN)[before:] if letter.template.startswith("signin.recovery"))
    assert (notice.template, notice.variables["left"]) == ("signin.recovery_code_used", "9")
    (event,) = told(builder, "signin.recovery_code_used")
    assert '"left":9' in event.data
    give, _ = await half_way(shop)
    with pytest.raises(CodeWrong):
        await give(RecoveryCodeAnswer(enrolled.recovery_codes[4]))


@pytest.mark.proves("SIG-42")
async def test_the_shop_hears_when_they_run_low_and_without_any_the_option_is_gone(shop, builder) -> None:
    _, enrolled, session = await protected(shop, builder)
    lows = []
    for code in enrolled.recovery_codes:
        session = (await shop.signin.confirm_identity(session, RecoveryCodeAnswer(code), HERE)).session
        lows.append(len(told(builder, "signin.recovery_codes_low")))
    assert lows == [0] * 6 + [1] * 4
    assert '"left":3' in told(builder, "signin.recovery_codes_low")[0].data
    assert (await shop.factors.factors(session, HERE)).recovery_codes.left == 0
    _, step = await half_way(shop)
    assert [option.kind for option in step.options] == ["totp"]


@pytest.mark.proves("SIG-42")
async def test_where_the_shop_wants_it_a_fresh_code_comes_for_the_one_that_was_used(host) -> None:
    policies = quick_policies(recovery_codes=RecoveryCodePolicy(replace_used=True))
    builder = ShopBuilder(host=host, policies=policies)
    shop = builder.build()
    account, enrolled, _ = await protected(shop, builder)
    give, _ = await half_way(shop)
    done = await give(RecoveryCodeAnswer(enrolled.recovery_codes[0]))
    fresh = done.recovery_code.reveal()
    assert fresh not in enrolled.recovery_codes
    assert (await kept(builder, account)).recovery_codes.left == 10
    give, _ = await half_way(shop)
    again = await give(RecoveryCodeAnswer(fresh))
    assert again.recovery_code.reveal() not in {fresh, *enrolled.recovery_codes}
    give, _ = await half_way(shop)
    with pytest.raises(CodeWrong):
        await give(RecoveryCodeAnswer(fresh))


@pytest.mark.proves("SIG-41")
async def test_another_accounts_recovery_code_is_wrong(shop, builder) -> None:
    await protected(shop, builder)
    bea = await shop.open_account(BEA)
    theirs = await enrol_app(shop.factors, bea.session, HERE, builder.clock)
    give, _ = await half_way(shop)
    with pytest.raises(CodeWrong):
        await give(RecoveryCodeAnswer(theirs.recovery_codes[0]))


@pytest.mark.proves("SIG-41")
async def test_two_different_codes_at_once_are_both_spent(shop, builder) -> None:
    account, enrolled, _ = await protected(shop, builder)
    one, _ = await half_way(shop)

    async def elsewhere():
        assert isinstance(await one(RecoveryCodeAnswer(enrolled.recovery_codes[0])), SignedIn)

    raced = builder.build(Between(elsewhere))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
    answer = RecoveryCodeAnswer(enrolled.recovery_codes[1])
    assert isinstance(await raced.second_step.give_second_factor(step.progress, answer, there), SignedIn)
    assert (await kept(builder, account)).recovery_codes.left == 8


@pytest.mark.proves("SIG-44", "KER-263")
async def test_guessing_at_recovery_codes_waits_and_right_codes_of_apps_do_not_clear_that(shop, builder) -> None:
    _, enrolled, session = await protected(shop, builder)
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, RecoveryCodeAnswer("0000-" * 5 + "0000"), HERE)
    with pytest.raises(Throttled) as held:
        await shop.signin.confirm_identity(session, RecoveryCodeAnswer(enrolled.recovery_codes[0]), HERE)
    assert held.value.retry_after == timedelta(seconds=60)
    session = (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session
    with pytest.raises(Throttled):
        await shop.signin.confirm_identity(session, RecoveryCodeAnswer(enrolled.recovery_codes[0]), HERE)
    builder.clock.advance(timedelta(seconds=30))
    renewed = await shop.signin.confirm_identity(session, RecoveryCodeAnswer(enrolled.recovery_codes[0]), HERE)
    with pytest.raises(CodeWrong):
        await shop.signin.confirm_identity(renewed.session, RecoveryCodeAnswer("nothing"), HERE)


@pytest.mark.proves("SIG-43", "SIG-60", "SIG-81")
async def test_a_new_set_takes_the_place_of_the_old_one_in_one_change(shop, builder) -> None:
    account, enrolled, session = await protected(shop, builder)
    before = len(builder.mailbag.to(ANN))
    answer = await shop.factors.renew_recovery_codes(session, HERE)
    codes = [code.reveal() for code in answer.recovery_codes]
    assert len(codes) == 10
    assert not set(codes) & set(enrolled.recovery_codes)
    assert [letter.template for letter in builder.mailbag.to(ANN)[before:]] == ["signin.recovery_codes_renewed"]
    assert [event.subject for event in told(builder, "signin.recovery_codes_renewed")] == [account.id]
    assert await why(shop, session) is WhyNoSession.ENDED
    assert await why(shop, answer.next_value.session) is None
    give, _ = await half_way(shop)
    with pytest.raises(CodeWrong):
        await give(RecoveryCodeAnswer(enrolled.recovery_codes[0]))
    assert isinstance(await give(RecoveryCodeAnswer(codes[0])), SignedIn)
    everything = f"{builder.storage.snapshot()!r} {builder.mailbag.letters!r} {answer!r}"
    assert not any(code in everything or code.replace("-", "") in everything for code in codes)


@pytest.mark.proves("SIG-43")
async def test_who_has_no_second_step_has_nothing_to_renew(shop) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(FactorUnknown):
        await shop.factors.renew_recovery_codes(account.session, HERE)


@pytest.mark.proves("SIG-43")
async def test_a_shop_without_recovery_codes_renews_none(host) -> None:
    policy = SecondFactorPolicy(kinds=frozenset({FactorKind.TOTP}))
    builder = ShopBuilder(host=host, policies=quick_policies(second_factor=policy))
    shop = builder.build()
    _, _, session = await protected(shop, builder)
    with pytest.raises(WayNotOffered):
        await shop.factors.renew_recovery_codes(session, HERE)


@pytest.mark.proves("SIG-34")
async def test_a_step_by_mail_alone_brings_no_recovery_codes_and_is_removed_with_a_code_by_mail(shop, builder) -> None:
    account, enrolled, session = await protected(shop, builder)
    contact = next(c.id for c in await contacts_of(builder, account) if ContactRole.LOGIN in c.roles)
    mail = Factor(id="mail", kind=FactorKind.EMAIL_STEP, created_at=builder.clock.now(), contact=contact)
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, factors=(*own.factors, mail)))
    session = await shown(shop, enrolled, session)
    removed = await shop.factors.remove_factor(session, enrolled.id, HERE)
    assert removed.recovery_codes_removed
    with pytest.raises(FactorUnknown):
        await shop.factors.renew_recovery_codes(removed.next_value.session, HERE)


async def contacts_of(builder, account):
    return (await builder.kept(CUSTOMERS, account.id)).contacts


@pytest.mark.proves("SIG-32")
async def test_what_the_shop_gave_up_needs_not_be_shown(host) -> None:
    builder = ShopBuilder(host=host)
    shop = builder.build()
    account, enrolled, session = await protected(shop, builder)
    contact = next(c.id for c in await contacts_of(builder, account) if ContactRole.LOGIN in c.roles)
    mail = Factor(id="mail", kind=FactorKind.EMAIL_STEP, created_at=builder.clock.now(), contact=contact)
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, factors=(*own.factors, mail)))
    removed = await shop.factors.remove_factor(session, enrolled.id, HERE)
    session = (await shop.signin.confirm_identity(removed.next_value.session, PASSWORD, HERE)).session
    builder.clock.advance(QUARTER)
    session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    with pytest.raises(FreshSignInNeeded):
        await shop.factors.remove_factor(session, "mail", HERE)
    builder.policies = quick_policies(second_factor=SecondFactorPolicy(kinds=frozenset({FactorKind.TOTP})))
    await builder.build().factors.remove_factor(session, "mail", HERE)
