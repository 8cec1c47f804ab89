"""What every ``Hasher`` must promise; one test or more for each number of its promises.

Subclass ``HasherContract`` in your own tests, under a name that starts with ``Test``, and say how to make your hasher.
"""

# ruff: noqa: D102  (a test's name is its sentence)
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import InvalidInput, TryLater
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import Hasher, Match, Prepared, StoredHash, prepare

__all__ = ["HasherContract"]

OWNER = "0190-anna"
SOMEBODY_ELSE = "0190-bert"
RIGHT = prepare("winter teapot balcony")
WRONG = prepare("winter teapot balconies")
EMPTY = Prepared(Secret(""))
LONE_SURROGATE = Prepared(Secret("winter teapot \ud800 balcony"))
FOREIGN = (
    "!",
    "*",
    "x",
    "$",
    "$$$$$",
    "winter teapot balcony",
    "pbkdf2_sha256$1000$salt$aGFzaA==",
    "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "\ud800",
    "\0",
    "é" * 5000,
)


class HasherContract(ABC):
    """The promises of ``Hasher`` as tests."""

    names: tuple[str, ...]
    """Pieces of text by which a stored hash of ``hasher()`` names its scheme and its cost."""

    @abstractmethod
    def hasher(self) -> Hasher:
        """Answer the hasher under test, with its cheapest settings."""

    @abstractmethod
    def changed_hasher(self) -> Hasher:
        """Answer a hasher with other current settings, which can still check what ``hasher()`` made."""

    @abstractmethod
    def too_costly(self) -> Iterable[StoredHash]:
        """Answer hashes in the hasher's own form, each with one cost above the caps of promise 7."""

    @abstractmethod
    def work(self) -> list[object]:
        """Answer the work done so far: the cost of each costly step, as the step itself was told it."""

    @abstractmethod
    def crowded(self) -> AbstractContextManager[Hasher]:
        """Answer a hasher all of whose places are taken meanwhile, and which has no patience."""

    @pytest.mark.proves("PAS-30")
    async def test_promise_1_only_the_password_that_was_hashed_matches(self) -> None:
        hasher = self.hasher()
        stored = await got(hasher.hash(RIGHT, OWNER))
        assert (await got(hasher.verify(stored, RIGHT, OWNER))).ok
        assert await got(hasher.verify(stored, WRONG, OWNER)) == Match(ok=False)

    @pytest.mark.proves("PAS-30")
    async def test_promise_1_a_hash_that_was_moved_to_another_owner_opens_nothing(self) -> None:
        hasher = self.hasher()
        stored = await got(hasher.hash(RIGHT, OWNER))
        assert not (await got(hasher.verify(stored, RIGHT, SOMEBODY_ELSE))).ok
        assert not (await got(hasher.verify(stored, RIGHT, ""))).ok

    @pytest.mark.proves("PAS-30", "ADA-207")
    @pytest.mark.parametrize("attempt", [None, EMPTY, LONE_SURROGATE], ids=["none", "empty", "lone surrogate"])
    async def test_promise_2_odd_input_is_a_wrong_password(self, attempt: Prepared | None) -> None:
        hasher = self.hasher()
        stored = await got(hasher.hash(RIGHT, OWNER))
        assert await got(hasher.verify(stored, attempt, OWNER)) == Match(ok=False)

    @pytest.mark.proves("PAS-34", "ADA-207")
    @pytest.mark.parametrize("text", FOREIGN)
    async def test_promise_2_a_foreign_text_matches_nothing_and_is_unusable(self, text: str) -> None:
        hasher = self.hasher()
        for attempt in (RIGHT, EMPTY, None):
            match = await got(hasher.verify(StoredHash(text), attempt, OWNER))
            assert match == Match(ok=False, unusable=True)

    @pytest.mark.proves("ADA-207")
    async def test_promise_2_a_damaged_hash_matches_nothing(self) -> None:
        hasher = self.hasher()
        stored = (await got(hasher.hash(RIGHT, OWNER))).text
        for damaged in (stored[:-1], stored[:-8], stored[1:], stored + "A", stored + "\n", stored.upper()):
            assert not (await got(hasher.verify(StoredHash(damaged), RIGHT, OWNER))).ok

    @pytest.mark.proves("ADA-207")
    async def test_an_empty_password_is_not_hashed(self) -> None:
        with pytest.raises(InvalidInput):
            await got(self.hasher().hash(EMPTY, OWNER))

    @pytest.mark.proves("PAS-30")
    async def test_promise_3_right_wrong_and_spent_cost_the_same(self) -> None:
        hasher = self.hasher()
        stored = await got(hasher.hash(RIGHT, OWNER))
        before = len(self.work())
        await got(hasher.verify(stored, RIGHT, OWNER))
        await got(hasher.verify(stored, WRONG, OWNER))
        await got(hasher.verify(stored, None, OWNER))
        await got(hasher.verify(StoredHash("!"), RIGHT, OWNER))
        await got(hasher.spend(RIGHT))
        await got(hasher.spend(None))
        done = self.work()[before:]
        assert len(done) == 6  # noqa: PLR2004  (one for each call above)
        assert len(set(done)) == 1

    @pytest.mark.proves("PAS-30")
    async def test_promise_3_what_is_spent_follows_the_current_settings(self) -> None:
        await got(self.hasher().spend(RIGHT))
        await got(self.changed_hasher().spend(RIGHT))
        assert self.work()[-1] != self.work()[-2]

    @pytest.mark.proves("PAS-31")
    async def test_promise_4_a_hash_of_the_current_settings_stays(self) -> None:
        hasher = self.hasher()
        stored = await got(hasher.hash(RIGHT, OWNER))
        assert await got(hasher.verify(stored, RIGHT, OWNER)) == Match(ok=True, rehash=False)

    @pytest.mark.proves("PAS-31")
    async def test_promise_4_a_hash_of_other_settings_matches_and_is_due_for_a_new_one(self) -> None:
        stored = await got(self.hasher().hash(RIGHT, OWNER))
        assert await got(self.changed_hasher().verify(stored, RIGHT, OWNER)) == Match(ok=True, rehash=True)

    @pytest.mark.proves("PAS-31")
    async def test_promise_4_a_wrong_password_never_asks_for_a_new_hash(self) -> None:
        stored = await got(self.hasher().hash(RIGHT, OWNER))
        assert await got(self.changed_hasher().verify(stored, WRONG, OWNER)) == Match(ok=False, rehash=False)

    @pytest.mark.proves("ADA-207")
    async def test_promise_5_the_stored_text_names_scheme_and_cost(self) -> None:
        stored = await got(self.hasher().hash(RIGHT, OWNER))
        assert stored.scheme
        assert [name for name in self.names if name not in stored.text] == []

    @pytest.mark.proves("ADA-207")
    async def test_promise_6_hashing_twice_gives_two_texts_that_both_match(self) -> None:
        hasher = self.hasher()
        first, second = await got(hasher.hash(RIGHT, OWNER)), await got(hasher.hash(RIGHT, OWNER))
        assert first.text != second.text
        assert (await got(hasher.verify(first, RIGHT, OWNER))).ok
        assert (await got(hasher.verify(second, RIGHT, OWNER))).ok

    @pytest.mark.proves("ADA-207")
    async def test_promise_7_a_hash_above_the_caps_is_not_computed_and_still_costs_the_usual(self) -> None:
        hasher = self.hasher()
        for stored in self.too_costly():
            assert await got(hasher.verify(stored, RIGHT, OWNER)) == Match(ok=False, unusable=True)
        await got(hasher.spend(RIGHT))
        assert len(self.work()) > 1
        assert len(set(self.work())) == 1

    @pytest.mark.proves("ADA-207")
    async def test_promise_8_who_waits_too_long_for_a_place_is_asked_to_try_later(self) -> None:
        stored = await got(self.hasher().hash(RIGHT, OWNER))
        with self.crowded() as hasher:
            with pytest.raises(TryLater):
                await got(hasher.verify(stored, RIGHT, OWNER))
            with pytest.raises(TryLater):
                await got(hasher.hash(RIGHT, OWNER))
            with pytest.raises(TryLater):
                await got(hasher.spend(RIGHT))

    @pytest.mark.proves("KER-202")
    async def test_neither_a_password_nor_its_hash_is_ever_shown(self) -> None:
        stored = await got(self.hasher().hash(RIGHT, OWNER))
        assert RIGHT.text.reveal() not in stored.text
        assert stored.text not in repr(stored)
