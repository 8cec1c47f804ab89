"""Getting in by what the shop sends: a code, or a link in the browser that asked for it."""

import json
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import Trigger
from shopaccounts.kernel.assurance import Level, Method, ProofKind, WayIn
from shopaccounts.kernel.codes import CodeShape
from shopaccounts.kernel.contact import EmailInvalid
from shopaccounts.kernel.errors import BadPolicy, InsecureTransport, InvalidInput, Throttled, TryLater, Unavailable
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.passwords import PASSWORDS
from shopaccounts.passwords.model import MustChange
from shopaccounts.recovery import ResetLinkStale
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import (
    SENT_CODES,
    AccountClosing,
    AccountSuspended,
    AttemptPolicy,
    CodeExhausted,
    CodeSignInPolicy,
    CodeWay,
    CodeWrong,
    OpenedElsewhere,
    PasswordChangeNeeded,
    Resumed,
    SameBrowser,
    SignedIn,
    SignInLinkExpired,
    SignInLinkInvalid,
    SignInLinkStale,
    SignInLinkUsed,
    SignInRefused,
    WayNotOffered,
)
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from, without_gaps
from shopaccounts.testing.faults import Fault, Faulty

ANN, HERE = "ann@lamp.example", request_from(agent="Mozilla/5.0 (X11; Linux) Firefox/133.0")
THERE = request_from("198.51.100.9", agent="Mozilla/5.0 (iPhone) Safari/605")
MINUTE = timedelta(minutes=1)
OWN = "a lantern on a rainy evening"


def with_codes(builder, **policy):
    """Answer the shop with another policy of codes."""
    builder.policies = quick_policies(code_sign_in=CodeSignInPolicy(**policy))
    return builder.build()


def same(context, sent):
    """A later request of the browser that asked."""
    return attrs.evolve(context, binding=sent.set_cookies[0].value)


async def asked(shop, context=HERE):
    sent = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, context)
    return sent, shop.builder.mailbag.last


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books.get(book.name, {}).values())


def told(builder, name):
    return [event for event in rows(builder, EVENTS) if event.name == name]


@pytest.mark.proves("SIG-15", "SIG-1", "KER-240")
async def test_a_code_signs_in_where_it_was_asked_for(shop, builder) -> None:
    account = await shop.open_account(ANN)
    sent, letter = await asked(shop)
    assert (sent.channel, sent.masked, sent.expires_at) == (
        Channel.EMAIL,
        "a***@lamp.example",
        builder.clock.now() + 10 * MINUTE,
    )
    assert (letter.template, letter.to, letter.deliver) == ("signin.sign_in_code", ANN, True)
    assert letter.code.isdigit()
    assert len(letter.code) == 6
    step = await shop.code_signin.sign_in_with_code(sent.handle, f" {letter.code[:3]}-{letter.code[3:]}", HERE)
    assert isinstance(step, SignedIn)
    (proof,) = step.auth.proofs
    assert (step.account, step.auth.level, proof.method, proof.kind) == (
        account.id,
        Level.SINGLE,
        Method.EMAIL_CODE,
        ProofKind.MAILBOX,
    )
    assert isinstance(await shop.sessions.resume(step.session, HERE), Resumed)
    (asking,) = told(builder, "signin.code_sent")
    data = {"asked_for": account.id, "channel": "email", "purpose": "sign_in_code"}
    assert (asking.subject, json.loads(asking.data)) == ("", data)


@pytest.mark.proves("SIG-15", "KER-206")
async def test_it_goes_to_the_stored_value_and_no_other(shop, builder) -> None:
    await shop.open_account(ANN)
    await shop.code_signin.request_sign_in_code("Ann@LAMP.example", Channel.EMAIL, HERE)
    assert builder.mailbag.last.to == ANN


@pytest.mark.proves("SIG-16", "SIG-1", "KER-234")
async def test_a_link_signs_in_in_the_browser_that_asked(shop, builder) -> None:
    await shop.open_account(ANN)
    sent = await shop.code_signin.request_sign_in_link(ANN, HERE)
    letter = builder.mailbag.last
    link, before = letter.token, builder.storage.snapshot()
    offer = await shop.code_signin.peek_sign_in_link(link, same(HERE, sent))
    assert builder.storage.snapshot() == before
    assert (offer.same_browser, offer.masked, offer.device) == (True, "a***@lamp.example", "Firefox, Linux")
    assert (offer.asked_at, offer.expires_at) == (builder.clock.now(), builder.clock.now() + 10 * MINUTE)
    assert (offer.referrer_policy, offer.cache_control) == ("no-referrer", "no-store")
    step = await shop.code_signin.sign_in_with_link(link, same(HERE, sent), remember=True)
    assert isinstance(step, SignedIn)
    assert [(proof.method, proof.kind) for proof in step.auth.proofs] == [(Method.EMAIL_LINK, ProofKind.MAILBOX)]
    assert step.set_cookies[0].max_age is not None
    with pytest.raises(SignInLinkUsed):
        await shop.code_signin.sign_in_with_link(link, same(HERE, sent))
    with pytest.raises(SignInLinkUsed):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)


