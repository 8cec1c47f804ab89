"""With a pepper every hash lies sealed; keys are changed without knowing passwords, and a lost key opens nothing."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.argon2 import Argon2Hasher
from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.legacy_hashes import LegacyHasher
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.pepper import PepperedHasher, ResealAt, reseal
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import KeyMissing, Ring
from shopaccounts.passwords import (
    PASSWORDS,
    SEVERAL_PEPPERS,
    WITHOUT_PEPPER,
    Adopted,
    Argon2Profile,
    LegacyScheme,
    Match,
    PasswordRecord,
    RowOutcome,
    StoredHash,
    prepare,
)

INNER = Argon2Hasher(Argon2Profile.tests_only())
OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)
TEAPOT = prepare("winter teapot balcony")
REALM = RealmId("main")
pytestmark = pytest.mark.proves("PAS-32")


def peppered(*roots, realm=REALM, inner=INNER) -> PepperedHasher:
    return PepperedHasher(inner, AesVault(RootKeyring(roots), SystemEntropy()), realm)


def verify(hasher, stored, owner="ann", password=TEAPOT):
    return run(hasher.verify(stored, password, owner))


STORED = run(peppered(OLD).hash(TEAPOT, "ann"))


@pytest.mark.proves("KER-161")
def test_what_is_kept_is_sealed_with_the_key_that_it_names() -> None:
    _, scheme, key_id, sealed = STORED.text.split("$")
    assert (scheme, key_id) == ("pepper", RootKeyring([OLD]).current(Ring.PEPPER).id)
    assert b"argon2" not in b64decode(sealed)
    assert verify(peppered(OLD), STORED) == Match(ok=True, rehash=False)


def test_the_hash_alone_opens_nothing_without_the_vault() -> None:
    assert INNER.verify(STORED, TEAPOT, "ann") == Match(ok=False, unusable=True)


def test_a_hash_that_was_moved_to_another_account_or_realm_opens_nothing() -> None:
    assert verify(peppered(OLD), STORED, "bert") == Match(ok=False, unusable=True)
    assert verify(peppered(OLD, realm=RealmId("other")), STORED) == Match(ok=False, unusable=True)


@pytest.mark.parametrize("roots", [(NEW,)], ids=["lost"])
def test_a_missing_key_is_a_defect_and_never_a_yes(roots) -> None:
    for password in (TEAPOT, prepare("another"), None):
        with pytest.raises(KeyMissing) as missing:
            verify(peppered(*roots), STORED, password=password)
        assert isinstance(missing.value, Defect)
        assert str(missing.value) == "no such key in ring pepper password"


@pytest.mark.proves("PAS-30")
def test_a_missing_key_and_a_broken_seal_cost_what_an_answer_costs(monkeypatch) -> None:
    spent: list[object] = []
    monkeypatch.setattr(INNER, "spend", spent.append)
    with pytest.raises(KeyMissing):
        verify(peppered(NEW), STORED)
    verify(peppered(OLD), STORED, "bert")
    assert spent == [TEAPOT, TEAPOT]


@pytest.mark.proves("PAS-31")
def test_a_hash_under_an_older_key_matches_and_asks_for_a_new_one() -> None:
    assert verify(peppered(NEW, OLD), STORED) == Match(ok=True, rehash=True)
    assert verify(peppered(NEW, OLD), STORED, password=prepare("another")) == Match(ok=False, rehash=False)


@pytest.mark.proves("PAS-31")
def test_a_hash_from_before_the_pepper_counts_and_asks_to_be_sealed() -> None:
    plain = INNER.hash(TEAPOT, "ann")
    assert verify(peppered(OLD), plain) == Match(ok=True, rehash=True)
    assert verify(peppered(OLD), plain, password=prepare("another")) == Match(ok=False, rehash=False)


@pytest.mark.parametrize("place", range(0, 90, 7))
def test_one_changed_byte_opens_nothing(place: int) -> None:
    sealed = bytearray(b64decode(STORED.text.split("$")[3]))
    sealed[place] ^= 1
    damaged = StoredHash(f"$pepper$x${b64encode(sealed).decode()}")
    try:
        assert verify(peppered(OLD), damaged) == Match(ok=False, unusable=True)
    except KeyMissing:
        assert place in range(1, 17)


@pytest.mark.parametrize("rest", ["", "$", "x$", "x$é", "x$====", "x$QUJD"])
def test_a_damaged_text_opens_nothing(rest: str) -> None:
    assert verify(peppered(OLD), StoredHash(f"$pepper${rest}")) == Match(ok=False, unusable=True)


@pytest.mark.proves("PAS-33")
def test_imported_hashes_are_sealed_too_and_only_where_they_can_be_checked() -> None:
    text = Secret("$P$5saltsaltgjx/Kg6DhY9NviBWSvO/V.")
    hasher = peppered(OLD, inner=LegacyHasher(INNER, [LegacyScheme.PHPASS]))
    adopted = run(hasher.adopt(text, LegacyScheme.PHPASS, "ann"))
    assert isinstance(adopted, Adopted)
    assert adopted.stored.scheme == "pepper"
    assert verify(hasher, adopted.stored, password=prepare("winter teapot é")) == Match(ok=True, rehash=True)
    assert verify(hasher, adopted.stored, "bert", prepare("winter teapot é")).ok is False
    assert run(hasher.adopt(Secret("!"), LegacyScheme.PHPASS, "ann")) is RowOutcome.UNPARSABLE
    assert run(peppered(OLD).adopt(text, LegacyScheme.PHPASS, "ann")) is RowOutcome.SCHEME_NOT_ALLOWED


# Changing the key


def record(account: str, stored: StoredHash) -> PasswordRecord:
    return PasswordRecord(
        id=AccountId(account),
        realm=REALM,
        hash=stored.text,
        set_at=datetime(2031, 1, 1, tzinfo=UTC),
        meets_single_factor_minimum=True,
    )


@pytest.fixture
def store():
    """A store with hashes from before the pepper, under the old key, under the new key, and a damaged one."""
    store = MemoryStorage().open(Scope.single())
    hashes = {
        "ann": STORED,
        "bert": run(peppered(OLD).hash(TEAPOT, "bert")),
        "carla": INNER.hash(TEAPOT, "carla"),
        "dora": run(peppered(NEW).hash(TEAPOT, "dora")),
        "eve": STORED,  # moved there
    }
    for account, stored in hashes.items():
        store.record(Change(writes=(PASSWORDS.add(record(account, stored)),)))
    return store


def walked(store, limit, records=None):
    """Every page of a walk."""
    keyring = RootKeyring([NEW, OLD])
    pages: list[Any] = []
    at = None
    while not pages or at:
        page = run(reseal(records or store, keyring, peppered(NEW, OLD), at, limit))
        pages.append(page)
        at = page.next
    return pages


@pytest.mark.proves("KER-166")
@pytest.mark.parametrize("limit", [1, 2, 500])
def test_every_hash_comes_under_the_new_key_page_by_page(store, limit: int) -> None:
    pages = walked(store, limit)
    assert sum(page.moved for page in pages) == 3
    assert [name for page in pages for name in page.unreadable] == ["eve"]
    only_new = peppered(NEW)
    for account in ("ann", "bert", "carla", "dora"):
        kept = store.find(PASSWORDS, account).it
        assert verify(only_new, kept.stored, account) == Match(ok=True, rehash=False)
    old = RootKeyring([OLD]).current(Ring.PEPPER).id
    assert [left.id for left in store.rows(PASSWORDS, "pepper", old, None, 5).items] == ["eve"]
    assert store.rows(PASSWORDS, "pepper", WITHOUT_PEPPER, None, 5).items == ()


@pytest.mark.proves("KER-166")
def test_a_walk_may_stop_anywhere_and_begin_again(store) -> None:
    first = run(reseal(store, RootKeyring([NEW, OLD]), peppered(NEW, OLD), None, 1))
    assert first.moved == 1
    assert sum(page.moved for page in walked(store, 500)) == 2
    assert sum(page.moved for page in walked(store, 500)) == 0


@pytest.mark.proves("KER-166")
def test_nothing_but_the_seal_changes(store) -> None:
    before = store.find(PASSWORDS, "ann").it
    walked(store, 500)
    after = store.find(PASSWORDS, "ann").it
    assert attrs.evolve(after, hash=before.hash, version=before.version) == before


@pytest.mark.proves("KER-166")
def test_hashes_of_earlier_passwords_come_along(store) -> None:
    ann = store.find(PASSWORDS, "ann").it
    fresh, plain = run(peppered(NEW).hash(TEAPOT, "ann")).text, INNER.hash(TEAPOT, "ann").text
    remembered = attrs.evolve(ann, hash=fresh, earlier=(ann.hash, plain))
    store.record(Change(writes=(PASSWORDS.change(ann, remembered),)))
    assert [each.id for each in store.rows(PASSWORDS, "pepper", SEVERAL_PEPPERS, None, 5).items] == ["ann"]
    walked(store, 500)
    kept = store.find(PASSWORDS, "ann").it
    assert kept.hash == fresh
    for earlier in kept.earlier:
        assert verify(peppered(NEW), StoredHash(earlier)) == Match(ok=True, rehash=False)
    assert store.rows(PASSWORDS, "pepper", SEVERAL_PEPPERS, None, 5).items == ()


@pytest.mark.proves("KER-166")
def test_who_was_faster_keeps_what_was_written(store) -> None:
    anew = run(peppered(NEW).hash(prepare("another teapot"), "ann"))

    class Meanwhile:
        rows = staticmethod(store.rows)

        @staticmethod
        def record(change):
            kept = store.find(PASSWORDS, "ann").it
            if change.writes[0].now.id == "ann":
                store.record(Change(writes=(PASSWORDS.change(kept, attrs.evolve(kept, hash=anew.text)),)))
            return store.record(change)

    assert sum(page.moved for page in walked(store, 500, Meanwhile())) == 2
    assert store.find(PASSWORDS, "ann").it.hash == anew.text


def test_a_place_under_a_key_that_is_gone_ends_the_walk(store) -> None:
    page = run(reseal(store, RootKeyring([NEW]), peppered(NEW), ResealAt("00" * 16)))
    assert (page.moved, page.unreadable, page.next) == (0, (), None)
