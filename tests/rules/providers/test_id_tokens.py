"""Which ID tokens are believed, and how far."""

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.secret import Secret
from shopaccounts.providers.errors import Why
from shopaccounts.providers.id_tokens import (
    LOGOUT_EVENT,
    Ended,
    Expected,
    IdTokenRefused,
    OAuthProfile,
    VerifiedIdentity,
    identity_of_profile,
    judge_header,
    judge_id_token,
    judge_logout_token,
    nonce_digest,
)
from shopaccounts.providers.policy import ProviderConfig, ProviderKind, Quirk, TrustsEmail, Vouches
from shopaccounts.providers.tokens import LONGEST_TOKEN, read_json, read_token

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
NONCE = "the nonce of this browser"
CONFIG = ProviderConfig(
    id="lampen",
    issuer="https://id.example",
    client_id="the-shop",
    redirect_uri="https://shop.example/back",
    keys="https://id.example/keys",
    algorithms=("RS256", "ES256"),
    trusts_email=TrustsEmail.WHEN_VERIFIED,
    amr_map={"mfa": Vouches.MULTI, "pwd": Vouches.KNOWLEDGE},
    import_fields={"given_name": "first_name"},
)
HEADER = {"alg": "RS256", "kid": "one", "typ": "JWT"}
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": "the-shop",
    "sub": "4711",
    "exp": AT + 300,
    "iat": AT - 5,
    "nonce": NONCE,
    "email": "Frida@Lampenhaus.example",
    "email_verified": True,
}
EXPECTED = Expected(nonce_digest=nonce_digest(NONCE))
MISSING = object()


def named(value):
    """What a parameter is called: the same in every process."""
    return "missing" if value is MISSING else repr(value)


def claims(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (CLAIMS | changed).items() if value is not MISSING}


def judged(
    header: Any = HEADER, config: Any = CONFIG, expected: Any = EXPECTED, **changed: Any
) -> VerifiedIdentity | IdTokenRefused:
    return judge_id_token(header, claims(**changed), config, expected, NOW)


def why(verdict: object) -> Why | None:
    return verdict.reason if isinstance(verdict, IdTokenRefused) else None


def identity(verdict: VerifiedIdentity | IdTokenRefused) -> VerifiedIdentity:
    assert isinstance(verdict, VerifiedIdentity)
    return verdict


@pytest.mark.proves("PVD-1")
def test_who_it_is_are_issuer_and_subject_to_the_letter():
    found = identity(judged(sub=" Ä4711 "))
    assert (found.issuer, found.subject, found.provider) == ("https://id.example", " Ä4711 ", "lampen")


# PVD-20: the header


@pytest.mark.proves("PVD-20")
@pytest.mark.parametrize("alg", ["none", "NONE", "HS256", "PS256", "rs256", "", None, 1, ["RS256"], MISSING])
def test_only_configured_algorithms_sign(alg):
    header = {name: value for name, value in (HEADER | {"alg": alg}).items() if value is not MISSING}
    assert why(judge_header(header, CONFIG)) is Why.ALGORITHM
    assert why(judged(header)) is Why.ALGORITHM


@pytest.mark.proves("PVD-20")
@pytest.mark.parametrize("more", [{"crit": ["exp"]}, {"crit": []}, {"crit": None}, {"b64": False}, {"b64": True}])
def test_whatever_demands_an_extension_is_refused(more):
    assert why(judge_header(HEADER | more, CONFIG)) is Why.CRITICAL


@pytest.mark.proves("PVD-20")
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_a_token_brings_no_key_unless_its_provider_is_known_to_send_that(name):
    odd = HEADER | {name: "whatever"}
    assert why(judge_header(odd, CONFIG)) is Why.KEY_HEADER
    others = frozenset(Quirk) - {Quirk(name)}
    assert why(judge_header(odd, attrs.evolve(CONFIG, quirks=others))) is Why.KEY_HEADER
    assert judge_header(odd, attrs.evolve(CONFIG, quirks=frozenset({Quirk(name)}))) is None


@pytest.mark.proves("PVD-20")
@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "secevent+jwt", "jwt ", "", None, 1, ["JWT"]], ids=repr)
def test_a_token_of_another_kind_is_no_id_token(typ):
    assert why(judged(HEADER | {"typ": typ})) is Why.TYPE


