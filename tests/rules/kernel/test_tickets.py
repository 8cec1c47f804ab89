import hashlib
import importlib
import pkgutil
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shopaccounts
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.errors import InvalidInput, Kind, Rejected, StaleWrite
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import (
    CLOCK_SKEW,
    TICKETS,
    LinkExpired,
    LinkInvalid,
    LinkStale,
    LinkUsed,
    Purpose,
    Refusals,
    Use,
    fits,
    forge,
    is_replaced,
    mint,
    peek,
    read_selector,
    selector_in,
    spend,
)
from shopaccounts.recovery.deciding import RESET
from shopaccounts.registration.verifying import HANDLE, VERIFY
from shopaccounts.signin.model import SESSION
from shopaccounts.testing.doubles import ScriptedEntropy

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REALM = RealmId("main")
REFUSED = (LinkInvalid, LinkExpired, LinkUsed, LinkStale)
instants = st.timedeltas(-timedelta(days=2), timedelta(days=2)).map(lambda step: NOW + step)


def every_use() -> list[Use]:
    """Everything that a secret text of the library can be for."""
    for module in pkgutil.walk_packages(shopaccounts.__path__, "shopaccounts."):
        if not re.search(r"\.(adapters|testing|locale)\b", module.name):
            importlib.import_module(module.name)
    modules = [module for name, module in sys.modules.items() if name.startswith("shopaccounts.")]
    found = [use for module in modules for value in vars(module).values() for use in uses_in(value)]
    # what one context makes and another consumes is a use here and a purpose there
    by_name = {use.name: use for use in sorted(found, key=lambda use: isinstance(use, Purpose))}
    assert {(use.name, use.code, use.depends_on) for use in found} == {
        (use.name, use.code, use.depends_on) for use in by_name.values()
    }
    return sorted(by_name.values(), key=lambda use: use.name)


def uses_in(value: object) -> list[Use]:
    """What a module's name holds: a use, or a thing that holds some, such as the two of a code and its link."""
    if isinstance(value, Use):
        return [value]
    kind: Any = type(value)
    held = [getattr(value, field.name) for field in attrs.fields(kind)] if attrs.has(kind) else []
    return [use for use in held if isinstance(use, Use)]


def invented(purpose: Use, **differently: object) -> Purpose:
    """A purpose like another one, with other ways to say no."""
    refusals = Refusals(LinkInvalid, LinkExpired, LinkUsed, LinkStale)
    as_it_is: dict[str, Any] = {
        "name": purpose.name,
        "code": purpose.code,
        "depends_on": purpose.depends_on,
        "refusals": refusals,
    }
    return Purpose(**as_it_is | differently)


USES = every_use()
PURPOSES = [use for use in USES if isinstance(use, Purpose)]
DICE = ScriptedEntropy("tickets")
hide: Any = Secret
NO_SECRET_TEXT = [None, "sa1.rst.a.b", b"sa1", 5, hide(None), hide(5), hide(b"sa1"), [hide("a")]]


def issued(purpose=RESET, *, life=HOUR, stamps=Stamps(), now=NOW, subject="account-1", bound="contact-1", realm=REALM):  # noqa: B008  (frozen)
    return mint(
        purpose, realm=realm, subject=subject, bound=bound, stamps=stamps, life=life, now=now, entropy=DICE
    )  # fmt: skip