@pytest.mark.proves("SIG-16")
async def test_opened_elsewhere_it_signs_in_nobody_and_shows_the_code_to_type(shop, builder) -> None:
    account = await shop.open_account(ANN)
    sent, letter = await asked(shop)
    for context in (THERE, HERE, attrs.evolve(HERE, binding=Secret("x" * 43))):
        answer = await shop.code_signin.sign_in_with_link(letter.token, context, confirmed=True)
        assert isinstance(answer, OpenedElsewhere)
        assert (answer.may_confirm, answer.device, answer.asked_at) == (False, "Firefox, Linux", builder.clock.now())
    assert [one.subject for one in told(builder, "signin.link_opened_elsewhere")] == [account.id] * 3
    assert answer.code is not None
    assert answer.code.reveal() == letter.code
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), SignedIn)


@pytest.mark.proves("SIG-16")
async def test_where_the_shop_wants_it_so_the_link_works_elsewhere_once_that_is_confirmed(builder) -> None:
    shop = with_codes(builder, same_browser=SameBrowser.CONFIRM)
    await shop.open_account(ANN)
    _, letter = await asked(shop)
    answer = await shop.code_signin.sign_in_with_link(letter.token, THERE)
    assert isinstance(answer, OpenedElsewhere)
    assert (answer.may_confirm, answer.device) == (True, "Firefox, Linux")
    assert isinstance(await shop.code_signin.sign_in_with_link(letter.token, THERE, confirmed=True), SignedIn)


@pytest.mark.proves("KER-244", "KER-241")
async def test_the_fifth_wrong_code_is_the_last(shop) -> None:
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    left = []
    for guess in ("nonsense", "", "\uff11\uff12\uff13\uff14\uff15\uff16", "9" * 60, "00000"):
        with pytest.raises(CodeWrong) as wrong:
            await shop.code_signin.sign_in_with_code(sent.handle, guess, HERE)
        left.append(wrong.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    shop.builder.clock.advance(MINUTE)
    with pytest.raises(CodeExhausted):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    with pytest.raises(CodeExhausted):
        await shop.code_signin.resend_code(sent.handle, HERE)


@pytest.mark.proves("KER-241", "KER-230")
async def test_a_code_counts_only_with_its_own_handle(shop, builder) -> None:
    await shop.open_account(ANN)
    first, one = await asked(shop)
    builder.clock.advance(2 * MINUTE)
    second, two = await asked(shop)
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(first.handle, two.code, HERE)
    with pytest.raises(SignInLinkInvalid):
        await shop.code_signin.sign_in_with_code(Secret("sa1.sic.nothing"), one.code, HERE)
    assert isinstance(await shop.code_signin.sign_in_with_code(second.handle, two.code, HERE), SignedIn)


@pytest.mark.proves("KER-235")
async def test_asking_again_in_the_same_browser_replaces_what_was_asked_for(shop, builder) -> None:
    await shop.open_account(ANN)
    first, one = await asked(shop)
    builder.clock.advance(2 * MINUTE)
    again = same(HERE, first)
    second, two = await asked(shop, again)
    for old in (
        shop.code_signin.sign_in_with_code(first.handle, one.code, again),
        shop.code_signin.resend_code(first.handle, again),
        shop.code_signin.sign_in_with_link(one.token, again),
    ):
        with pytest.raises(SignInLinkStale):
            await old
    assert isinstance(await shop.code_signin.sign_in_with_code(second.handle, two.code, again), SignedIn)


@pytest.mark.proves("KER-265")
async def test_a_stranger_who_asks_takes_nothing_from_what_the_owner_asked_for(shop, builder) -> None:
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    builder.clock.advance(2 * MINUTE)
    await asked(shop, THERE)
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), SignedIn)


