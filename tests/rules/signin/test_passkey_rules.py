"""Rules about passkeys: what a browser's answer may look like, whose it is, and what a counter tells."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.chance import as_token
from shopaccounts.kernel.errors import BadPolicy, InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.authenticators import Passkey
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.passkeys.policy import PasskeyPolicy
from shopaccounts.signin.passkeys.responses import AssertionResponse, as_bytes, read_assertion, read_registration
from shopaccounts.signin.passkeys.rules import (
    Assertion,
    Counting,
    Seen,
    check_owner,
    descriptors,
    fake_descriptors,
    judge_counter,
    used,
)

NOW = datetime(2031, 5, 4, 10, tzinfo=UTC)
POLICY = PasskeyPolicy(rp_id="lamp.example", rp_name="Lampenhaus", origins=("https://lamp.example",))
PASSKEY = Passkey(id="p", credential=b"c", public_key=b"k", counter=7, created_at=NOW, is_backup_eligible=True)
KEY = Secret(b"k" * 32)
ANSWER: dict[str, Any] = {
    "id": as_token(b"credential"),
    "rawId": as_token(b"credential"),
    "type": "public-key",
    "clientExtensionResults": {},
    "response": {
        "clientDataJSON": as_token(b"{}"),
        "authenticatorData": as_token(b"data"),
        "attestationObject": as_token(b"attestation"),
        "signature": as_token(b"signature"),
        "userHandle": as_token(b"anna"),
        "transports": ["internal", "carrier-pigeon", "usb"],
    },
}


def said(**seen: Any) -> Assertion:
    straight = Seen(user_verified=False, is_backup_eligible=True, is_backed_up=False, counter=8)
    return Assertion(seen=attrs.evolve(straight, **seen))


def without(name: str) -> dict[str, Any]:
    if name in ANSWER:
        return {key: value for key, value in ANSWER.items() if key != name}
    return ANSWER | {"response": {key: value for key, value in ANSWER["response"].items() if key != name}}


@pytest.mark.proves("SIG-24")
@pytest.mark.parametrize(
    ("stored", "seen", "counting"),
    [
        (0, 0, Counting.FINE),
        (0, 1, Counting.FINE),
        (7, 8, Counting.FINE),
        (7, 7, Counting.SUSPECT),
        (7, 6, Counting.SUSPECT),
        (7, 0, Counting.SUSPECT),
    ],
)
def test_a_counter_in_use_has_to_move_on(stored: int, seen: int, counting: Counting) -> None:
    assert judge_counter(stored, seen) is counting


@pytest.mark.proves("SIG-24")
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_stored_counter_never_goes_back(stored: int, seen: int) -> None:
    after, counting = used(attrs.evolve(PASSKEY, counter=stored), said(counter=seen), POLICY, NOW)
    assert after.counter == max(stored, seen)
    assert (counting is Counting.SUSPECT) == (seen <= stored and (stored, seen) != (0, 0))


@pytest.mark.proves("SIG-24")
def test_a_counter_that_stands_still_is_refused_where_the_shop_wants_that() -> None:
    strict = attrs.evolve(POLICY, counter="refuse")
    with pytest.raises(PasskeyRefused) as refused:
        used(PASSKEY, said(counter=7), strict, NOW)
    assert refused.value.reason == "counter"
    assert used(PASSKEY, said(counter=8), strict, NOW)[1] is Counting.FINE


@pytest.mark.proves("SIG-23")
def test_whether_a_key_may_be_copied_never_changes() -> None:
    with pytest.raises(PasskeyRefused) as refused:
        used(PASSKEY, said(is_backup_eligible=False), POLICY, NOW)
    assert refused.value.reason == "backup_state"


@pytest.mark.proves("SIG-26")
def test_a_use_is_noted_on_the_key() -> None:
    after, _ = used(PASSKEY, said(is_backed_up=True, user_verified=True), POLICY, NOW)
    assert (after.last_used_at, after.is_backed_up, after.user_verified) == (NOW, True, True)
    again, _ = used(after, said(counter=9), POLICY, NOW)
    assert (again.is_backed_up, again.user_verified) == (False, True)


@pytest.mark.proves("SIG-23")
@pytest.mark.parametrize(
    ("told", "kept", "named", "is_owner"),
    [
        (b"anna", b"anna", False, True),
        (b"anna", b"anna", True, True),
        (None, b"anna", True, True),
        (None, b"anna", False, False),
        (b"bert", b"anna", False, False),
        (b"bert", b"anna", True, False),
        (b"anna", None, True, False),
        (b"anna", None, False, False),
    ],
)
def test_a_device_says_whose_key_it_is_unless_that_was_known(
    told: bytes | None, kept: bytes | None, named: bool, is_owner: bool
) -> None:
    response = AssertionResponse(
        credential=b"c", client_data=b"d", authenticator_data=b"a", signature=b"s", user_handle=told
    )
    if is_owner:
        check_owner(response, kept, named=named)
        return
    with pytest.raises(PasskeyRefused) as refused:
        check_owner(response, kept, named=named)
    assert refused.value.reason == "user_handle"


@pytest.mark.proves("SIG-25")
@given(st.text(max_size=40), st.text(max_size=40))
def test_made_up_keys_are_always_the_same_for_one_address_and_others_for_another(one: str, other: str) -> None:
    made_up = fake_descriptors(one, KEY)
    assert made_up == fake_descriptors(one, KEY)
    assert (made_up == fake_descriptors(other, KEY)) == (one == other)
    assert made_up != fake_descriptors(one, Secret(b"x" * 32))
    assert len(made_up) == 1
    assert 16 <= len(made_up[0].credential) <= 32
    assert made_up[0].transports == ("hybrid", "internal")


@pytest.mark.proves("SIG-25")
def test_real_keys_are_told_with_how_to_reach_them() -> None:
    told = descriptors((attrs.evolve(PASSKEY, transports=("usb",)),))
    assert [(one.credential, one.transports) for one in told] == [(b"c", ("usb",))]


@pytest.mark.proves("SIG-22", "SIG-23", "SIG-26", "KER-201")
def test_what_a_browser_answers_is_read() -> None:
    made = read_registration(json.dumps(ANSWER))
    assert (made.credential, made.client_data, made.attestation) == (b"credential", b"{}", b"attestation")
    assert made.transports == ("usb", "internal")
    use = read_assertion(json.dumps(ANSWER))
    assert (use.authenticator_data, use.signature, use.user_handle) == (b"data", b"signature", b"anna")
    assert read_assertion(json.dumps(without("userHandle"))).user_handle is None


@pytest.mark.proves("KER-201", "ADA-205")
@pytest.mark.parametrize("junk", [None, b"{}", 7, True, ["{}"], {"id": "x"}, "x" * 65_537, "\ud800"])
def test_what_is_no_text_or_too_long_is_no_answer(junk: object) -> None:
    for read in (read_registration, read_assertion):
        with pytest.raises(InvalidInput):
            read(junk)


UNREADABLE = {
    "nothing": "",
    "no JSON": "{",
    "a list": "[]",
    "a number": "7",
    "deep": "[" * 60_000,
    "a name twice": json.dumps(ANSWER).replace('"type"', '"type": "public-key", "type"'),
    "no number": json.dumps(ANSWER | {"more": float("nan")}),
    "another type": json.dumps(ANSWER | {"type": "password"}),
    "two names": json.dumps(ANSWER | {"rawId": as_token(b"another")}),
    "a response that is a text": json.dumps(ANSWER | {"response": "x"}),
    "a name of 1,024 bytes": json.dumps(ANSWER | {"id": as_token(b"x" * 1024), "rawId": as_token(b"x" * 1024)}),
    **{f"without {name}": json.dumps(without(name)) for name in ("id", "rawId", "type", "response", "clientDataJSON")},
}


@pytest.mark.proves("SIG-22", "SIG-23", "ADA-205")
@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_refused_by_its_form(text: str) -> None:
    for read in (read_registration, read_assertion):
        with pytest.raises(PasskeyRefused) as refused:
            read(UNREADABLE[text])
        assert refused.value.reason == "form"


@pytest.mark.proves("SIG-22", "SIG-23")
@pytest.mark.parametrize("name", ["authenticatorData", "signature"])
def test_a_use_without_its_parts_is_refused(name: str) -> None:
    with pytest.raises(PasskeyRefused):
        read_assertion(json.dumps(without(name)))
    with pytest.raises(PasskeyRefused):
        read_registration(json.dumps(without("attestationObject")))


@pytest.mark.proves("ADA-205")
@pytest.mark.parametrize("text", ["", "YQ==", "YR", "Y+Q", "Y/Q", "Y Q", "YQ\n", "é", "Y", 7, None, ["YQ"]])
def test_bytes_are_written_in_one_way_only(text: object) -> None:
    assert as_bytes("YQ") == b"a"
    with pytest.raises(PasskeyRefused):
        as_bytes(text)


BAD: dict[str, dict[str, Any]] = {
    "a domain with its scheme": {"rp_id": "https://lamp.example"},
    "a domain in capitals": {"rp_id": "Lamp.example"},
    "no domain": {"rp_id": ""},
    "no name": {"rp_name": " "},
    "no page": {"origins": ()},
    "a page with a path": {"origins": ("https://lamp.example/shop",)},
    "a page with a slash": {"origins": ("https://lamp.example/",)},
    "an unsafe page": {"origins": ("http://lamp.example",)},
    "a page in capitals": {"origins": ("https://Lamp.example",)},
    "a page with the usual port": {"origins": ("https://lamp.example:443",)},
    "a page with a port that is none": {"origins": ("https://lamp.example:x",)},
    "a page with somebody in it": {"origins": ("https://anna@lamp.example",)},
    "any page": {"origins": ("*",)},
    "a frame of any page": {"cross_origin": ("*",)},
    "no signature": {"algorithms": ()},
    "a broken signature": {"algorithms": (-7, -65535)},
    "a wish that is none": {"user_verification": "always"},
    "a wish for keys that is none": {"resident_key": "always"},
    "a rule for counters that is none": {"counter": "ignore"},
    "a statement that is none": {"attestation": "enterprise"},
    "statements without roots": {"attestation": "direct"},
    "statements with an empty list of roots": {"attestation": "direct", "trust_roots": {"packed": ()}},
    "statements that are not read": {"attestation": "direct", "trust_roots": {"apple": (b"x",)}},
    "no passkey": {"max_per_account": 0},
    "hundreds of passkeys": {"max_per_account": 500},
    "a browser that waits on": {"timeout": timedelta(minutes=6)},
    "a browser that doesn't wait": {"timeout": timedelta(0)},
}


@pytest.mark.proves("SIG-20", "SIG-22")
@pytest.mark.parametrize("bad", BAD)
def test_a_policy_that_makes_no_sense_is_refused_at_the_start(bad: str) -> None:
    with pytest.raises(BadPolicy):
        attrs.evolve(POLICY, **BAD[bad])


def test_pages_of_apps_other_ports_and_the_own_machine_are_pages() -> None:
    app = f"android:apk-key-hash:{'a' * 43}"
    pages = ("https://lamp.example:8443", "http://localhost:5000", app)
    assert attrs.evolve(POLICY, origins=pages).origins == pages
