"""WebAuthn by its package: the promises, the vectors of the W3C, and what the package leaves open."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
import webauthn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from webauthn.helpers import encode_cbor, parse_cbor

from shopaccounts.adapters.extras import ExtraMissing
from shopaccounts.adapters.passkeys import WebAuthnPasskeys, _believing, _check_key, _check_leaf
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.passkeys.policy import PasskeyPolicy
from shopaccounts.signin.passkeys.ports import PasskeyUser
from shopaccounts.signin.passkeys.responses import (
    AssertionResponse,
    RegistrationResponse,
    read_assertion,
    read_registration,
)
from shopaccounts.signin.passkeys.rules import Expected, NewCredential
from shopaccounts.testing.authenticator import EDDSA, ES256, Bends, SoftwareAuthenticator
from shopaccounts.testing.contracts.passkeys import CHALLENGE, POLICY, PasskeysContract, _with, expected, kept
from shopaccounts.testing.doubles import ScriptedEntropy

VECTORS = json.loads((Path(__file__).parents[1] / "golden" / "webauthn" / "vectors.json").read_text())
PASSKEYS = WebAuthnPasskeys()
NOW = datetime(2031, 5, 4, 10, tzinfo=UTC)
AT_W3C = PasskeyPolicy(
    rp_id=VECTORS["rp_id"],
    rp_name="W3C",
    origins=(VECTORS["origin"],),
    cross_origin=(VECTORS["top_origin"],),
)
TAKEN = [
    "none-es256",
    "packed-self-es256",
    "none-es256-topOrigin",
    "none-es256-long-credential-id",
    "packed-es256",
    "packed-rs256",
    "packed-eddsa",
]
REFUSED = {
    "none-es256-crossOrigin": "cross_origin",
    "packed-es384": "attestation",
    "packed-es512": "algorithm",
    "packed-ed448": "attestation",
    "android-key-es256": "attestation",
    "apple-es256": "attestation",
    "tpm-es256": "attestation",
    "fido-u2f-es256": "attestation",
}
"""Signatures that no shop takes, statements that are not read, a maker of chips that there isn't (TPM), and an old key
that says its make, which those never do (FIDO U2F)."""


class TestWebAuthnPasskeys(PasskeysContract):
    def passkeys(self) -> WebAuthnPasskeys:
        return PASSKEYS


def at_w3c(part: dict[str, bytes], policy: PasskeyPolicy = AT_W3C, now: datetime = NOW) -> Expected:
    return Expected(challenge=part["challenge"], policy=policy, user_verification=False, now=now)


def vector(name: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    parts = VECTORS["vectors"][name]
    registration, authentication = (
        {key: bytes.fromhex(text) for key, text in parts[part].items()} for part in ("registration", "authentication")
    )
    return registration, authentication


def registered(name: str, policy: PasskeyPolicy = AT_W3C, now: datetime = NOW) -> NewCredential:
    part, _ = vector(name)
    response = RegistrationResponse(
        credential=part["credential_id"],
        client_data=part["clientDataJSON"],
        attestation=part["attestationObject"],
    )
    return PASSKEYS.verify_registration(response, at_w3c(part, policy, now))


def device(algorithm: int = ES256) -> SoftwareAuthenticator:
    return SoftwareAuthenticator(entropy=ScriptedEntropy(), algorithm=algorithm)


def asked_to_make() -> str:
    return PASSKEYS.registration_options(POLICY, CHALLENGE, PasskeyUser(handle=b"h" * 64, name="anna"), ())


def asked_to_use() -> str:
    return PASSKEYS.authentication_options(POLICY, CHALLENGE, (), user_verification="preferred")


def certificate(*extensions: x509.ExtensionType) -> x509.Certificate:
    """Answer a certificate in the name of the W3C's authority, with a key of its own."""
    like = x509.load_der_x509_certificate(bytes.fromhex(VECTORS["attestation_ca_cert"]))
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        like.issuer, like.subject, key.public_key(), like.serial_number, NOW, datetime(2099, 1, 1, tzinfo=UTC)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(key, hashes.SHA256())


def other_root() -> bytes:
    return certificate(x509.BasicConstraints(ca=True, path_length=None)).public_bytes(Encoding.PEM)


def pem(der_hex: str) -> bytes:
    return x509.load_der_x509_certificate(bytes.fromhex(der_hex)).public_bytes(Encoding.PEM)


def direct(*forms: str) -> PasskeyPolicy:
    root = pem(VECTORS["attestation_ca_cert"])
    return attrs.evolve(AT_W3C, attestation="direct", trust_roots=dict.fromkeys(forms, (root,)))