class TestText:
    @pytest.mark.proves("KER-230")
    def test_a_ticket_is_a_selector_of_128_bits_and_a_verifier_of_256(self):
        ticket, text = issued()
        assert re.fullmatch(r"sa1\.rst\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", text.reveal())
        assert ticket.selector == ticket.id == text.reveal().split(".")[2]

    @pytest.mark.proves("KER-230", "KER-174")
    def test_what_is_kept_is_a_digest_over_purpose_realm_selector_and_verifier(self):
        ticket, text = issued()
        _, _, selector, verifier = text.reveal().split(".")
        by_hand = b"shopaccounts/ticket/1\0password_reset\0main\0" + selector.encode() + verifier.encode()
        assert ticket.digest == hashlib.sha256(by_hand).digest()

    @pytest.mark.proves("KER-174")
    def test_nothing_that_is_kept_holds_the_verifier(self):
        ticket, text = issued()
        verifier = text.reveal().split(".")[3]
        assert verifier not in repr(attrs.asdict(ticket))
        assert repr(ticket.digest) not in repr(ticket)

    @pytest.mark.proves("KER-230")
    def test_each_purpose_has_a_name_and_a_code_of_its_own(self):
        assert {use.name for use in USES} == {
            "add_contact",
            "cancel_recovery",
            "case_code",
            "challenge",
            "change_contact_new",
            "change_contact_old",
            "check_contact",
            "close_account",
            "confirm_cancellation",
            "device",
            "freeze_account",
            "invitation",
            "link_proposal",
            "not_me_change",
            "not_me_sign_in",
            "passkey_ceremony",
            "password_reset",
            "provider_email",
            "provider_exchange",
            "provider_state",
            "recover_mailbox",
            "recovery_holder",
            "reset_code",
            "session",
            "sign_in_code",
            "sign_in_link",
            "sign_in_progress",
            "step_code",
            "undo_contact_change",
            "verify_contact",
        }
        assert len({use.code for use in USES}) == len(USES)
        assert all(re.fullmatch("[a-z]{3}", use.code) for use in USES)


class TestPurposes:
    @pytest.mark.proves("KER-230")
    @pytest.mark.parametrize("consumer", USES, ids=lambda use: use.name)
    @pytest.mark.parametrize("made_for", USES, ids=lambda use: use.name)
    def test_a_text_satisfies_its_own_purpose_and_no_other_whatever_row_it_is_held_against(self, made_for, consumer):
        forged = forge(made_for, REALM, DICE)
        relabelled = Secret(forged.text.reveal().replace(f".{made_for.code}.", f".{consumer.code}.", 1))
        assert fits(forged.text, consumer, REALM, forged.selector, forged.digest) is (made_for is consumer)
        assert fits(relabelled, consumer, REALM, forged.selector, forged.digest) is (made_for is consumer)
        assert (selector_in(forged.text, consumer) is not None) is (made_for is consumer)

    @pytest.mark.proves("KER-230", "KER-231")
    @pytest.mark.parametrize("consumer", PURPOSES, ids=lambda use: use.name)
    @pytest.mark.parametrize("made_for", PURPOSES, ids=lambda use: use.name)
    def test_a_ticket_is_spent_by_its_own_consumer_and_invalid_to_every_other(self, made_for, consumer):
        ticket, text = issued(made_for)
        relabelled = Secret(text.reveal().replace(f".{made_for.code}.", f".{consumer.code}.", 1))
        if made_for is consumer:
            assert spend(ticket, text, consumer, Stamps(), NOW)[1].purpose == consumer.name
            return
        for tried in (text, relabelled):
            with pytest.raises(consumer.refusals.invalid):
                spend(ticket, tried, consumer, Stamps(), NOW)

    @pytest.mark.proves("KER-174")
    def test_no_two_purposes_realms_or_tickets_share_a_digest(self):
        forged = [forge(use, RealmId(realm), ScriptedEntropy("same dice")) for use in USES for realm in ("a", "b")]
        assert len({made.digest for made in forged}) == len(forged)

    @pytest.mark.proves("KER-232")
    def test_the_subject_is_the_tickets_own(self):
        ticket, text = issued(subject="account-7")
        _, spent = spend(ticket, text, RESET, Stamps(), NOW)
        assert (spent.subject, spent.bound, spent.at) == ("account-7", "contact-1", NOW)


