"""What a command is remembered by."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import InvalidInput, KeyReused
from shopaccounts.kernel.receipts import body_hash, receipt, request_key
from shopaccounts.kernel.record import Change, Recorded, Replayed
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.testing.toys import BOXES, box

pytestmark = pytest.mark.proves("KER-137")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BEN = Actor(ActorKind.CUSTOMER, "ann"), Actor(ActorKind.CUSTOMER, "ben")
AGENT = Actor(ActorKind.AGENT, "ann")

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(st.text("abcd", max_size=3), plain, max_size=4)


def kept(key="k", body=None, actor=ANN, now=NOW, command="toys.open", result=b"opened"):
    return receipt(command, key, {"box": 1} if body is None else body, result, actor=actor, now=now)


class TestWhatWasAsked:
    def test_it_is_the_sha_256_of_the_canonical_text(self):
        text = '["toys.open",{"box":"Hut \u00e9","open":true}]'
        assert body_hash("toys.open", {"open": True, "box": "Hut é"}) == hashlib.sha256(text.encode()).hexdigest()

    @given(bodies)
    def test_the_order_in_which_it_was_written_down_does_not_matter(self, body):
        assert body_hash("toys.open", dict(reversed(body.items()))) == body_hash("toys.open", body)

    @given(bodies, bodies)
    def test_another_content_has_another_digest(self, one, other):
        assert (body_hash("c", one) == body_hash("c", other)) == (repr_of(one) == repr_of(other))

    def test_another_command_has_another_digest(self):
        assert body_hash("toys.open", {}) != body_hash("toys.close", {})

    def test_a_secret_is_no_part_of_it(self):
        with pytest.raises(TypeError):
            body_hash("toys.open", {"password": Secret("swordfish")})


def repr_of(body):
    """Tell values apart that Python holds for equal, such as 1 and True."""
    if isinstance(body, dict):
        return sorted((key, repr_of(value)) for key, value in body.items()).__repr__()
    return repr([repr_of(item) for item in body]) if isinstance(body, list) else repr(body)


class TestRequestKeys:
    @given(st.text([chr(n) for n in range(32, 127)], min_size=1, max_size=128))
    def test_printable_ascii_of_1_to_128_characters_is_one(self, key):
        assert request_key(key) == key

    @pytest.mark.parametrize(
        ("value", "reason"),
        [("", "missing"), ("k" * 129, "too_long"), ("kéy", "characters"), ("k\0", "characters"), ("k\n", "characters"),
         ("\u200b", "characters"), ("k\ud800", "characters"), (None, "type"), (7, "type"), (b"k", "type")],
    )  # fmt: skip
    def test_nothing_else_is(self, value, reason):
        with pytest.raises(InvalidInput) as caught:
            kept(value)
        assert (caught.value.field, caught.value.reason) == ("request_key", reason)


class TestReceipts:
    def test_the_answer_of_a_command_is_kept_for_48_hours(self):
        assert kept().keep_until == NOW + timedelta(hours=48)
        assert kept().result == b"opened"

    def test_neither_time_nor_answer_nor_actor_change_what_was_asked(self):
        assert {kept().body_hash, kept(now=NOW + timedelta(hours=1)).body_hash, kept(actor=BEN).body_hash} == {
            body_hash("toys.open", {"box": 1})
        }
        assert kept(now=NOW + timedelta(hours=1), result=b"other").key == kept().key

    def test_a_key_counts_for_one_caller_and_one_command(self):
        for_ann, for_ben = (Actor(ActorKind.AGENT, "x", name) for name in ("ann", "ben"))
        askers = (ANN, BEN, AGENT, Actor(ActorKind.SYSTEM), for_ann, for_ben, Actor(ActorKind.AGENT, "x"))
        assert len({kept(actor=actor).key for actor in askers}) == len(askers)
        assert (
            kept("b c", actor=Actor(ActorKind.CUSTOMER, "a")).key
            != kept("c", actor=Actor(ActorKind.CUSTOMER, "a b")).key
        )
        assert kept(command="toys.close").namespace != kept().namespace

    async def test_asking_again_answers_the_same_and_another_wish_under_the_key_is_refused(self, storage, scope):
        store = storage.open(scope)
        first = Change(writes=(BOXES.add(box(scope)),), receipt=kept())
        assert isinstance(await got(store.record(first)), Recorded)
        again = Change(writes=first.writes, receipt=kept(now=NOW + timedelta(hours=2), result=b"not this"))
        assert await got(store.record(again)) == Replayed(b"opened")
        with pytest.raises(KeyReused) as caught:
            await got(store.record(Change(receipt=kept(body={"box": 2}))))
        assert caught.value.namespace == "toys.open"
        assert isinstance(await got(store.record(Change(receipt=kept(body={"box": 2}, actor=BEN)))), Recorded)
