"""Sealing and keys: what is sealed opens in its own place, with its own key, and nowhere else."""

import base64
import pickle
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.crypto import AesVault, KeyWornOut, RootKeyring, new_root
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.errors import BadPolicy, Defect
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Key, KeyInUse, KeyMissing, KeyState, Ring, SealBroken, SealContext, Sealed
from shopaccounts.testing.doubles import ScriptedEntropy

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = SealContext(ring=Ring.SEEDS, realm="main", kind="factor", id="f1", field="seed")


def vault(*roots: bytes, entropy: Entropy | None = None) -> AesVault:
    return AesVault(RootKeyring([Secret(root) for root in roots or (OLD,)]), entropy or ScriptedEntropy())


def contexts() -> st.SearchStrategy[SealContext]:
    texts = st.text(max_size=8)
    return st.builds(
        SealContext, ring=st.sampled_from([Ring.SEEDS, Ring.OUTBOX]), realm=texts, kind=texts, id=texts, field=texts
    )


# Sealing


@pytest.mark.proves("KER-162")
@given(st.binary(max_size=200), contexts())
def test_what_is_sealed_opens_in_its_own_place(plain: bytes, place: SealContext) -> None:
    box = vault()
    assert box.open(box.seal(Secret(plain), place), place).reveal() == plain


@pytest.mark.proves("KER-162", "KER-164")
@given(contexts(), contexts())
def test_what_is_sealed_opens_in_no_other_place(here: SealContext, there: SealContext) -> None:
    box = vault()
    sealed = box.seal(Secret(b"secret"), here)
    if here == there:
        return
    with pytest.raises((SealBroken, KeyMissing)):
        box.open(sealed, there)


@pytest.mark.proves("KER-162")
def test_where_one_part_of_a_place_ends_and_the_next_begins_counts() -> None:
    box = vault()
    sealed = box.seal(Secret(b"secret"), attrs.evolve(PLACE, kind="ab", id="c"))
    with pytest.raises(SealBroken):
        box.open(sealed, attrs.evolve(PLACE, kind="a", id="bc"))


@pytest.mark.proves("KER-163")
def test_the_envelope_has_its_parts_in_order_and_costs_61_bytes() -> None:
    keyring = RootKeyring([Secret(OLD)])
    sealed = AesVault(keyring, ScriptedEntropy()).seal(Secret(b"12345678901234567890"), PLACE)
    key = keyring.current(Ring.SEEDS)
    assert len(sealed.data) == 81
    assert sealed.data[0] == 1
    assert sealed.key_id == key.id == sealed.data[1:17].hex()
    nonce, ciphertext = sealed.data[33:45], sealed.data[45:]
    with pytest.raises(Exception, match=r"^$"):  # the primitive itself says nothing, and refuses a missing context
        AESGCM(key.secret.reveal()).decrypt(nonce, ciphertext, None)


@pytest.mark.proves("KER-164")
@given(st.data())
def test_every_change_of_a_single_bit_is_noticed(data: st.DataObject) -> None:
    box = vault()
    sealed = box.seal(Secret(b"secret"), PLACE)
    bit = data.draw(st.integers(0, len(sealed.data) * 8 - 1))
    changed = bytearray(sealed.data)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Defect) as failure:
        box.open(Sealed(bytes(changed)), PLACE)
    assert type(failure.value) in {SealBroken, KeyMissing}


@pytest.mark.proves("KER-164")
@given(st.binary(max_size=100))
def test_bytes_that_were_never_sealed_are_a_defect(noise: bytes) -> None:
    with pytest.raises((SealBroken, KeyMissing)):
        vault().open(Sealed(noise), PLACE)


@pytest.mark.proves("KER-164", "ADA-209")
def test_a_broken_seal_tells_ring_and_field_and_nothing_else() -> None:
    box = vault()
    sealed = box.seal(Secret(b"secret"), PLACE)
    with pytest.raises(SealBroken) as failure:
        box.open(sealed, attrs.evolve(PLACE, id="f2"))
    assert str(failure.value) == "the seal of seed in ring seeds does not hold"
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__
    with pytest.raises(KeyMissing) as missing:
        vault(NEW).open(sealed, PLACE)
    assert str(missing.value) == "no such key in ring seeds seed"


@pytest.mark.proves("KER-163", "ADA-209")
def test_a_key_with_the_right_name_and_another_secret_is_noticed_before_anything_is_opened() -> None:
    class Impostor(RootKeyring):
        def all(self, ring: Ring) -> tuple[Key, ...]:
            return tuple(attrs.evolve(key, secret=Secret(bytes(32))) for key in super().all(ring))

    sealed = vault().seal(Secret(b"secret"), PLACE)
    with pytest.raises(SealBroken):
        AesVault(Impostor([Secret(OLD)]), ScriptedEntropy()).open(sealed, PLACE)