class TestRefusals:
    @pytest.mark.proves("KER-231")
    def test_unknown_wrong_foreign_and_malformed_are_one_refusal(self):
        ticket, text = issued()
        other, other_text = issued()
        start, selector, verifier = text.reveal().rsplit(".", 2)
        wrong = [
            (None, text),
            (ticket, other_text),
            (other, text),
            (ticket, Secret(f"{start}.{selector}.{other_text.reveal()[-43:]}")),
            (attrs.evolve(ticket, realm=RealmId("elsewhere")), text),
            (attrs.evolve(ticket, purpose=VERIFY.name), Secret(text.reveal().replace("rst", "vfy"))),
            (ticket, Secret("")),
            (ticket, Secret(text.reveal() + "A")),
            (ticket, Secret(f" {text.reveal()}")),
            (ticket, Secret(text.reveal() + "\n")),
            (ticket, Secret(text.reveal().upper())),
            (ticket, Secret(f"{start}.{selector}.{verifier[:-1]}é")),
        ]
        told = set()
        for row, tried in wrong:
            with pytest.raises(LinkInvalid) as refusal:
                peek(row, tried, RESET, Stamps(), NOW)
            told.add((type(refusal.value), str(refusal.value), refusal.value.args))
        assert told == {(RESET.refusals.invalid, "recovery.link_invalid", ())}

    @pytest.mark.proves("KER-231")
    def test_only_the_right_verifier_learns_why_a_ticket_is_of_no_use(self):
        ticket, text = issued()
        spent, _ = spend(ticket, text, RESET, Stamps(), NOW)
        _, strangers = issued()
        moved = Stamps(password=1)
        for row, stamps, now, why in [
            (spent, Stamps(), NOW, RESET.refusals.used),
            (ticket, Stamps(), NOW + HOUR, RESET.refusals.expired),
            (ticket, moved, NOW, RESET.refusals.stale),
        ]:
            with pytest.raises(why) as refusal:
                peek(row, text, RESET, stamps, now)
            assert refusal.value.kind is Kind.GONE
            assert refusal.value.args[0] == "password_reset"
            with pytest.raises(RESET.refusals.invalid):
                peek(row, strangers, RESET, stamps, now)

    @pytest.mark.proves("KER-231")
    def test_a_refusal_says_since_when(self):
        ticket, text = issued()
        spent, _ = spend(ticket, text, RESET, Stamps(), NOW)
        with pytest.raises(LinkUsed) as used:
            peek(spent, text, RESET, Stamps(), NOW + 3 * HOUR)
        with pytest.raises(LinkExpired) as expired:
            peek(ticket, text, RESET, Stamps(), NOW + 3 * HOUR)
        assert (used.value.at, expired.value.at) == (NOW, NOW + HOUR)

    @pytest.mark.proves("KER-231")
    def test_each_context_says_no_in_its_own_words_with_the_same_facts(self):
        for purpose in PURPOSES:
            refusals = attrs.astuple(purpose.refusals, recurse=False)
            assert [issubclass(mine, common) for mine, common in zip(refusals, REFUSED, strict=True)] == [True] * 4
            assert [mine.kind for mine in refusals] == [Kind.NOT_FOUND, Kind.GONE, Kind.GONE, Kind.GONE]
            assert {mine.code.split(".")[0] for mine in refusals} == {refusals[0].__module__.split(".")[1]}

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("given", NO_SECRET_TEXT, ids=range(8))
    def test_what_is_no_secret_text_is_refused_before_it_is_looked_at(self, given):
        for look in (selector_in, read_selector):
            with pytest.raises(InvalidInput):
                look(given, RESET)

    @pytest.mark.proves("KER-201")
    def test_a_text_longer_than_any_ticket_is_refused(self):
        with pytest.raises(InvalidInput) as refusal:
            read_selector(Secret("sa1.rst." + "A" * 121), RESET)
        assert (refusal.value.field, refusal.value.reason) == ("token", "too_long")
        with pytest.raises(LinkInvalid):
            read_selector(Secret("sa1.rst." + "A" * 120), RESET)

    def test_a_cookie_of_somebody_elses_is_no_session_value_however_long(self):
        assert selector_in(Secret("x" * 4000), SESSION) is None


