import copy
import json
import logging
import pickle
from datetime import timedelta

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.secret import Secret, same

HIDDEN = "correct horse"
texts = st.text(st.characters(), max_size=20)


@attrs.frozen
class Drawer:
    """Something that an adapter might try to write down."""

    inside: Secret[str]
    life: timedelta = timedelta(0)


@attrs.frozen
class Cupboard:
    inside: Secret[str] | None = None


WRONG = {
    "hash": hash,
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "json": json.dumps,
    "length": len,
    "characters": iter,
    "sort": lambda secret: sorted([secret, secret]),
    "set": lambda secret: {secret},
    "key": lambda secret: {secret: 1},
    "less": lambda secret: secret < secret,  # noqa: PLR0124  (it may not be sorted)
    "not-less": lambda secret: secret >= secret,  # noqa: PLR0124  (as above)
    "join": lambda secret: secret + "",
    "hash-of-holder": lambda secret: hash(Drawer(secret)),
}


class TestNothingShowsASecret:
    @pytest.mark.proves("KER-202")
    @pytest.mark.parametrize("secret", [Secret(HIDDEN), Secret(HIDDEN.encode())], ids=["text", "bytes"])
    def test_every_way_to_print_it_shows_the_same_dots(self, secret):
        by_percent = "%s %r" % (secret, 1)  # noqa: UP031  (one of the ways)
        shown = {repr(secret), str(secret), f"{secret}", f"{secret!r:>30}".strip(), f"{secret:>40}", by_percent}
        assert shown == {"Secret(•••)", "Secret(•••) 1"}

    @pytest.mark.proves("KER-202")
    def test_what_holds_it_doesnt_show_it_either(self, caplog):
        drawer = Drawer(Secret(HIDDEN))
        with caplog.at_level(logging.INFO):
            logging.getLogger("shopaccounts").info("opened %s of %r", drawer, drawer.inside)
        assert HIDDEN not in repr(drawer) + str(attrs.asdict(drawer)) + caplog.text
        assert not hasattr(drawer.inside, "__dict__")

    @pytest.mark.proves("KER-202")
    @pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
    def test_it_cant_be_hashed_copied_sorted_joined_or_written_down(self, wrong):
        with pytest.raises(TypeError) as refusal:
            wrong(Secret(HIDDEN))
        assert HIDDEN not in str(refusal.value)

    @pytest.mark.proves("KER-202")
    @pytest.mark.parametrize("value", [Drawer(Secret(HIDDEN)), Cupboard(Secret(HIDDEN)), Secret(HIDDEN)])
    def test_the_librarys_converter_doesnt_write_it(self, value):
        with pytest.raises(TypeError, match="no text") as refusal:
            serial.dump(value)
        assert HIDDEN not in str(refusal.value)

    @pytest.mark.proves("KER-202")
    def test_the_librarys_converter_doesnt_make_one(self):
        with pytest.raises(cattrs.BaseValidationError):
            serial.load(Drawer, json.dumps({"inside": HIDDEN, "life": 0}))

    @pytest.mark.proves("KER-202")
    def test_only_reveal_opens_it(self):
        assert Secret(HIDDEN).reveal() == HIDDEN
        assert Secret(b"\x00\xff").reveal() == b"\x00\xff"


class TestComparing:
    @pytest.mark.proves("KER-202", "KER-204")
    @given(texts, texts)
    def test_two_secrets_are_equal_exactly_when_their_texts_are(self, a, b):
        assert (Secret(a) == Secret(b)) == (a == b) == same(a, b)
        assert Secret(a) == Secret(a)

    @pytest.mark.proves("KER-202")
    def test_a_secret_never_equals_its_open_text(self):
        assert Secret(HIDDEN) != HIDDEN
        assert Secret(HIDDEN) != HIDDEN

    @pytest.mark.proves("KER-204")
    def test_secrets_and_digests_are_compared_in_constant_time(self, monkeypatch):
        asked: list[tuple[bytes, bytes]] = []

        def compare(a, b):
            asked.append((a, b))
            return a == b

        monkeypatch.setattr("hmac.compare_digest", compare)
        assert Secret("é") == Secret("é")
        assert not same(b"digest", "Digest")
        assert asked == [("é".encode(), "é".encode()), (b"digest", b"Digest")]