@pytest.mark.proves("ADA-209")
@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_a_key_that_the_primitive_would_take_but_is_no_32_bytes_is_refused(length: int) -> None:
    class Short(RootKeyring):
        def all(self, ring: Ring) -> tuple[Key, ...]:
            return tuple(attrs.evolve(key, secret=Secret(bytes(length))) for key in super().all(ring))

    with pytest.raises(Defect, match="32 bytes"):
        AesVault(Short([Secret(OLD)]), ScriptedEntropy()).seal(Secret(b"secret"), PLACE)


@pytest.mark.proves("ADA-209")
def test_a_nonce_that_the_primitive_would_take_but_is_no_12_bytes_is_refused() -> None:
    with pytest.raises(Defect, match="randomness"):
        vault(entropy=Entropy(lambda count: bytes(count - 1))).seal(Secret(b"secret"), PLACE)


def test_a_keyring_that_answers_later_is_refused() -> None:
    class Promise:
        def __await__(self) -> Generator[Any, Any, Key]:
            raise NotImplementedError

    class Later(RootKeyring):
        def current(self, ring: Ring) -> Key:
            assert super().current(ring)
            return cast("Key", Promise())

    with pytest.raises(Defect, match="at once"):
        AesVault(Later([Secret(OLD)]), ScriptedEntropy()).seal(Secret(b"secret"), PLACE)


@pytest.mark.proves("KER-165")
def test_the_same_text_sealed_twice_gives_different_bytes() -> None:
    box = vault()
    assert box.seal(Secret(b"secret"), PLACE).data[45:] != box.seal(Secret(b"secret"), PLACE).data[45:]


@pytest.mark.proves("KER-165")
def test_how_much_a_key_was_used_is_told_before_it_is_worn_out(caplog: pytest.LogCaptureFixture) -> None:
    keyring = RootKeyring([Secret(OLD)])
    box = AesVault(keyring, ScriptedEntropy(), limit=4)
    for _ in range(4):
        box.seal(Secret(b"secret"), PLACE)
    (usage,) = box.usage()
    assert (usage.ring, usage.key_id, usage.sealed) == (Ring.SEEDS, keyring.current(Ring.SEEDS).id, 4)
    assert usage.share == 4 / 2**32
    assert [record.message for record in caplog.records] == [
        f"the key {usage.key_id} of ring seeds has sealed half of what it may; add a new root"
    ]
    with pytest.raises(KeyWornOut):
        box.seal(Secret(b"secret"), PLACE)


# Keys


@pytest.mark.proves("KER-160")
def test_no_two_rings_share_a_key_or_its_name() -> None:
    keyring = RootKeyring([Secret(OLD), Secret(NEW)])
    keys = [key for ring in Ring for key in keyring.all(ring)]
    assert len({key.secret.reveal() for key in keys}) == len({key.id for key in keys}) == 2 * len(Ring)
    assert all(len(key.secret.reveal()) == 32 and len(bytes.fromhex(key.id)) == 16 for key in keys)


@pytest.mark.proves("KER-160")
def test_the_same_root_gives_the_same_keys_in_every_process() -> None:
    key = RootKeyring([Secret(bytes(range(32)))]).current(Ring.OUTBOX)
    assert (key.id, key.secret.reveal().hex()[:16]) == ("e4e56da15785f2c88d30a705e94a6601", "f44c1f5bc26cda4b")


@pytest.mark.proves("KER-166")
def test_after_a_root_is_added_new_values_use_it_and_old_ones_still_open() -> None:
    keyring = RootKeyring([Secret(OLD)])
    box = AesVault(keyring, ScriptedEntropy())
    before = box.seal(Secret(b"secret"), PLACE)
    keyring.add(Secret(NEW))
    after = box.seal(Secret(b"secret"), PLACE)
    assert before.key_id != after.key_id == keyring.current(Ring.SEEDS).id
    assert [key.state for key in keyring.all(Ring.SEEDS)] == [KeyState.ACTIVE, KeyState.READING]
    assert box.open(before, PLACE) == box.open(after, PLACE) == Secret(b"secret")