@pytest.mark.proves("PVD-20")
@pytest.mark.parametrize("header", [HEADER, HEADER | {"typ": "id_token+jwt"}, {"alg": "RS256"}])
def test_an_id_token_says_its_kind_or_nothing(header):
    assert judge_header(header, CONFIG) is None


# PVD-21: from whom, for whom, about whom, when


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize(
    "iss",
    ["https://id.example/", "https://ID.example", "https://evil.example", "", None, MISSING, ["https://id.example"]],
)
def test_the_issuer_is_the_configured_one_to_the_letter(iss):
    assert why(judged(iss=iss)) is Why.ISSUER


@pytest.mark.proves("PVD-21")
def test_of_an_issuer_with_tenants_only_those_named_are_let_in():
    tenants = attrs.evolve(CONFIG, issuer="https://id.example/{tenant}/v2", allowed_tenants=frozenset({"a", "b"}))
    assert identity(judged(config=tenants, iss="https://id.example/a/v2")).issuer == "https://id.example/a/v2"
    for other in ("c", "{tenant}", "", "a/v2/../b"):
        assert why(judged(config=tenants, iss=f"https://id.example/{other}/v2")) is Why.ISSUER


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize(
    "aud", ["another", "the-shop ", "", None, 1, [], ["another"], ["the-shop", 1], {"the-shop": 1}]
)
def test_the_audience_is_this_shop(aud):
    assert why(judged(aud=aud, azp="the-shop")) is Why.AUDIENCE


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize(
    ("aud", "azp", "believed"),
    [
        ("the-shop", MISSING, True),
        ("the-shop", "the-shop", True),
        ("the-shop", "another", False),
        ("the-shop", None, False),
        (["the-shop"], MISSING, True),
        (["the-shop"], "another", False),
        (["the-shop", "another"], MISSING, False),
        (["the-shop", "another"], "another", False),
        (["the-shop", "another"], "the-shop", True),
    ],
)
def test_of_several_audiences_the_authorised_party_is_this_shop(aud, azp, believed):
    assert why(judged(aud=aud, azp=azp)) is (None if believed else Why.PARTY)


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize("sub", ["", "x" * 256, None, 4711, True, MISSING, ["4711"], "\ud800"])
def test_a_token_is_about_somebody(sub):
    assert why(judged(sub=sub)) is Why.SUBJECT
    assert identity(judged(sub="x" * 255)).subject == "x" * 255


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize(
    ("claim", "last_good", "first_bad", "reason"),
    [
        ("exp", AT - 59, AT - 60, Why.EXPIRES),
        ("iat", AT + 60, AT + 61, Why.ISSUED),
        ("iat", AT - 600, AT - 601, Why.ISSUED),
        ("nbf", AT + 60, AT + 61, Why.NOT_BEFORE),
    ],
)
def test_times_hold_to_the_second_with_a_minute_for_clocks(claim, last_good, first_bad, reason):
    assert why(judged(**{claim: last_good})) is None
    assert why(judged(**{claim: float(last_good)})) is None
    assert why(judged(**{claim: first_bad})) is reason


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize(("claim", "reason"), [("exp", Why.EXPIRES), ("iat", Why.ISSUED), ("nbf", Why.NOT_BEFORE)])
@pytest.mark.parametrize("value", [True, None, "4102444800", float("nan"), float("inf"), 10**400, [AT], {}])
def test_what_is_no_number_is_no_time(claim, reason, value):
    assert why(judged(**{claim: value})) is reason


@pytest.mark.proves("PVD-21")
@pytest.mark.parametrize(("claim", "reason"), [("exp", Why.EXPIRES), ("iat", Why.ISSUED)])
def test_a_token_says_when_it_was_issued_and_until_when_it_is_good(claim, reason):
    assert why(judged(**{claim: MISSING})) is reason


@pytest.mark.proves("PVD-22")
@pytest.mark.parametrize("nonce", ["another", "", None, MISSING, 1, NONCE + " ", [NONCE], "\ud800"])
def test_a_token_is_for_the_browser_that_was_sent(nonce):
    assert why(judged(nonce=nonce)) is Why.NONCE


@pytest.mark.proves("PVD-22")
def test_the_name_of_a_token_is_told_so_that_it_can_be_remembered():
    assert identity(judged(jti="4711-1")).jti == "4711-1"
    assert identity(judged()).jti is None


# PVD-23: strength


