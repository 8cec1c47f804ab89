"""Hashes of other systems: known answers for each scheme, what is turned away, and what every check costs."""

import sys
from typing import Any

import pytest
from argon2 import low_level
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.adapters.argon2 import Argon2Hasher
from shopaccounts.adapters.extras import ExtraMissing
from shopaccounts.adapters.legacy_hashes import LegacyHasher, ThreadedLegacyHasher
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import (
    Adopted,
    Argon2Profile,
    LegacyHashes,
    LegacyScheme,
    Match,
    Prepared,
    RowOutcome,
    StoredHash,
    prepare,
)
from shopaccounts.passwords.importing import WEAK

INNER = Argon2Hasher(Argon2Profile.tests_only())
HASHER = LegacyHasher(INNER, LegacyScheme)
TEAPOT, OTHER = prepare("winter teapot é"), prepare("winter teapot è")
ANN = "account-ann"
S = LegacyScheme
pytestmark = pytest.mark.proves("PAS-33")

# Made from TEAPOT with the C library's crypt(3), the bcrypt and argon2 libraries and hashlib; phpass by hand.
_BCRYPT = "abcdefghijklmnopqrstuu1BmcWCg1gykiF6.DVX.UdCvHejHDVR2"
_SALT = "MDEyMzQ1Njc4OWFiY2RlZg"
_SHA512 = "wN0OZiCrtFkPmItqFlRQ125b8ChwHyT75ZPK3S54AXFpuKjXdfeBcOtaswPO33P3q0FxuPUDRQe9PJ.yJJcP71"
_PBKDF2_512 = "WbJj3HmdTOaaGcVkQZYwD1WTh/XTH4uMoyy/wQBtDpEFIoHgF0TQK4h6q4YxhATDvmYpfUloa2zeEXXGNqpn1Q"
_DJANGO_SCRYPT = "0Eap3xkPZhQ6MpNHJiJk1yLS/Uq/TTpVgwdip+MjNRgkqzXuULfLtSeFYaSNFJ+UwZeQtmA2ePwY9obgqGAcFw=="
SOUND = (
    (S.BCRYPT, f"$2a$04${_BCRYPT}"),
    (S.BCRYPT, f"$2b$04${_BCRYPT}"),
    (S.BCRYPT, f"$2y$04${_BCRYPT}"),
    (S.PBKDF2_SHA256, f"$pbkdf2-sha256$1000${_SALT}$pIkhyCLDWSzyztgNZEf02AfTAR9e8Q/ONlLjwSbA8q8"),
    (S.PBKDF2_SHA512, f"$pbkdf2-sha512$1000${_SALT}${_PBKDF2_512}"),
    (S.SCRYPT, f"$scrypt$ln=4,r=8,p=1${_SALT}$FLcBPutmPbveggle1qmvYDlncl4DPZAVN9sWpkMMQM0"),
    (S.ARGON2, f"$argon2i$v=19$m=8,t=1,p=1${_SALT}$/H803UHeb+PTOrQs5bSIkBFv/Kk3CEwy9YEPboayumM"),
    (S.ARGON2, f"$argon2id$v=19$m=8,t=1,p=1${_SALT}$PM/AtfPTF3mVP37VFJmMdJm/+CNCL4iFp4qiuGgd2xc"),
    (S.SHA256_CRYPT, "$5$saltstring$6gegWYpVjT8pDbvU79EyOuZ/SXQcfKZiZU6nE/bA99B"),
    (S.SHA256_CRYPT, "$5$rounds=1000$saltsalt$SVBFPIT1oLGaV6zPADBu1.GTSZ/AdN5DyBoUYOLGy48"),
    (S.SHA512_CRYPT, f"$6$saltstring${_SHA512}"),
    (S.PHPASS, "$P$5saltsaltgjx/Kg6DhY9NviBWSvO/V."),
    (S.PHPASS, "$H$5saltsaltgjx/Kg6DhY9NviBWSvO/V."),
    (S.DJANGO_PBKDF2, "pbkdf2_sha256$1000$seasalt$+1Pj5zKiENTCwLWRFgk1ZulhapUOtXYbGbuFnChHohg="),
    (S.DJANGO_SCRYPT, f"scrypt$16$seasalt$8$1${_DJANGO_SCRYPT}"),
    (S.DJANGO_ARGON2, f"argon2$argon2i$v=19$m=8,t=1,p=1${_SALT}$/H803UHeb+PTOrQs5bSIkBFv/Kk3CEwy9YEPboayumM"),
    (S.DJANGO_BCRYPT, "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuu7cUcrwLpMiLPLH7SOIeqG5bm3qZN9su"),
)
_MD5 = "f280daf28f2678977216e89cf2b84709"
_SHA1 = "7ae75f629ef824503bde76f2f2c8a28fb5a30b1a"
_SHA256 = "96de5701f3f3b733273ec37be8a1a1946340e7fe497fcc3b69962441f619bdab"
WEAK_ROWS = (
    (S.MD5, _MD5),
    (S.MD5, _MD5.upper()),
    (S.MD5, f"md5$${_MD5}"),
    (S.SHA1, f"{_SHA1}:salt"),
    (S.SHA1, f"sha1$salt${_SHA1}"),
    (S.SHA256, f"{_SHA256}:seasalt"),
    (S.SHA256, f"sha256$seasalt${_SHA256}"),
    (S.PLAIN, "winter teapot é"),
)