@pytest.mark.proves("KER-245")
async def test_another_code_kills_the_earlier_one_and_keeps_the_tries_and_the_end(shop, builder) -> None:
    await shop.open_account(ANN)
    sent, first = await asked(shop)
    for _ in range(3):
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
    with pytest.raises(Throttled):
        await shop.code_signin.resend_code(sent.handle, HERE)
    builder.clock.advance(25 * MINUTE)
    again = await shop.code_signin.resend_code(sent.handle, HERE)
    second = builder.mailbag.last
    assert (again.handle, again.masked) == (sent.handle, sent.masked)
    assert again.expires_at == builder.clock.now() + 5 * MINUTE, "thirty minutes are all"
    with pytest.raises(SignInLinkInvalid):
        await shop.code_signin.sign_in_with_link(first.token, same(HERE, sent))
    with pytest.raises(CodeWrong) as wrong:
        await shop.code_signin.sign_in_with_code(sent.handle, first.code, HERE)
    assert wrong.value.tries_left == 1
    offer = await shop.code_signin.peek_sign_in_link(second.token, HERE)
    assert offer.expires_at == builder.clock.now() + 5 * MINUTE
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, second.code, HERE), SignedIn)


@pytest.mark.proves("KER-245", "SIG-15")
async def test_a_code_lives_for_ten_minutes_and_its_handle_for_thirty(shop, builder) -> None:
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    builder.clock.advance(10 * MINUTE)
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    with pytest.raises(SignInLinkExpired):
        await shop.code_signin.sign_in_with_link(letter.token, same(HERE, sent))
    builder.clock.advance(20 * MINUTE)
    with pytest.raises(SignInLinkExpired):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)


@pytest.mark.proves("KER-263", "KER-262")
async def test_starting_over_buys_no_more_guesses(builder) -> None:
    builder.policies = quick_policies(sends=without_gaps())
    shop = builder.build()
    await shop.open_account(ANN)
    for guess in range(5):
        if guess % 2 == 0:
            builder.clock.advance(2 * MINUTE)
            sent, letter = await asked(shop, request_from(f"203.0.113.{guess + 1}"))
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
    with pytest.raises(Throttled) as held:
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert held.value.retry_after == timedelta(seconds=30)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn), "other ways stay open"
    builder.clock.advance(MINUTE / 2)
    step = await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert isinstance(step, SignedIn)
    assert "signin.after_failures" in [letter.template for letter in builder.mailbag.letters]


@pytest.mark.proves("KER-262")
async def test_only_a_sign_in_clears_the_counter_of_codes(shop, builder) -> None:
    await shop.open_account(ANN)
    for _ in range(2):
        builder.clock.advance(5 * MINUTE)
        sent, letter = await asked(shop)
        for _ in range(4):
            with pytest.raises(CodeWrong):
                await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
        assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), SignedIn)


@pytest.mark.proves("KER-267")
async def test_whoever_cannot_be_counted_is_not_let_in(builder) -> None:
    await builder.build().open_account(ANN)
    sent, letter = await asked(builder.build())
    broken = builder.build(Faulty({("read", 1): Fault(Unavailable("counters"))}))
    with pytest.raises(TryLater):
        await broken.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)


@pytest.mark.proves("REG-13", "SIG-17", "REG-31", "REG-30", "KER-251")
async def test_who_never_proved_the_address_gets_its_verification_instead(builder) -> None:
    """Eve registered Ann's address. Ann, who asks for a code, takes the address over, and nothing of Eve's is left."""
    builder.policies = quick_policies(sends=without_gaps())
    shop = builder.build()
    await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), THERE)
    builder.clock.advance(2 * MINUTE)
    sent, letter = await asked(shop)
    assert (letter.template, letter.to, letter.deliver) == ("registration.verify_contact", ANN, True)
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    builder.clock.advance(2 * MINUTE)
    await shop.code_signin.resend_code(sent.handle, HERE)
    link = builder.mailbag.last
    assert link.template == "registration.verify_contact"
    with pytest.raises(SignInLinkInvalid):
        await shop.code_signin.sign_in_with_link(link.token, same(HERE, sent))
    await shop.registration.take_over_contact(link.token, OWN, HERE)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, THERE)
    builder.clock.advance(2 * MINUTE)
    sent, letter = await asked(shop)
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), SignedIn)


@pytest.mark.proves("SIG-2", "SIG-3", "KER-253")
async def test_only_the_proof_tells_how_the_account_stands(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.SUSPEND)
    sent, letter = await asked(shop)
    step = await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert isinstance(step, AccountSuspended)
    assert step.reason == "abuse"
    await builder.step(account.id, Trigger.REINSTATE)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    builder.clock.advance(2 * MINUTE)
    sent, letter = await asked(shop)
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), AccountClosing)


