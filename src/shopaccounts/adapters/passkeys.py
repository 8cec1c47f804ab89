"""Passkeys by webauthn, with its edges filed off.

What the package leaves open is closed here: it looks at no frame, compares no user handle and no change of backup
eligibility, takes the verified user for granted unless told, believes statements about a device without any root, takes
small keys and keys off their curve, judges certificates by the wall clock, and answers a counter that went back as it
answers a forged signature. So the rules of sign-in judge first, the counter is handed over as 0, keys and chains are
looked at once more, and whatever the package raises becomes a reason key.

Statements about a device are read in the formats ``none``, ``packed``, ``fido-u2f`` and ``tpm``; the package judges the
others by the wall clock, and they are refused.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from shopaccounts.adapters.extras import require_extra
from shopaccounts.signin.authenticators import Passkey
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.passkeys.policy import MAX_CREDENTIAL_BYTES, PasskeyPolicy
from shopaccounts.signin.passkeys.ports import PasskeyUser
from shopaccounts.signin.passkeys.responses import AssertionResponse, RegistrationResponse
from shopaccounts.signin.passkeys.rules import (
    Assertion,
    Descriptor,
    Expected,
    NewCredential,
    judge_authenticator,
    judge_client_data,
)

__all__ = ["WebAuthnPasskeys"]

T = TypeVar("T")
_SMALLEST_RSA: Final = 2048
_SHAPES: Final = {-8: (1, 6), -7: (2, 1), -257: (3, None)}
"""Key type and curve of each signature, as COSE numbers them. [RFC 9053 section 7; RFC 8812 section 2]"""
_READ: Final = frozenset({"none", "packed", "fido-u2f", "tpm"})
_AAGUID_EXTENSION: Final = "1.3.6.1.4.1.45724.1.1.4"


class WebAuthnPasskeys:
    """Keeps the promises of ``Passkeys``.

    Raises:
        ExtraMissing: The extra ``passkeys`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra("passkeys", self, "webauthn")

    def registration_options(
        self, policy: PasskeyPolicy, challenge: bytes, user: PasskeyUser, exclude: tuple[Descriptor, ...]
    ) -> str:
        """Answer what a browser is asked to make a passkey."""
        import webauthn  # noqa: PLC0415  (optional)
        from webauthn.helpers import cose, structs  # noqa: PLC0415  (optional)

        options = webauthn.generate_registration_options(
            rp_id=policy.rp_id,
            rp_name=policy.rp_name,
            user_id=user.handle,
            user_name=user.name,
            challenge=challenge,
            timeout=_millis(policy),
            attestation=structs.AttestationConveyancePreference(policy.attestation),
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement(policy.resident_key),
                user_verification=structs.UserVerificationRequirement(policy.user_verification),
            ),
            exclude_credentials=_described(exclude),
            supported_pub_key_algs=[cose.COSEAlgorithmIdentifier(number) for number in policy.algorithms],
        )
        return webauthn.options_to_json(options)

    def authentication_options(
        self, policy: PasskeyPolicy, challenge: bytes, allow: tuple[Descriptor, ...], *, user_verification: str
    ) -> str:
        """Answer what a browser is asked to use a passkey."""
        import webauthn  # noqa: PLC0415  (optional)
        from webauthn.helpers import structs  # noqa: PLC0415  (optional)

        options = webauthn.generate_authentication_options(
            rp_id=policy.rp_id,
            challenge=challenge,
            timeout=_millis(policy),
            allow_credentials=_described(allow),
            user_verification=structs.UserVerificationRequirement(user_verification),
        )
        return webauthn.options_to_json(options)

    def verify_registration(self, response: RegistrationResponse, expected: Expected) -> NewCredential:
        """Answer the key that was made."""
        from webauthn.helpers import parse_cbor  # noqa: PLC0415  (optional)

        judge_client_data(response.client_data, "webauthn.create", expected)
        statement = _believing("form", lambda: _statement(parse_cbor(response.attestation)))
        seen = judge_authenticator(statement["authData"], expected)
        _check_format(statement)
        verified = _believing("attestation", lambda: _verified_registration(response, expected))
        named = verified.credential_id
        if named != response.credential or len(named) > MAX_CREDENTIAL_BYTES:
            raise PasskeyRefused(reason="form")
        _believing("key", lambda: _check_key(verified.credential_public_key, expected.policy))
        if expected.policy.attestation == "direct":
            _believing("attestation", lambda: _check_chain(statement, verified.aaguid, expected))
        return NewCredential(
            credential=named,
            public_key=verified.credential_public_key,
            aaguid=verified.aaguid,
            transports=response.transports,
            seen=seen,
        )

    def verify_assertion(self, response: AssertionResponse, passkey: Passkey, expected: Expected) -> Assertion:
        """Answer what a device says with a right signature of *passkey*."""
        judge_client_data(response.client_data, "webauthn.get", expected)
        seen = judge_authenticator(response.authenticator_data, expected)
        if response.credential != passkey.credential:
            raise PasskeyRefused(reason="signature")
        _believing("signature", lambda: _verified_assertion(response, passkey, expected))
        return Assertion(seen=seen)


def _believing(reason: str, judge: Callable[[], T]) -> T:
    """Answer what *judge* does; whatever it raises is a refusal, and none of its words go on."""
    try:
        return judge()
    except PasskeyRefused:
        raise
    except Exception:  # noqa: BLE001  (the package raises what its parsers do)
        raise PasskeyRefused(reason=reason) from None


def _millis(policy: PasskeyPolicy) -> int:
    return int(policy.timeout.total_seconds() * 1000)


def _described(named: Sequence[Descriptor]) -> list[Any]:
    from webauthn.helpers import structs  # noqa: PLC0415  (optional)

    return [
        structs.PublicKeyCredentialDescriptor(
            id=one.credential,
            transports=[structs.AuthenticatorTransport(transport) for transport in one.transports] or None,
        )
        for one in named
    ]


def _statement(decoded: Any) -> dict[str, Any]:
    """Answer an attestation object of the right shape."""
    shape = {"fmt": str, "attStmt": dict, "authData": bytes}
    if not isinstance(decoded, dict) or any(not isinstance(decoded.get(key), kind) for key, kind in shape.items()):
        raise PasskeyRefused(reason="form")
    return decoded


def _check_format(statement: dict[str, Any]) -> None:
    says_what_it_holds = statement["fmt"] != "none" or not statement["attStmt"]
    if statement["fmt"] not in _READ or not says_what_it_holds:
        raise PasskeyRefused(reason="attestation")


def _verified_registration(response: RegistrationResponse, expected: Expected) -> Any:
    import webauthn  # noqa: PLC0415  (optional)
    from webauthn.helpers import cose, structs  # noqa: PLC0415  (optional)

    return webauthn.verify_registration_response(
        credential=structs.RegistrationCredential(
            id=_text(response.credential),
            raw_id=response.credential,
            response=structs.AuthenticatorAttestationResponse(
                client_data_json=response.client_data, attestation_object=response.attestation
            ),
        ),
        expected_challenge=expected.challenge,
        expected_rp_id=expected.policy.rp_id,
        expected_origin=list(expected.policy.origins),
        require_user_verification=expected.user_verification,
        supported_pub_key_algs=list(cose.COSEAlgorithmIdentifier),
    )


def _verified_assertion(response: AssertionResponse, passkey: Passkey, expected: Expected) -> None:
    import webauthn  # noqa: PLC0415  (optional)
    from webauthn.helpers import structs  # noqa: PLC0415  (optional)

    webauthn.verify_authentication_response(
        credential=structs.AuthenticationCredential(
            id=_text(response.credential),
            raw_id=response.credential,
            response=structs.AuthenticatorAssertionResponse(
                client_data_json=response.client_data,
                authenticator_data=response.authenticator_data,
                signature=response.signature,
            ),
        ),
        expected_challenge=expected.challenge,
        expected_rp_id=expected.policy.rp_id,
        expected_origin=list(expected.policy.origins),
        credential_public_key=passkey.public_key,
        credential_current_sign_count=0,
        require_user_verification=expected.user_verification,
    )


def _text(raw: bytes) -> str:
    from webauthn.helpers import bytes_to_base64url  # noqa: PLC0415  (optional)

    return bytes_to_base64url(raw)


def _check_key(public_key: bytes, policy: PasskeyPolicy) -> None:
    """Refuse a key of another signature than the shop takes, of another shape than its signature has, or too small."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415  (optional)
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography  # noqa: PLC0415

    key = decode_credential_public_key(public_key)
    if key.alg not in policy.algorithms:
        raise PasskeyRefused(reason="algorithm")
    if (key.kty, getattr(key, "crv", None)) != _SHAPES[key.alg]:
        raise PasskeyRefused(reason="key")
    usable = decoded_public_key_to_cryptography(key)
    if isinstance(usable, RSAPublicKey) and usable.key_size < _SMALLEST_RSA:
        raise PasskeyRefused(reason="key")


def _check_chain(statement: dict[str, Any], aaguid: str, expected: Expected) -> None:
    """Refuse a statement that has no chain to a root that the shop has for its format, as of when the answer came."""
    from cryptography import x509  # noqa: PLC0415  (optional)
    from OpenSSL.crypto import X509, X509Store, X509StoreContext  # noqa: PLC0415  (optional)

    leaf, *between = (x509.load_der_x509_certificate(raw) for raw in statement["attStmt"]["x5c"])
    store = X509Store()
    for root in expected.policy.trust_roots[statement["fmt"]]:
        store.add_cert(X509.from_cryptography(x509.load_pem_x509_certificate(root)))
    store.set_time(expected.now)
    chain = [X509.from_cryptography(certificate) for certificate in between]
    X509StoreContext(store, X509.from_cryptography(leaf), chain).verify_certificate()
    _check_leaf(leaf, aaguid)


def _check_leaf(leaf: Any, aaguid: str) -> None:
    """Refuse a certificate that may sign others, or that was given to another make.

    [W3C WebAuthn 3 section 8.2.1]
    """
    from cryptography import x509  # noqa: PLC0415  (optional)

    if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise PasskeyRefused(reason="attestation")
    makes = [one.value.value for one in leaf.extensions if one.oid.dotted_string == _AAGUID_EXTENSION]
    if any(make != b"\x04\x10" + bytes.fromhex(aaguid.replace("-", "")) for make in makes):
        raise PasskeyRefused(reason="attestation")