@pytest.mark.proves("SIG-22", "SIG-23", "ADA-205")
@pytest.mark.parametrize("name", TAKEN)
def test_the_vectors_of_the_w3c_are_taken(name: str) -> None:
    made = registered(name)
    _, part = vector(name)
    response = AssertionResponse(
        credential=made.credential,
        client_data=part["clientDataJSON"],
        authenticator_data=part["authenticatorData"],
        signature=part["signature"],
    )
    assert PASSKEYS.verify_assertion(response, kept(made), at_w3c(part)).seen.counter == 0
    with pytest.raises(PasskeyRefused):
        PASSKEYS.verify_assertion(attrs.evolve(response, signature=response.signature[:-1]), kept(made), at_w3c(part))


@pytest.mark.proves("SIG-22", "ADA-205")
@pytest.mark.parametrize("name", REFUSED)
def test_the_vectors_of_what_shops_do_not_take_are_refused(name: str) -> None:
    with pytest.raises(PasskeyRefused) as refused:
        registered(name)
    assert refused.value.reason == REFUSED[name]


@pytest.mark.proves("ADA-205")
@pytest.mark.parametrize(("name", "is_asked"), [("apple-es256", 0), ("android-key-es256", 0), ("packed-es256", 1)])
def test_the_package_is_not_asked_for_what_it_judges_by_the_wall_clock(
    name: str, is_asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(**_: object) -> None:
        asked.append(name)
        raise ValueError

    monkeypatch.setattr(webauthn, "verify_registration_response", ask)
    with pytest.raises(PasskeyRefused):
        registered(name)
    assert len(asked) == is_asked


def test_every_vector_is_looked_at() -> None:
    assert sorted([*TAKEN, *REFUSED]) == sorted(VECTORS["vectors"])


@pytest.mark.proves("SIG-22", "ADA-205")
@pytest.mark.parametrize("name", ["packed-es256", "packed-rs256", "packed-eddsa"])
def test_where_the_shop_asks_for_the_make_a_chain_to_its_root_is_taken(name: str) -> None:
    assert registered(name, direct("packed")).credential == vector(name)[0]["credential_id"]


@pytest.mark.proves("SIG-22", "ADA-205")
@pytest.mark.parametrize("name", ["none-es256", "packed-self-es256"])
def test_where_the_shop_asks_for_the_make_none_and_the_keys_own_word_are_refused(name: str) -> None:
    with pytest.raises(PasskeyRefused) as refused:
        registered(name, direct("packed"))
    assert refused.value.reason == "attestation"


@pytest.mark.proves("SIG-22", "ADA-205")
@pytest.mark.parametrize("year", [2020, 3025])
def test_certificates_are_judged_as_of_when_the_answer_came(year: int) -> None:
    with pytest.raises(PasskeyRefused) as refused:
        registered("packed-es256", direct("packed"), datetime(year, 1, 1, tzinfo=UTC))
    assert refused.value.reason == "attestation"


@pytest.mark.proves("SIG-22", "ADA-205")
def test_a_chain_to_somebody_elses_root_and_one_of_another_format_are_refused() -> None:
    for policy in (attrs.evolve(direct("packed"), trust_roots={"packed": (other_root(),)}), direct("tpm")):
        with pytest.raises(PasskeyRefused) as refused:
            registered("packed-es256", policy)
        assert refused.value.reason == "attestation"


@pytest.mark.proves("SIG-22", "ADA-205")
def test_a_certificate_that_was_given_to_another_make_vouches_for_none_but_that() -> None:
    make = bytes(range(16))
    named = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4"), b"\x04\x10" + make)
    leaf = certificate(x509.BasicConstraints(ca=False, path_length=None), named)
    _check_leaf(leaf, str(UUID(bytes=make)))
    with pytest.raises(PasskeyRefused):
        _check_leaf(leaf, str(UUID(bytes=make[::-1])))


@pytest.mark.proves("SIG-22", "ADA-205")
def test_a_certificate_that_may_sign_others_vouches_for_no_device() -> None:
    with pytest.raises(PasskeyRefused):
        _check_leaf(x509.load_der_x509_certificate(bytes.fromhex(VECTORS["attestation_ca_cert"])), "")


KEYS: dict[str, tuple[Any, str]] = {
    "off its curve": ({1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32}, "key"),
    "a coordinate that is a sign": ({1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: True}, "key"),
    "on another curve": ({1: 2, 3: -7, -1: 2, -2: b"\x01" * 48, -3: b"\x01" * 48}, "key"),
    "of another type": ({1: 1, 3: -7, -1: 6, -2: b"\x01" * 32}, "key"),
    "of no type": ({3: -7}, "key"),
    "too small": ({1: 3, 3: -257, -1: b"\xc5" + b"\x01" * 127, -2: b"\x01\x00\x01"}, "key"),
    "a number": (4, "key"),
    "of another signature": ({1: 2, 3: -36, -1: 3, -2: b"\x01" * 66, -3: b"\x01" * 66}, "algorithm"),
    "of a broken signature": ({1: 3, 3: -65535, -1: b"\xc5" + b"\x01" * 255, -2: b"\x01\x00\x01"}, "algorithm"),
}


@pytest.mark.proves("SIG-22", "ADA-205")
@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_no_good_is_refused_when_it_is_made(key: str) -> None:
    cose, reason = KEYS[key]
    mine = device()
    answer = read_registration(mine.create(asked_to_make()))
    statement = parse_cbor(answer.attestation)
    data = statement["authData"]
    place = data.index(encode_cbor(mine.held[0].key.cose))
    statement["authData"] = data[:place] + encode_cbor(cose)
    with pytest.raises(PasskeyRefused) as refused:
        PASSKEYS.verify_registration(attrs.evolve(answer, attestation=encode_cbor(statement)), expected())
    assert refused.value.reason in {reason, "attestation"}
    with pytest.raises(PasskeyRefused) as refused:
        _believing("key", lambda: _check_key(encode_cbor(cose), POLICY))
    assert refused.value.reason == reason


@pytest.mark.proves("SIG-22", "ADA-205")
def test_a_good_key_of_another_curve_than_its_signature_has_is_refused() -> None:
    point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    cose = {1: 2, 3: ES256, -1: 2, -2: point.x.to_bytes(48, "big"), -3: point.y.to_bytes(48, "big")}
    with pytest.raises(PasskeyRefused) as refused:
        _check_key(encode_cbor(cose), POLICY)
    assert refused.value.reason == "key"


@pytest.mark.proves("SIG-22")
def test_an_empty_statement_that_says_something_all_the_same_is_refused() -> None:
    answer = read_registration(device().create(asked_to_make()))
    statement = parse_cbor(answer.attestation) | {"attStmt": {"something": 1}}
    with pytest.raises(PasskeyRefused) as refused:
        PASSKEYS.verify_registration(attrs.evolve(answer, attestation=encode_cbor(statement)), expected())
    assert refused.value.reason == "attestation"


USED = device(EDDSA)
USED_KEY = kept(PASSKEYS.verify_registration(read_registration(USED.create(asked_to_make())), expected()))
USED_ANSWER = read_assertion(USED.get(asked_to_use()))


@pytest.mark.proves("SIG-23", "ADA-205")
@given(st.sampled_from(["client_data", "authenticator_data", "signature", "credential"]), st.data())
def test_any_single_altered_byte_of_an_answer_is_refused(part: str, data: st.DataObject) -> None:
    straight: bytes = getattr(USED_ANSWER, part)
    place = data.draw(st.integers(0, len(straight) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda other: other != straight[place]))
    altered = straight[:place] + bytes([byte]) + straight[place + 1 :]
    assert PASSKEYS.verify_assertion(USED_ANSWER, USED_KEY, expected()).seen.counter == 1
    with pytest.raises(PasskeyRefused):
        PASSKEYS.verify_assertion(_with(USED_ANSWER, part, altered), USED_KEY, expected())


SELF_ATTESTED = read_registration(device(EDDSA).create(asked_to_make(), Bends(self_attested=True)))


@pytest.mark.proves("SIG-22", "ADA-205")
@given(st.sampled_from(["client_data", "attestation", "credential"]), st.data())
def test_any_single_altered_byte_of_a_signed_registration_is_refused(part: str, data: st.DataObject) -> None:
    straight: bytes = getattr(SELF_ATTESTED, part)
    place = data.draw(st.integers(0, len(straight) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda other: other != straight[place]))
    altered = straight[:place] + bytes([byte]) + straight[place + 1 :]
    with pytest.raises(PasskeyRefused):
        PASSKEYS.verify_registration(_with(SELF_ATTESTED, part, altered), expected())


@pytest.mark.proves("ADA-205", "ADA-211")
def test_without_the_package_the_adapter_names_the_extra_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webauthn", None)
    with pytest.raises(ExtraMissing, match=r"shopaccounts\[passkeys\]"):
        WebAuthnPasskeys()