@pytest.mark.proves("PVD-23")
@pytest.mark.parametrize(
    ("auth_time", "believed"),
    [(AT, True), (AT - 960, True), (AT - 961, False), (AT + 61, False), (MISSING, False), (True, False), ("0", False)],
)
def test_where_the_age_of_the_sign_in_was_asked_it_must_be_told_and_young(auth_time, believed):
    expected = attrs.evolve(EXPECTED, max_age=timedelta(minutes=15))
    assert why(judged(expected=expected, auth_time=auth_time)) is (None if believed else Why.AUTH_TIME)
    assert why(judged(auth_time=auth_time)) is None


@pytest.mark.proves("PVD-23")
@pytest.mark.parametrize(
    ("said", "worth"),
    [
        ({}, None),
        ({"amr": ["mfa"]}, Vouches.MULTI),
        ({"amr": ["pwd"]}, Vouches.KNOWLEDGE),
        ({"amr": ["pwd", "mfa"]}, Vouches.MULTI),
        ({"acr": "mfa"}, Vouches.MULTI),
        ({"amr": ["otp", "hwk"], "acr": "urn:high"}, None),
        ({"amr": "mfa"}, None),
        ({"amr": [["mfa"], None, 1]}, None),
        ({"acr": ["mfa"]}, None),
    ],
)
def test_strength_is_believed_only_as_the_configuration_values_its_words(said, worth):
    assert identity(judged(**said)).vouches is worth
    assert identity(judged(config=attrs.evolve(CONFIG, amr_map={}), **said)).vouches is None


# PVD-24: access token, form


@pytest.mark.proves("PVD-24")
def test_the_hash_of_an_access_token_that_came_along_fits_it():
    # The access token and its hash of RFC-like examples are made here by the definition of OpenID Connect Core 3.1.3.6.
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    right = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
    assert right == "77QmUPtjPfzWtF2AnpK9RQ"  # as published in OpenID Connect Core 1.0, Appendix A.4 and A.6
    given = Secret(token)
    good = judge_id_token(HEADER, claims(at_hash=right), CONFIG, EXPECTED, NOW, access_token=given)
    assert isinstance(good, VerifiedIdentity)
    for wrong in (right[:-1], right + "A", "", None, 1):
        bent = judge_id_token(HEADER, claims(at_hash=wrong), CONFIG, EXPECTED, NOW, access_token=given)
        assert why(bent) is Why.ACCESS_TOKEN
    other = judge_id_token(HEADER, claims(at_hash=right), CONFIG, EXPECTED, NOW, access_token=Secret("another"))
    assert why(other) is Why.ACCESS_TOKEN


@pytest.mark.proves("PVD-24")
@pytest.mark.parametrize(
    ("alg", "hashed"),
    [("ES384", hashlib.sha384), ("PS512", hashlib.sha512), ("Ed25519", hashlib.sha512), ("RS256", hashlib.sha256)],
)
def test_the_hash_is_the_one_of_the_signature(alg, hashed):
    config = attrs.evolve(CONFIG, algorithms=(alg,))
    digest = hashed(b"token").digest()
    told = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    verdict = judge_id_token({"alg": alg}, claims(at_hash=told), config, EXPECTED, NOW, access_token=Secret("token"))
    assert isinstance(verdict, VerifiedIdentity)


def part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def spelled(header: bytes = b'{"alg":"RS256"}', body: bytes = b'{"sub":"1"}', signature: bytes = b"s") -> str:
    return f"{part(header)}.{part(body)}.{part(signature)}"


def test_a_token_is_read_in_three_parts():
    token = read_token(spelled())
    assert token is not None
    assert (token.header, token.claims, token.signature) == ({"alg": "RS256"}, {"sub": "1"}, b"s")
    assert token.signed == spelled().rpartition(".")[0].encode()


@pytest.mark.proves("PVD-20", "PVD-24")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        spelled() + ".d",
        spelled() + ".d.e",
        spelled().rpartition(".")[0] + ".",
        spelled() + "=",
        spelled() + " ",
        " " + spelled(),
        spelled().replace(".", "..", 1),
        "é" + spelled(),
        spelled(b"[]"),
        spelled(body=b'"text"'),
        spelled(body=b"\xff"),
        None,
        b"a.b.c",
        ["a.b.c"],
        spelled(body=json.dumps({"a": "x" * LONGEST_TOKEN}).encode()),
    ],
)
def test_what_is_no_token_is_none(text):
    assert read_token(text) is None