class TestLife:
    @pytest.mark.proves("KER-234")
    @given(instants)
    def test_looking_changes_nothing_and_tells_what_spending_would_do(self, now):
        ticket, text = issued()
        before = attrs.asdict(ticket)

        def outcome(attempt):
            try:
                attempt(ticket, text, RESET, Stamps(), now)
            except REFUSED as refusal:
                return type(refusal)
            return None

        looks = {outcome(peek) for _ in range(3)}
        assert looks == {outcome(spend)}
        assert attrs.asdict(ticket) == before

    @pytest.mark.proves("KER-230")
    @given(instants)
    def test_a_ticket_lives_from_when_it_was_issued_until_just_before_its_end(self, now):
        ticket, text = issued()
        expected: type[Rejected] | None = None
        if now >= NOW + HOUR:
            expected = RESET.refusals.expired
        elif now < NOW - CLOCK_SKEW:
            expected = RESET.refusals.invalid
        if expected is None:
            assert peek(ticket, text, RESET, Stamps(), now) is ticket
        else:
            with pytest.raises(expected):
                peek(ticket, text, RESET, Stamps(), now)

    @pytest.mark.proves("KER-191")
    def test_a_host_whose_clock_runs_two_minutes_ahead_may_have_issued_it_and_no_more(self):
        ticket, text = issued()
        microsecond = timedelta(microseconds=1)
        assert peek(ticket, text, RESET, Stamps(), NOW - timedelta(minutes=2))
        assert peek(ticket, text, RESET, Stamps(), NOW + HOUR - microsecond)
        with pytest.raises(LinkInvalid):
            peek(ticket, text, RESET, Stamps(), NOW - timedelta(minutes=2) - microsecond)

    @pytest.mark.proves("KER-192", "KER-236")
    @given(instants, instants)
    def test_a_spent_ticket_stays_spent_whatever_the_clock_does(self, then, now):
        ticket, text = issued(life=timedelta(days=5), now=NOW - timedelta(days=2))
        spent, _ = spend(ticket, text, RESET, Stamps(), then)
        for attempt in (peek, spend):
            with pytest.raises(RESET.refusals.used):
                attempt(spent, text, RESET, Stamps(), max(now, NOW - timedelta(days=2)))

    @pytest.mark.proves("KER-222")
    @pytest.mark.parametrize("purpose", PURPOSES, ids=lambda use: use.name)
    @given(moved=st.frozensets(st.sampled_from(Stamp)))
    def test_it_is_stale_exactly_when_a_stamp_it_depends_on_has_moved(self, purpose, moved):
        ticket, text = issued(purpose, stamps=Stamps(account=3, factors=1))
        now = Stamps(account=3, factors=1).bump(*moved)
        if moved & purpose.depends_on:
            with pytest.raises(purpose.refusals.stale):
                peek(ticket, text, purpose, now, NOW)
        else:
            assert peek(ticket, text, purpose, now, NOW) is ticket

    @pytest.mark.proves("KER-222")
    def test_what_each_purpose_depends_on(self):
        everything_but_providers = frozenset(Stamp) - {Stamp.PROVIDERS}
        assert {use.name: use.depends_on for use in USES} == {
            "session": everything_but_providers,
            "sign_in_progress": everything_but_providers,
            "passkey_ceremony": frozenset(),  # its session, progress or account decides
            **dict.fromkeys(
                ("password_reset", "reset_code", "sign_in_code", "sign_in_link"),
                frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS}),
            ),
            **dict.fromkeys(("step_code", "case_code"), everything_but_providers),
            "verify_contact": {Stamp.ACCOUNT},
            "challenge": frozenset(),  # opens nothing by itself: it only finds its attempt
            "invitation": frozenset(),  # nobody's account yet
            "device": frozenset(),  # recognises, and opens nothing
            "provider_email": frozenset(),  # nobody's account yet
            **dict.fromkeys(
                ("provider_state", "provider_exchange", "link_proposal"), frozenset({Stamp.ACCOUNT, Stamp.PROVIDERS})
            ),
            **dict.fromkeys(("add_contact", "change_contact_new", "change_contact_old"), everything_but_providers),
            **dict.fromkeys(("close_account", "recover_mailbox", "recovery_holder"), everything_but_providers),
            # nothing that a thief changes takes these from the owner
            **dict.fromkeys(("not_me_sign_in", "not_me_change", "freeze_account"), frozenset()),
            **dict.fromkeys(("undo_contact_change", "cancel_recovery", "check_contact"), frozenset()),
            "confirm_cancellation": frozenset(),  # the statement decides, whoever holds the account meanwhile
        }