@pytest.mark.proves("KER-222", "SIG-76")
@pytest.mark.parametrize("stamp", [Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS])
async def test_what_moved_at_the_account_ends_code_and_link_and_only_their_reader_hears_of_it(
    shop, builder, stamp
) -> None:
    account = await shop.open_account(ANN)
    sent, letter = await asked(shop)
    await builder.edit(SECURITY, account.id, lambda security: security.bump(stamp))
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
    with pytest.raises(SignInLinkStale):
        await shop.code_signin.sign_in_with_link(letter.token, same(HERE, sent))
    with pytest.raises(SignInLinkStale):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    with pytest.raises(SignInLinkUsed):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)


@pytest.mark.proves("SIG-7")
async def test_a_change_that_comes_first_makes_the_sign_in_lose(shop, builder) -> None:
    account = await shop.open_account(ANN)
    sent, letter = await asked(shop)
    meanwhile = Between(lambda: builder.edit(SECURITY, account.id, lambda security: security.bump(Stamp.PASSWORD)))
    with pytest.raises(SignInLinkStale):
        await builder.build(meanwhile).code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert meanwhile.happened


@pytest.mark.proves("SIG-5", "PAS-16")
async def test_a_password_that_has_to_be_changed_is_changed_by_mail(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(
        PASSWORDS,
        account.id,
        lambda record: attrs.evolve(record, must_change=MustChange.BREACHED, must_change_since=builder.clock.now()),
    )
    sent, letter = await asked(shop)
    builder.clock.advance(2 * MINUTE)
    step = await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert isinstance(step, PasswordChangeNeeded)
    assert (step.via, step.session) == ("mailbox", None)
    assert builder.mailbag.last.template == "recovery.reset_password"


@pytest.mark.proves("KER-235")
async def test_a_sign_in_by_code_ends_open_reset_links(shop, builder) -> None:
    await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, THERE)
    reset = builder.mailbag.last.token
    builder.clock.advance(2 * MINUTE)
    sent, letter = await asked(shop)
    await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.reset_password(reset, OWN, HERE)


@pytest.mark.proves("SIG-50", "SIG-54", "SIG-6")
async def test_the_device_is_known_afterwards_and_a_new_one_is_told(shop, builder) -> None:
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    first = await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert first.new_device
    known = attrs.evolve(HERE, device=first.set_cookies[1].value)
    builder.clock.advance(2 * MINUTE)
    assert builder.mailbag.last.template == "signin.new_device"
    sent, letter = await asked(shop, known)
    second = await shop.code_signin.sign_in_with_code(sent.handle, letter.code, known)
    assert not second.new_device
    assert second.session != first.session


@pytest.mark.proves("SIG-18")
@pytest.mark.parametrize("email", [ANN, "nobody@lamp.example"])
async def test_what_the_shop_does_not_offer_is_refused_to_everybody(builder, email) -> None:
    shop = with_codes(builder, ways=frozenset())
    await shop.open_account(ANN)
    letters = len(builder.mailbag.letters)
    for asking, way in (
        (shop.code_signin.request_sign_in_code(email, Channel.EMAIL, HERE), "email_code"),
        (shop.code_signin.request_sign_in_link(email, HERE), "email_link"),
        (shop.code_signin.request_sign_in_code("+4915123456789", Channel.VOICE, HERE), "voice"),
        (shop.code_signin.request_sign_in_code("+4915123456789", Channel.SMS, HERE), "sms_code"),
    ):
        with pytest.raises(WayNotOffered) as refused:
            await asking
        assert refused.value.way == way
    assert len(builder.mailbag.letters) == letters


@pytest.mark.proves("SIG-18", "SIG-53")
async def test_a_shop_without_links_sends_codes_alone(builder) -> None:
    shop = with_codes(builder, ways=frozenset({CodeWay.EMAIL_CODE}))
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    assert "link" not in letter.secrets
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), SignedIn)


@pytest.mark.proves("KER-212", "KER-201")
async def test_what_cannot_be_right_is_refused_before_anything_is_asked(shop) -> None:
    plain = request_from(secure=False)
    face = shop.code_signin
    handle = Secret("sa1.sic.nothing")
    for asking in (
        face.request_sign_in_code(ANN, Channel.EMAIL, plain),
        face.request_sign_in_link(ANN, plain),
        face.resend_code(handle, plain),
        face.sign_in_with_code(handle, "123456", plain),
        face.peek_sign_in_link(handle, plain),
        face.sign_in_with_link(handle, plain),
    ):
        with pytest.raises(InsecureTransport):
            await asking
    for wrong in (
        face.request_sign_in_code(ANN, "email", HERE),
        face.request_sign_in_code(None, Channel.EMAIL, HERE),
        face.sign_in_with_code(handle, 123456, HERE),
        face.sign_in_with_code(handle, "1" * 65, HERE),
        face.sign_in_with_code("sa1.sic.nothing", "123456", HERE),
    ):
        with pytest.raises(InvalidInput):
            await wrong
    with pytest.raises(EmailInvalid):
        await face.request_sign_in_link("nobody", HERE)