def adopted(scheme: LegacyScheme, text: str) -> StoredHash:
    answer = HASHER.adopt(Secret(text), scheme, ANN)
    assert isinstance(answer, Adopted), answer
    assert answer.weak == (scheme in WEAK)
    return answer.stored


def ids(value: Any) -> str:
    return value.value if isinstance(value, LegacyScheme) else ascii(value)[:24]


@pytest.mark.parametrize(("scheme", "text"), SOUND + WEAK_ROWS, ids=ids)
def test_the_right_password_matches_and_asks_for_a_new_hash_and_others_do_not(scheme, text) -> None:
    stored = adopted(scheme, text)
    assert HASHER.verify(stored, TEAPOT, ANN) == Match(ok=True, rehash=True)
    for wrong in (OTHER, Prepared(Secret("")), None):
        assert HASHER.verify(stored, wrong, ANN) == Match(ok=False)


@pytest.mark.parametrize(("scheme", "text"), SOUND, ids=ids)
def test_a_sound_hash_is_kept_under_its_name_and_says_nothing_without_it(scheme, text) -> None:
    assert adopted(scheme, text).text == f"$legacy${scheme.value}${text}"
    assert HASHER.verify(StoredHash(text), TEAPOT, ANN) == Match(ok=False, unusable=True)


@pytest.mark.parametrize(("scheme", "text"), WEAK_ROWS, ids=ids)
def test_a_weak_hash_is_wrapped_in_ours_and_its_own_text_is_gone(scheme, text) -> None:
    stored = adopted(scheme, text).text
    assert stored.startswith(f"$wrapped${scheme.value}$")
    assert "$argon2id-owner$v=19$m=8,t=1,p=1$" in stored
    for gone in (_MD5, _SHA1, _SHA256, "winter"):
        assert gone not in stored.lower()


@pytest.mark.parametrize(("scheme", "text"), WEAK_ROWS, ids=ids)
def test_a_wrapped_hash_opens_for_its_owner_only(scheme, text) -> None:
    assert HASHER.verify(adopted(scheme, text), TEAPOT, "account-bert") == Match(ok=False)


def test_knowing_the_old_digest_opens_nothing() -> None:
    assert HASHER.verify(adopted(S.MD5, _MD5), prepare(_MD5), ANN) == Match(ok=False)