@pytest.mark.proves("KER-166")
def test_resealing_changes_the_key_and_not_the_text_and_does_nothing_to_what_is_current() -> None:
    keyring = RootKeyring([Secret(OLD)])
    box = AesVault(keyring, ScriptedEntropy())
    old = box.seal(Secret(b"secret"), PLACE)
    assert box.reseal(old, PLACE) is None
    keyring.add(Secret(NEW))
    fresh = box.reseal(old, PLACE)
    assert fresh is not None
    assert fresh.key_id == keyring.current(Ring.SEEDS).id
    assert box.open(fresh, PLACE) == Secret(b"secret")
    with pytest.raises(SealBroken):
        box.reseal(old, attrs.evolve(PLACE, id="f2"))


@pytest.mark.proves("KER-166")
def test_a_key_is_retired_only_when_nothing_uses_it_and_never_while_it_is_active() -> None:
    used = {Ring.SEEDS}
    keyring = RootKeyring([Secret(NEW), Secret(OLD)], uses_key=lambda ring, _id: ring in used)
    active, old = keyring.all(Ring.SEEDS)
    for key in (active, old):
        with pytest.raises(KeyInUse):
            keyring.retire(Ring.SEEDS, key.id)
    used.clear()
    keyring.retire(Ring.SEEDS, old.id)
    assert keyring.all(Ring.SEEDS) == (active,)
    with pytest.raises(KeyMissing):
        keyring.key(Ring.SEEDS, old.id)
    with pytest.raises(KeyMissing):
        keyring.retire(Ring.SEEDS, old.id)
    assert len(keyring.all(Ring.OUTBOX)) == 2
    keyring.add(Secret(b"3" * 32))
    assert old.id not in {key.id for key in keyring.all(Ring.SEEDS)}


@pytest.mark.proves("KER-166")
def test_who_can_not_say_whether_a_key_is_used_can_not_retire_it() -> None:
    keyring = RootKeyring([Secret(NEW), Secret(OLD)])
    with pytest.raises(KeyInUse):
        keyring.retire(Ring.SEEDS, keyring.all(Ring.SEEDS)[1].id)


@pytest.mark.proves("KER-167")
def test_a_lost_key_fails_closed() -> None:
    sealed = vault(OLD).seal(Secret(b"secret"), PLACE)
    with pytest.raises(KeyMissing):
        vault(NEW).open(sealed, PLACE)


@pytest.mark.proves("KER-168")
def test_roots_come_from_the_environment_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [base64.b64encode(root).decode() for root in (NEW, OLD)]
    monkeypatch.setenv("SHOP_KEYS", f"{texts[0]}, {texts[1]}")
    same_roots = RootKeyring([Secret(NEW), Secret(OLD)])
    assert RootKeyring.from_environment("SHOP_KEYS").all(Ring.OUTBOX) == same_roots.all(Ring.OUTBOX)
    with pytest.raises(BadPolicy, match="needs roots"):
        RootKeyring.from_environment("NOT_SET_ANYWHERE")


@pytest.mark.proves("KER-168")
def test_roots_come_from_a_file_or_a_function(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# since March\n{base64.b64encode(NEW).decode()}\n\n{base64.b64encode(OLD).decode()}\n", "ascii")
    same_roots = RootKeyring([Secret(NEW), Secret(OLD)]).all(Ring.OUTBOX)
    assert RootKeyring.from_file(file).all(Ring.OUTBOX) == same_roots
    assert RootKeyring.from_callable(lambda: [NEW, OLD]).all(Ring.OUTBOX) == same_roots


@pytest.mark.proves("KER-168")
@pytest.mark.parametrize("roots", [[], [b"short"], [OLD, OLD], [b"x" * 33]])
def test_roots_that_can_not_be_are_refused_without_being_shown(roots: list[bytes]) -> None:
    with pytest.raises(BadPolicy) as failure:
        RootKeyring([Secret(root) for root in roots])
    assert not any(root.decode() in str(failure.value) for root in roots)


@pytest.mark.proves("KER-168")
def test_a_root_that_is_no_base64_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEYS", "not*base64*at*all")
    with pytest.raises(BadPolicy) as failure:
        RootKeyring.from_environment("SHOP_KEYS")
    assert "not*" not in str(failure.value)
    assert failure.value.__suppress_context__


@pytest.mark.proves("KER-168")
def test_nothing_that_holds_a_key_shows_it() -> None:
    keyring = RootKeyring([Secret(b"recognisable-root-secret-32bytes")])
    key = keyring.current(Ring.SEEDS)
    shown = repr((keyring, key, AesVault(keyring, ScriptedEntropy()))) + str(key)
    assert "recognisable" not in shown
    assert key.secret.reveal().hex() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_new_root_is_32_random_bytes_as_text() -> None:
    entropy = ScriptedEntropy()
    first, second = new_root(entropy), new_root(entropy)
    assert first != second
    assert len(base64.b64decode(first)) == 32
