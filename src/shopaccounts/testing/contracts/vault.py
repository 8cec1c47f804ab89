"""What vaults and keyrings promise: opened in its own place with its own key, or not at all."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Callable

import attrs
import pytest

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import (
    KeyInUse,
    KeyMissing,
    Keyring,
    KeyState,
    Ring,
    SealBroken,
    SealContext,
    Sealed,
    Vault,
)
from shopaccounts.testing.contracts.steps import refused

__all__ = ["KeyringContract", "VaultContract"]

Rotate = Callable[[], Answer[None]]
ABOUT = SealContext(ring=Ring.SEEDS, realm="realm", kind="factor", id="factor-1", field="seed")
SEED = Secret(b"a seed of twenty byt")
OVERHEAD = 61
PLAIN = {"empty": b"", "nul": b"\0", "all": bytes(range(256)), "long": b"x" * 65536}
ELSEWHERE = {
    "ring": attrs.evolve(ABOUT, ring=Ring.OUTBOX),
    "realm": attrs.evolve(ABOUT, realm="other"),
    "kind": attrs.evolve(ABOUT, kind="other"),
    "id": attrs.evolve(ABOUT, id="factor-2"),
    "field": attrs.evolve(ABOUT, field="other"),
    "shifted": attrs.evolve(ABOUT, kind="factorf", id="actor-1"),
}


class VaultContract:
    """A sealed value opens in its own place only, and a defect tells nothing but ring and field.

    Give the fixtures ``vault``, and ``rotate``, a function after which its keyring has a newer key in every ring.
    """

    @pytest.mark.proves("KER-162", "KER-163")
    @pytest.mark.parametrize("kind", PLAIN)
    async def test_what_is_sealed_opens_in_its_place(self, vault: Vault, kind: str) -> None:
        plain = PLAIN[kind]
        sealed = await got(vault.seal(Secret(plain), ABOUT))
        assert await got(vault.open(sealed, ABOUT)) == Secret(plain)
        assert len(sealed.data) == len(plain) + OVERHEAD

    @pytest.mark.proves("KER-162", "KER-160", "KER-164")
    @pytest.mark.parametrize("moved", ELSEWHERE)
    async def test_what_is_sealed_is_worthless_in_any_other_place(self, vault: Vault, moved: str) -> None:
        sealed = await got(vault.seal(SEED, ABOUT))
        about = ELSEWHERE[moved]
        for use in (vault.open, vault.reseal):
            with pytest.raises(Defect) as caught:
                await got(use(sealed, about))
            self.assert_discreet(caught.value, about)

    @staticmethod
    def assert_discreet(error: Defect, about: SealContext) -> None:
        """Check that a defect names ring and field, and nothing of the value."""
        assert isinstance(error, (SealBroken, KeyMissing))
        assert (error.ring, error.field) == (about.ring, about.field)
        assert "twenty" not in str(error)
        assert about.id not in str(error)
        assert error.__cause__ is None

    @pytest.mark.proves("KER-164", "KER-163")
    async def test_a_value_with_any_other_byte_does_not_open(self, vault: Vault) -> None:
        sealed = await got(vault.seal(SEED, ABOUT))
        for place in range(len(sealed.data)):
            altered = bytearray(sealed.data)
            altered[place] ^= 1
            with pytest.raises(Defect) as caught:
                await got(vault.open(Sealed(bytes(altered)), ABOUT))
            self.assert_discreet(caught.value, ABOUT)

    @pytest.mark.proves("KER-164")
    async def test_a_value_of_any_other_length_does_not_open(self, vault: Vault) -> None:
        sealed = await got(vault.seal(SEED, ABOUT))
        for data in (*(sealed.data[:length] for length in range(len(sealed.data))), sealed.data + b"\0"):
            with pytest.raises(Defect):
                await got(vault.open(Sealed(data), ABOUT))

    @pytest.mark.proves("KER-165")
    async def test_sealing_the_same_text_twice_gives_different_bytes(self, vault: Vault) -> None:
        assert len({(await got(vault.seal(SEED, ABOUT))).data for _ in range(20)}) == len(range(20))

    @pytest.mark.proves("KER-166")
    async def test_after_a_rotation_old_values_open_and_are_resealed_once(self, vault: Vault, rotate: Rotate) -> None:
        old = await got(vault.seal(SEED, ABOUT))
        assert await got(vault.reseal(old, ABOUT)) is None
        await got(rotate())
        assert await got(vault.open(old, ABOUT)) == SEED
        renewed = await got(vault.reseal(old, ABOUT))
        assert renewed is not None
        assert renewed.key_id != old.key_id
        assert await got(vault.open(renewed, ABOUT)) == SEED
        assert await got(vault.reseal(renewed, ABOUT)) is None
        assert (await got(vault.seal(SEED, ABOUT))).key_id == renewed.key_id

    @pytest.mark.proves("KER-168")
    async def test_neither_vault_nor_sealed_value_shows_what_is_sealed(self, vault: Vault) -> None:
        sealed = await got(vault.seal(SEED, ABOUT))
        for shown in (repr(vault), str(vault), repr(sealed), str(sealed)):
            assert "twenty" not in shown
        assert b"twenty" not in sealed.data


class KeyringContract:
    """Each ring has keys of its own; the active one seals, reading ones open, retired ones do nothing.

    Give the fixtures ``keyring``, which regards the ids in the fixture ``in_use`` as in use, and ``rotate``, a function
    after which it has a newer key in every ring.
    """

    @pytest.fixture
    def in_use(self) -> set[str]:
        """Give the ids of keys that something is still sealed with."""
        return set()

    @pytest.mark.proves("KER-160")
    async def test_the_active_key_of_a_ring_stays_the_same_until_one_is_added(
        self, keyring: Keyring, rotate: Rotate
    ) -> None:
        before = await got(keyring.current(Ring.SEEDS))
        assert before.state is KeyState.ACTIVE
        assert await got(keyring.current(Ring.SEEDS)) == before
        await got(rotate())
        after = await got(keyring.current(Ring.SEEDS))
        assert after.id != before.id
        assert after.secret != before.secret

    @pytest.mark.proves("KER-160")
    async def test_no_two_rings_share_a_key(self, keyring: Keyring, rotate: Rotate) -> None:
        await got(rotate())
        keys = [key for ring in Ring for key in await got(keyring.all(ring))]
        assert len({key.secret.reveal() for key in keys}) == len(keys)
        assert len({key.id for key in keys}) == len(keys)
        assert {len(key.secret.reveal()) for key in keys} == {32}
        assert {len(bytes.fromhex(key.id)) for key in keys} == {16}

    @pytest.mark.proves("KER-166")
    async def test_all_answers_the_active_key_first_and_then_the_newest(self, keyring: Keyring, rotate: Rotate) -> None:
        ids = [(await got(keyring.current(Ring.OUTBOX))).id]
        for _ in range(2):
            await got(rotate())
            ids.insert(0, (await got(keyring.current(Ring.OUTBOX))).id)
        keys = await got(keyring.all(Ring.OUTBOX))
        assert [key.id for key in keys] == ids
        assert [key.state for key in keys] == [KeyState.ACTIVE, KeyState.READING, KeyState.READING]
        for key in keys:
            assert await got(keyring.key(Ring.OUTBOX, key.id)) == key

    @pytest.mark.proves("KER-164", "KER-167")
    async def test_an_unknown_key_is_missing(self, keyring: Keyring) -> None:
        of_another_ring = (await got(keyring.current(Ring.CODES))).id
        for id in ("00" * 16, "", of_another_ring):
            error = await refused(KeyMissing, keyring.key, Ring.SEEDS, id)
            assert error.ring is Ring.SEEDS

    @pytest.mark.proves("KER-166")
    async def test_a_reading_key_that_nothing_uses_can_be_retired(self, keyring: Keyring, rotate: Rotate) -> None:
        old = await got(keyring.current(Ring.SEEDS))
        await got(rotate())
        await got(keyring.retire(Ring.SEEDS, old.id))
        assert old.id not in [key.id for key in await got(keyring.all(Ring.SEEDS))]
        await refused(KeyMissing, keyring.key, Ring.SEEDS, old.id)

    @pytest.mark.proves("KER-166")
    async def test_a_key_in_use_and_the_active_one_are_not_retired(
        self, keyring: Keyring, rotate: Rotate, in_use: set[str]
    ) -> None:
        old = await got(keyring.current(Ring.SEEDS))
        await refused(KeyInUse, keyring.retire, Ring.SEEDS, old.id)
        await got(rotate())
        in_use.add(old.id)
        error = await refused(KeyInUse, keyring.retire, Ring.SEEDS, old.id)
        assert error.ring == Ring.SEEDS.value
        assert (await got(keyring.key(Ring.SEEDS, old.id))).state is KeyState.READING

    @pytest.mark.proves("KER-168")
    async def test_no_repr_shows_a_key(self, keyring: Keyring) -> None:
        for ring in Ring:
            key = await got(keyring.current(ring))
            for shown in (repr(keyring), repr(key), str(key)):
                assert key.secret.reveal().hex() not in shown
                assert repr(key.secret.reveal()) not in shown