@pytest.mark.parametrize(("scheme", "text"), SOUND + WEAK_ROWS, ids=ids)
def test_a_scheme_that_the_shop_does_not_name_is_neither_taken_over_nor_checked(scheme, text) -> None:
    others = LegacyHasher(INNER, [other for other in LegacyScheme if other is not scheme])
    assert others.adopt(Secret(text), scheme, ANN) is RowOutcome.SCHEME_NOT_ALLOWED
    assert others.verify(adopted(scheme, text), TEAPOT, ANN) == Match(ok=False, unusable=True)


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        (S.BCRYPT, f"$2b$15${_BCRYPT}"),
        (S.BCRYPT, f"$2b$31${_BCRYPT}"),
        (S.PBKDF2_SHA256, f"$pbkdf2-sha256$2000001${_SALT}$pIkhyCLDWSzyztgNZEf02AfTAR9e8Q/ONlLjwSbA8q8"),
        (S.PBKDF2_SHA512, f"$pbkdf2-sha512$999999999${_SALT}${_PBKDF2_512}"),
        (S.SCRYPT, f"$scrypt$ln=19,r=8,p=1${_SALT}$FLcBPutmPbveggle1qmvYDlncl4DPZAVN9sWpkMMQM0"),
        (S.SCRYPT, f"$scrypt$ln=18,r=8,p=3${_SALT}$FLcBPutmPbveggle1qmvYDlncl4DPZAVN9sWpkMMQM0"),
        (S.SCRYPT, f"$scrypt$ln=99,r=9999,p=9999${_SALT}$FLcBPutmPbveggle1qmvYDlncl4DPZAVN9sWpkMMQM0"),
        (S.ARGON2, f"$argon2i$v=19$m=262145,t=1,p=1${_SALT}$/H803UHeb+PTOrQs5bSIkBFv/Kk3CEwy9YEPboayumM"),
        (S.ARGON2, f"$argon2i$v=19$m=8,t=11,p=1${_SALT}$/H803UHeb+PTOrQs5bSIkBFv/Kk3CEwy9YEPboayumM"),
        (S.ARGON2, f"$argon2i$v=19$m=800,t=1,p=17${_SALT}$/H803UHeb+PTOrQs5bSIkBFv/Kk3CEwy9YEPboayumM"),
        (S.SHA256_CRYPT, "$5$rounds=1000001$saltsalt$SVBFPIT1oLGaV6zPADBu1.GTSZ/AdN5DyBoUYOLGy48"),
        (S.SHA512_CRYPT, f"$6$rounds=999999999$saltstring${_SHA512}"),
        (S.PHPASS, "$P$KsaltsaltVTBI8tkxvP5Xg9X8iOBkt."),
        (S.PHPASS, "$P$zsaltsaltVTBI8tkxvP5Xg9X8iOBkt."),
        (S.DJANGO_PBKDF2, "pbkdf2_sha256$2000001$seasalt$+1Pj5zKiENTCwLWRFgk1ZulhapUOtXYbGbuFnChHohg="),
        (S.DJANGO_SCRYPT, f"scrypt$16777216$seasalt$8$1${_DJANGO_SCRYPT}"),
        (S.DJANGO_ARGON2, f"argon2$argon2i$v=19$m=999999,t=1,p=1${_SALT}$/H803UHeb+PTOrQs5bSIkBFv/Kk3CEwy9YEPboayumM"),
        (S.DJANGO_BCRYPT, "bcrypt_sha256$$2b$15$abcdefghijklmnopqrstuu7cUcrwLpMiLPLH7SOIeqG5bm3qZN9su"),
    ],
    ids=ids,
)
def test_a_hash_that_would_keep_the_shop_busy_is_turned_away_and_never_computed(scheme, text) -> None:
    assert HASHER.adopt(Secret(text), scheme, ANN) is RowOutcome.UNPARSABLE
    kept = StoredHash(f"$legacy${scheme.value}${text}")
    assert HASHER.verify(kept, TEAPOT, ANN) == Match(ok=False, unusable=True)


@pytest.mark.parametrize(("scheme", "text"), [row for row in SOUND + WEAK_ROWS[:-1] if ":" not in row[1]], ids=ids)
def test_what_is_cut_or_goes_on_or_is_of_another_scheme_is_unparsable(scheme, text) -> None:
    for damaged in (
        text[:-1],
        text + "A",
        text + "\n",
        " " + text,
        text[1:],
        "",
        "!",
        "x" * 100_000,
        text.replace("$", ""),
    ):
        if damaged != text:
            assert HASHER.adopt(Secret(damaged), scheme, ANN) is RowOutcome.UNPARSABLE
    for other in set(LegacyScheme) - {scheme, S.PLAIN}:
        assert HASHER.adopt(Secret(text), other, ANN) is RowOutcome.UNPARSABLE


@pytest.mark.parametrize("text", ["", "x" * 1025, "\ud800"], ids=["empty", "too long", "lone surrogate"])
def test_a_plain_text_that_is_no_password_is_unparsable(text: str) -> None:
    assert HASHER.adopt(Secret(text), S.PLAIN, ANN) is RowOutcome.UNPARSABLE