@pytest.mark.proves("PVD-24")
@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1} {"b":1}',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_json_that_could_be_read_in_two_ways_is_none(raw):
    assert read_json(raw) is None


@pytest.mark.proves("PVD-24")
def test_nesting_of_32_is_read_and_brackets_in_text_are_no_nesting():
    assert read_json(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}") is not None
    assert read_json(b'{"a":"' + b"[" * 100 + b'\\""}') == {"a": "[" * 100 + '"'}


@pytest.mark.proves("PVD-24")
@given(st.binary(max_size=200))
def test_no_bytes_upset_the_reader(raw):
    read_json(raw)
    read_token(raw.decode("latin-1"))


@pytest.mark.proves("PVD-24")
@given(st.data())
def test_a_signature_has_one_spelling(data):
    signature = data.draw(st.binary(min_size=1, max_size=80))
    text = spelled(signature=signature)
    at = data.draw(st.integers(text.rindex(".") + 1, len(text) - 1))
    sign = data.draw(st.sampled_from("ABCXYZabcxyz0189-_"))
    bent = read_token(text[:at] + sign + text[at + 1 :])
    assert text[at] == sign or bent is None or bent.signature != signature


# PVD-25: the address


@pytest.mark.proves("PVD-25")
@pytest.mark.parametrize("said", [False, None, MISSING, "true", "TRUE", "no", "1", 1, 0, 2, 1.5, [True], {}], ids=named)
def test_an_address_is_proven_by_the_literal_true_alone(said):
    assert identity(judged()).proven_email is not None
    found = identity(judged(email_verified=said))
    assert found.email is not None
    assert found.proven_email is None


@pytest.mark.proves("PVD-25")
def test_odd_types_count_only_where_the_provider_is_known_for_them():
    text = attrs.evolve(CONFIG, quirks=frozenset({Quirk.EMAIL_VERIFIED_AS_TEXT}))
    number = attrs.evolve(CONFIG, quirks=frozenset({Quirk.EMAIL_VERIFIED_AS_NUMBER}))
    assert identity(judged(config=text, email_verified="true")).proven_email
    assert identity(judged(config=number, email_verified=1)).proven_email
    for config, said in ((text, 1), (text, "yes"), (text, "TRUE"), (number, "true"), (number, 2), (number, 1.0)):
        assert identity(judged(config=config, email_verified=said)).proven_email is None


@pytest.mark.proves("PVD-25")
def test_only_a_provider_that_is_trusted_with_addresses_proves_them_and_only_its_own():
    never = attrs.evolve(CONFIG, trusts_email=TrustsEmail.NEVER)
    assert identity(judged(config=never)).proven_email is None
    own = attrs.evolve(CONFIG, authoritative_domains=frozenset({"lampenhaus.example"}))
    assert identity(judged(config=own)).proven_email
    for foreign in ("frida@evil.example", "frida@x.lampenhaus.example", "frida@lampenhaus.example.evil.example"):
        assert identity(judged(config=own, email=foreign)).proven_email is None


@pytest.mark.proves("PVD-25")
@pytest.mark.parametrize("email", [None, MISSING, "", "frida", 1, ["frida@a.example"], "a@b@c.example", "x" * 400])
def test_what_can_be_no_address_is_none(email):
    assert identity(judged(email=email)).email is None


@pytest.mark.proves("PVD-25")
def test_an_address_is_compared_like_any_other():
    found = identity(judged()).proven_email
    assert found is not None
    assert found.login_key == "frida@lampenhaus.example"


@pytest.mark.proves("PVD-35")
def test_only_fields_that_the_configuration_names_come_along():
    found = identity(judged(given_name=" Frida ", family_name="Lamp", picture="https://x.example"))
    assert found.fields == {"first_name": "Frida"}
    for odd in ("", "  ", 1, None, ["Frida"], "Frida\n Lamp", "x" * 121):
        assert identity(judged(given_name=odd)).fields == {}


# Mutations


def altered(value: Any) -> st.SearchStrategy[Any]:
    others = st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=2)
    )
    return others.filter(lambda other: other != value or type(other) is not type(value))