class TestStored:
    """What the store's promises make of tickets."""

    def record(self, store, *, now=NOW, **facts):
        ticket, text = issued(now=now, **facts)
        store.record(Change(writes=(TICKETS.add(ticket),)))
        return text

    def is_replaced(self, store, text):
        found = store.find(TICKETS, read_selector(text, RESET), bring=(TICKETS.newest("issued", via="issued"),))
        return is_replaced(found.it, found[TICKETS])

    def use(self, store, text, now=NOW):
        found = store.find(TICKETS, read_selector(text, RESET))
        ticket = found.it if found else None
        spent, proof = spend(ticket, text, RESET, Stamps(), now)
        assert ticket is not None
        store.record(Change(writes=(TICKETS.change(ticket, spent),)))
        return proof

    @pytest.mark.proves("KER-236")
    def test_of_many_who_spend_one_ticket_at_once_one_wins_and_the_others_hear_that_it_was_used(self):
        store = MemoryStorage().open(Scope.single())
        text = self.record(store)

        def attempt(_):
            for _round in range(20):
                try:
                    return self.use(store, text)
                except StaleWrite:
                    continue
                except LinkUsed:
                    return "used"
            return None

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(attempt, range(16)))
        assert answers.count("used") == 15

    @pytest.mark.proves("KER-236")
    def test_it_is_used_after_a_restart_too_and_invalid_once_it_was_purged(self):
        storage = MemoryStorage()
        text = self.record(storage.open(Scope.single()))
        self.use(storage.open(Scope.single()), text)
        again = MemoryStorage()
        again.open(Scope.single())
        again.restore(storage.snapshot())
        store = again.open(Scope.single())
        with pytest.raises(LinkUsed):
            self.use(store, text, NOW + 2 * HOUR)
        assert store.purge(TICKETS, NOW + HOUR, 10) == 0
        assert store.purge(TICKETS, NOW + HOUR + timedelta(microseconds=1), 10) == 1
        with pytest.raises(LinkInvalid):
            self.use(store, text, NOW + 2 * HOUR)

    @pytest.mark.proves("KER-235")
    def test_issuing_another_ticket_of_a_purpose_ends_the_one_before(self):
        store = MemoryStorage().open(Scope.single())
        first, elses = self.record(store), self.record(store, subject="account-2")
        second = self.record(store, now=NOW + timedelta(minutes=1))
        assert self.is_replaced(store, first)
        assert not self.is_replaced(store, second)
        assert not self.is_replaced(store, elses)

    @pytest.mark.proves("KER-235")
    def test_of_two_issued_at_one_moment_exactly_one_is_live(self):
        store = MemoryStorage().open(Scope.single())
        texts = [self.record(store), self.record(store)]
        assert sorted(self.is_replaced(store, text) for text in texts) == [False, True]

    @pytest.mark.proves("KER-134", "KER-235")
    def test_a_spent_ticket_stays_used_when_another_is_issued(self):
        store = MemoryStorage().open(Scope.single())
        first = self.record(store)
        self.use(store, first)
        self.record(store, now=NOW + timedelta(minutes=1))
        with pytest.raises(LinkUsed):
            self.use(store, first)

    @pytest.mark.proves("KER-235")
    def test_a_sweep_leaves_spent_tickets_so_that_used_stays_tellable(self):
        store = MemoryStorage().open(Scope.single())
        text = self.record(store)
        self.use(store, text)
        self.record(store)
        with pytest.raises(LinkUsed):
            self.use(store, text)


def test_an_invented_purpose_of_the_same_name_is_told_apart_by_its_code_alone() -> None:
    ticket, text = issued()
    assert spend(ticket, text, invented(RESET), Stamps(), NOW)
    with pytest.raises(LinkInvalid):
        spend(ticket, text, invented(RESET, code="xyz"), Stamps(), NOW)
    with pytest.raises(LinkInvalid):
        spend(ticket, text, invented(RESET, name="other"), Stamps(), NOW)


def test_handles_and_links_are_purposes_of_their_own() -> None:
    assert HANDLE != VERIFY