def test_bcrypt_looks_at_72_bytes_as_it_did_and_not_in_the_middle_of_ours() -> None:
    import bcrypt  # noqa: PLC0415  (makes the hash that is imported)

    long = "é" * 40  # 80 bytes
    text = bcrypt.hashpw(long.encode()[:72], b"$2b$04$abcdefghijklmnopqrstuu").decode()
    stored = adopted(S.BCRYPT, text)
    assert HASHER.verify(stored, prepare(long), ANN).ok
    assert HASHER.verify(stored, prepare(long + "more"), ANN).ok
    assert not HASHER.verify(stored, prepare("é" * 35), ANN).ok
    anew = HASHER.hash(prepare(long), ANN)
    assert HASHER.verify(anew, prepare(long), ANN).ok
    assert not HASHER.verify(anew, prepare(long + "more"), ANN).ok


def test_bcrypt_takes_no_nul() -> None:
    import bcrypt  # noqa: PLC0415  (makes the hash that is imported)

    stored = adopted(S.BCRYPT, bcrypt.hashpw(b"lamp", b"$2b$04$abcdefghijklmnopqrstuu").decode())
    assert HASHER.verify(stored, prepare("lamp"), ANN).ok
    for nul in ("lamp\0", "lamp\0post", "\0lamp"):
        assert HASHER.verify(stored, prepare(nul), ANN) == Match(ok=False)
    long = adopted(S.BCRYPT, bcrypt.hashpw(b"x" * 72, b"$2b$04$abcdefghijklmnopqrstuu").decode())
    assert HASHER.verify(long, prepare("x" * 72 + "y"), ANN).ok
    assert HASHER.verify(long, prepare("x" * 72 + "\0"), ANN) == Match(ok=False)


@pytest.mark.proves("PAS-30")
def test_whatever_happens_costs_a_hash_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    real = low_level.hash_secret_raw

    def counted(secret: bytes, salt: bytes, *cost: Any) -> bytes:
        done.append(cost)
        return real(secret, salt, *cost)

    kept = [adopted(scheme, text) for scheme, text in SOUND + WEAK_ROWS]
    odd = [
        StoredHash(text)
        for text in ("$legacy$", "$legacy$md5$x", "$legacy$nothing$x", "$wrapped$", "$wrapped$bcrypt$$x")
    ]
    monkeypatch.setattr(low_level, "hash_secret_raw", counted)
    for stored in kept + odd:
        for attempt in (TEAPOT, OTHER, None):
            done.clear()
            HASHER.verify(stored, attempt, ANN)
            assert len(done) == 1, stored.text


@pytest.mark.parametrize(
    "text", ["$legacy$", "$legacy$md5$x", "$legacy$bcrypt$", "$wrapped$", "$wrapped$bcrypt$$x", "$wrapped$md5$s$"]
)
def test_a_damaged_row_matches_nothing(text: str) -> None:
    assert HASHER.verify(StoredHash(text), TEAPOT, ANN) == Match(ok=False, unusable=True)


@given(st.sampled_from(SOUND + WEAK_ROWS), st.integers(0, 200), st.characters(), st.text(max_size=10))
@settings(max_examples=150)
def test_no_row_and_no_password_makes_it_raise(row, place: int, sign: str, typed: str) -> None:
    scheme, text = row
    damaged = text[:place] + sign + text[place + 1 :]
    answer = HASHER.adopt(Secret(damaged), scheme, ANN)
    if isinstance(answer, Adopted):
        assert HASHER.verify(answer.stored, Prepared(Secret(typed)), ANN) == Match(ok=False)


def test_both_hashers_take_over_hashes_and_ours_alone_does_not() -> None:
    assert isinstance(HASHER, LegacyHashes)
    assert not isinstance(INNER, LegacyHashes)
    assert HASHER.holds_up_the_loop


@pytest.mark.proves("ADA-211", "ADA-210")
@pytest.mark.parametrize("module", ["passlib.hash", "bcrypt"])
@pytest.mark.parametrize("hasher", [LegacyHasher, ThreadedLegacyHasher])
def test_the_extra_is_named_when_the_shop_is_put_together(hasher, module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=r"install shopaccounts\[legacy-hashes\]"):
        hasher(INNER, LegacyScheme)