@pytest.mark.proves("KER-240", "KER-245", "SIG-15")
def test_policies_that_are_too_weak_are_refused() -> None:
    for wrong in (
        {"code_life": 11 * MINUTE},
        {"code_life": timedelta(0)},
        {"code_life": timedelta(seconds=90)},
        {"challenge_life": 31 * MINUTE},
        {"challenge_life": 9 * MINUTE},
        {"link_life": 31 * MINUTE},
        {"tries": 0},
        {"tries": 11},
    ):
        with pytest.raises(BadPolicy):
            CodeSignInPolicy(**wrong)
    with pytest.raises(BadPolicy):
        CodeShape(digits=5)


@pytest.mark.proves("SIG-53")
def test_what_is_sent_is_a_way_in_where_the_shop_can_send_it() -> None:
    policy = CodeSignInPolicy()
    assert policy.ways_in({Channel.SMS}) == {WayIn.EMAIL, WayIn.SMS}
    assert policy.ways_in(()) == {WayIn.EMAIL}
    assert CodeSignInPolicy(ways=frozenset({CodeWay.VOICE})).ways_in({Channel.SMS}) == set()
    assert CodeSignInPolicy(ways=frozenset()).ways_in({Channel.SMS}) == set()


@pytest.mark.proves("KER-242", "KER-203")
async def test_no_code_is_kept_in_clear_and_none_at_all_once_it_is_used(shop, builder) -> None:
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    (kept,) = rows(builder, SENT_CODES)
    assert letter.code not in repr(kept)
    assert letter.code.encode() not in kept.code.data
    await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    (kept,) = rows(builder, SENT_CODES)
    assert kept.code is None


@pytest.mark.proves("SIG-16")
async def test_a_month_after_its_end_nothing_is_kept_of_it(shop, builder) -> None:
    await shop.open_account(ANN)
    await asked(shop)
    builder.clock.advance(timedelta(days=29))
    await shop.upkeep.tick()
    assert rows(builder, SENT_CODES)
    builder.clock.advance(timedelta(days=2))
    await shop.upkeep.tick()
    assert not rows(builder, SENT_CODES)


@pytest.mark.proves("KER-251")
async def test_a_handle_that_led_nowhere_leads_nowhere_for_good(shop, builder) -> None:
    sent, _ = await asked(shop)
    builder.clock.advance(2 * MINUTE)
    await shop.open_account(ANN)
    await shop.code_signin.resend_code(sent.handle, HERE)
    letter = builder.mailbag.last
    assert not letter.deliver
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)


@pytest.mark.proves("KER-262")
async def test_a_link_clears_no_counter_of_codes(builder) -> None:
    builder.policies = quick_policies(sends=without_gaps())
    shop = builder.build()
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    for _ in range(4):
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
    assert isinstance(await shop.code_signin.sign_in_with_link(letter.token, same(HERE, sent)), SignedIn)
    sent, letter = await asked(shop)
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
    with pytest.raises(Throttled):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)


@pytest.mark.proves("KER-263")
async def test_wrong_codes_count_for_their_network_and_the_whole_shop(builder) -> None:
    few = attrs.evolve(AttemptPolicy().network, free=2, base=MINUTE)
    builder.policies = quick_policies(sends=without_gaps(), attempts=AttemptPolicy(network=few, attack_at=2))
    shop = builder.build()
    await shop.open_account(ANN)
    sent, letter = await asked(shop)
    for _ in range(2):
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)
    with pytest.raises(Throttled):
        await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert len(told(builder, "signin.attack_suspected")) == 1
    elsewhere = request_from("203.0.113.77")
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, elsewhere), SignedIn)


@pytest.mark.proves("SIG-15", "KER-181")
async def test_a_code_goes_to_nobody_who_has_left_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)

    async def leaves():
        await builder.step(account.id, Trigger.REQUEST_CLOSING)
        await builder.step(account.id, Trigger.CLOSE)

    meanwhile = Between(leaves)
    await asked(builder.build(meanwhile))
    assert meanwhile.happened
    assert not builder.mailbag.last.deliver


@pytest.mark.proves("KER-265", "KER-263")
async def test_while_a_password_waits_its_owner_comes_in_by_a_code(shop) -> None:
    await shop.open_account(ANN)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, OWN, THERE)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    sent, letter = await asked(shop)
    assert isinstance(await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE), SignedIn)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
