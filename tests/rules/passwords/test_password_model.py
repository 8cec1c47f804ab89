"""What is kept of a password."""

from datetime import UTC, datetime

import attrs
import pytest

from shopaccounts.kernel.errors import Kind
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.passwords import (
    FactorProtectsShortPassword,
    NoOtherWayIn,
    PasswordRecord,
    PasswordUnacceptable,
    StoredHash,
    WrongPassword,
)

HASH = "$argon2id-owner$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"
RECORD = PasswordRecord(
    id=AccountId("anna"),
    realm=RealmId("lampenhaus"),
    hash=HASH,
    set_at=datetime(2031, 2, 14, tzinfo=UTC),
    meets_single_factor_minimum=True,
)


@pytest.mark.proves("PAS-34")
@pytest.mark.parametrize("nothing", ["", None])
def test_no_password_is_no_record_rather_than_a_record_without_a_hash(nothing: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        attrs.evolve(RECORD, hash=nothing)
    with pytest.raises((TypeError, ValueError)):
        StoredHash(nothing)


def test_a_stored_hash_tells_its_scheme_and_hides_the_rest() -> None:
    assert RECORD.stored == StoredHash(HASH)
    assert RECORD.stored.scheme == "argon2id-owner"
    assert "aGFzaA" not in repr(RECORD) + repr(RECORD.stored)


@pytest.mark.parametrize("text", ["!", "no scheme", "$", "x$argon2id$"])
def test_a_text_that_names_no_scheme_has_none(text: str) -> None:
    assert StoredHash(text).scheme == ""


def test_each_rejection_has_its_stable_code() -> None:
    rejections = [PasswordUnacceptable(()), WrongPassword(), FactorProtectsShortPassword(15), NoOtherWayIn()]
    assert [(str(rejection), rejection.kind) for rejection in rejections] == [
        ("passwords.unacceptable", Kind.INVALID),
        ("passwords.wrong_password", Kind.UNAUTHENTICATED),
        ("passwords.factor_protects_short_password", Kind.CONFLICT),
        ("passwords.no_other_way_in", Kind.CONFLICT),
    ]