@pytest.mark.proves("PVD-20", "PVD-21", "PVD-22")
@given(st.data())
def test_a_claim_that_decides_and_is_altered_is_refused_or_still_true(data):
    claim = data.draw(st.sampled_from(["iss", "aud", "sub", "exp", "iat", "nonce"]))
    other = data.draw(altered(CLAIMS[claim]))
    verdict = judge_id_token(HEADER, CLAIMS | {claim: other}, CONFIG, EXPECTED, NOW)
    if claim == "sub" and isinstance(verdict, VerifiedIdentity):
        assert verdict.subject == other  # another person, and told to be another
        return
    if claim in {"exp", "iat"} and isinstance(verdict, VerifiedIdentity):
        assert not isinstance(other, bool)  # another time, and a good one
        return
    assert isinstance(verdict, IdTokenRefused)


@pytest.mark.proves("PVD-21")
@given(st.dictionaries(st.sampled_from([*CLAIMS, "azp", "nbf", "amr"]), st.one_of(st.none(), st.integers(), st.text())))
def test_no_claims_upset_the_judge(told):
    verdict = judge_id_token(HEADER, told, CONFIG, EXPECTED, NOW)
    assert isinstance(verdict, (IdTokenRefused, VerifiedIdentity))


# PVD-26: messages about the end of a session

LOGOUT: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": "the-shop",
    "sub": "4711",
    "iat": AT - 5,
    "jti": "x1",
    "events": {LOGOUT_EVENT: {}},
}
LOGOUT_HEADER = {"alg": "RS256", "typ": "logout+jwt"}


@pytest.mark.proves("PVD-26")
def test_a_provider_tells_who_signed_out_there():
    assert judge_logout_token(LOGOUT_HEADER, LOGOUT, CONFIG, NOW) == Ended(
        issuer="https://id.example", subject="4711", jti="x1"
    )


@pytest.mark.proves("PVD-26")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"nonce": "x"}, Why.EVENT),
        ({"events": {}}, Why.EVENT),
        ({"events": {LOGOUT_EVENT: True}}, Why.EVENT),
        ({"events": [LOGOUT_EVENT]}, Why.EVENT),
        ({"iat": AT - 121}, Why.ISSUED),
        ({"exp": AT - 61}, Why.EXPIRES),
        ({"jti": None}, Why.REPLAYED),
        ({"sub": ""}, Why.SUBJECT),
        ({"aud": "another"}, Why.AUDIENCE),
        ({"iss": "https://evil.example"}, Why.ISSUER),
    ],
)
def test_a_message_that_is_none_ends_nothing(changed, reason):
    assert why(judge_logout_token(LOGOUT_HEADER, LOGOUT | changed, CONFIG, NOW)) is reason


@pytest.mark.proves("PVD-26")
def test_an_id_token_is_no_such_message_and_the_other_way_round():
    for typ in ("JWT", "id_token+jwt"):
        assert why(judge_logout_token(HEADER | {"typ": typ}, LOGOUT, CONFIG, NOW)) is Why.TYPE
    assert why(judge_logout_token({"alg": "RS256"}, LOGOUT, CONFIG, NOW)) is Why.TYPE
    assert why(judged(LOGOUT_HEADER)) is Why.TYPE


# PVD-37: plain OAuth 2

PLAIN = ProviderConfig(
    id="hub",
    kind=ProviderKind.OAUTH2,
    client_id="the-shop",
    redirect_uri="https://shop.example/back",
    trusts_email=TrustsEmail.WHEN_VERIFIED,
    import_fields={"name": "full_name"},
)


@pytest.mark.proves("PVD-37", "PVD-1")
def test_a_plain_profile_is_known_by_the_configuration_and_its_unchanging_id():
    profile = OAuthProfile(subject="99", email="f@a.example", email_verified=True, fields={"name": "F", "role": "boss"})
    found = identity(identity_of_profile(profile, PLAIN))
    assert (found.issuer, found.subject) == ("hub", "99")
    assert found.proven_email is not None
    assert found.fields == {"full_name": "F"}


@pytest.mark.proves("PVD-37")
@pytest.mark.parametrize("said", [False, "true", 1, None], ids=repr)
def test_a_plain_profile_proves_no_address_by_default(said):
    assert identity(identity_of_profile(OAuthProfile(subject="9", email="f@a.example"), PLAIN)).proven_email is None
    odd = OAuthProfile(subject="9", email="f@a.example", email_verified=said)
    assert identity(identity_of_profile(odd, PLAIN)).proven_email is None


@pytest.mark.proves("PVD-37")
@pytest.mark.parametrize("subject", ["", 99, None, "x" * 256])
def test_a_plain_profile_is_about_somebody(subject):
    assert why(identity_of_profile(OAuthProfile(subject=subject), PLAIN)) is Why.SUBJECT
