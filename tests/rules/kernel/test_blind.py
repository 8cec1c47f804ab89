"""Blind indexes: look-ups over values that are not kept in the clear."""

import hashlib
import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopaccounts.kernel.blind import BlindIndex, IndexKey, IndexPurpose, blind_index, ip_index
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import BadPolicy, Defect, Rejected
from shopaccounts.kernel.secret import Secret

pytestmark = pytest.mark.proves("SHR-5")

CONTACT_PURPOSES = [purpose for purpose in IndexPurpose if purpose is not IndexPurpose.IP]


def key(purpose, version=1, secret=b"k" * 32):
    return IndexKey(purpose, version, Secret(secret))


def filed(value, kind=ContactKind.EMAIL, purpose=IndexPurpose.SUPPRESSION, scope="main"):
    return blind_index(value, kind, purpose, key(purpose), scope)


def filed_phone(value):
    return filed(value, ContactKind.PHONE)


def filed_ip(value):
    return ip_index(value, key(IndexPurpose.IP), "main")


def plain_digest(*parts):
    message = b"shopaccounts/blind/1\x00" + b"\x00".join(part.encode("utf-8", "surrogatepass") for part in parts)
    return hmac.new(b"k" * 32, message, hashlib.sha256).digest()


def test_the_digest_is_laid_out_as_written():
    expected = plain_digest("suppression", "main", "email", "nora@example.org")
    assert filed("Nora@Example.org") == BlindIndex(IndexPurpose.SUPPRESSION, 1, expected)
    assert filed_phone("+49 30 123420").digest == plain_digest("suppression", "main", "phone", "+4930123420")
    assert filed_ip("192.0.2.1").digest == plain_digest("ip", "main", "ip", "192.0.2.1")


def test_the_digest_of_one_address_never_changes():
    """Stored entries must be found by every later version."""
    assert filed("nora@example.org").digest.hex() == "a8de7a1e1add3fdc61a2537efbab2e56d5865d792c9fe7625460e3c3aec9531d"


@given(st.text(max_size=40), st.sampled_from(CONTACT_PURPOSES), st.sampled_from(CONTACT_PURPOSES))
def test_another_purpose_gives_an_unrelated_digest(value, one, other):
    digests = {filed(value, purpose=one).digest, filed(value, purpose=other).digest}
    assert (len(digests) == 1) == (one is other)


def test_another_scope_kind_key_or_version_gives_an_unrelated_digest():
    value, purpose = "+4930123420", IndexPurpose.LOGIN
    asked = [
        blind_index(value, ContactKind.PHONE, purpose, key(purpose), "main"),
        blind_index(value, ContactKind.PHONE, purpose, key(purpose), "other"),
        blind_index(value, ContactKind.EMAIL, purpose, key(purpose), "main"),
        blind_index(value, ContactKind.PHONE, purpose, key(purpose, 2, b"j" * 32), "main"),
    ]
    assert len({index.digest for index in asked}) == len(asked)
    assert [index.key_version for index in asked] == [1, 1, 1, 2]


@pytest.mark.parametrize("made", [filed, filed_phone, filed_ip])
@given(value=st.text(st.characters(categories=None), max_size=400))
@example(value="")
@example(value="\ud800@\udfff")
@example(value="nora@xn--zz.example")
@example(value="fe80::1%\x00")
def test_every_text_has_a_digest_of_full_length(made, value):
    assert len(made(value).digest) == 32


@given(
    st.from_regex(r"[A-Za-z0-9+_-]{1,9}(\.[A-Za-z0-9é]{1,9})?", fullmatch=True)
    | st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=9),
    st.sampled_from(["Example.org.", "Groß.example", "XN--GRO-7KA.example", "shop。example", "googlemail.com"]),
)
def test_where_an_address_is_one_its_login_key_is_what_is_digested(local, domain):
    raw = f" {local}@{domain}\t"
    try:
        login_key = EmailAddress.parse(raw).login_key
    except Rejected:
        return
    assert filed(raw).digest == plain_digest("suppression", "main", "email", login_key)
    assert filed(raw) == filed(login_key)


def test_spellings_of_one_address_are_one_entry():
    assert filed("zoe@Groß.example") == filed(" ZOE@xn--gro-7ka.EXAMPLE. ") != filed("zoe@gross.example")


def test_dots_and_plus_tags_make_other_entries():
    assert len({filed(raw).digest for raw in ("norak@gmail.com", "nora.k@gmail.com", "norak+a@gmail.com")}) == 3


@pytest.mark.parametrize(
    ("dirty", "normalised"),
    [
        (" Nora at Example.org\t", "nora at example.org"),
        ("NORA@EXAMPLE", "nora@example"),
        ("Ｎora@example.org", "nora@example.org"),
        ("ÉMILE@", "Émile@"),
        ("\ud800@Example.org", "\ud800@example.org"),
    ],
)
def test_an_address_that_is_none_is_digested_as_compatible_lower_case_text(dirty, normalised):
    assert filed(dirty).digest == plain_digest("suppression", "main", "email", normalised)


def test_an_overlong_text_is_not_normalised_so_that_it_costs_no_more_than_its_length():
    hostile = "A" + "\u0300\u0316" * 100_000
    assert filed(hostile).digest == plain_digest("suppression", "main", "email", "a" + hostile[1:])


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("+49 (30) 12-34.20", "+4930123420"),
        ("030 / 12 34 20", "030123420"),
        ("+\uff14\uff19\uff13\uff10\uff11\uff12\uff13\uff14\uff12\uff10", "+4930123420"),
        ("+٤٩٣٠١٢٣٤٢٠", "+4930123420"),
        ("call me", ""),
    ],
)
def test_a_number_is_digested_as_its_digits_and_plus(raw, normalised):
    assert filed_phone(raw).digest == plain_digest("suppression", "main", "phone", normalised)


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True), st.sampled_from([" ", ".", "-", "(", ")", "\u00a0"]))
def test_where_a_number_is_one_its_e164_form_is_what_is_digested(e164, separator):
    spelled = e164[:4] + separator + e164[4:]
    assert filed_phone(spelled) == filed_phone(PhoneNumber.parse(e164).e164)
    assert filed_phone(e164).digest == plain_digest("suppression", "main", "phone", e164)


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("Not An Address", "not an address"),
        ("192.0.2.1:443", "192.0.2.1:443"),
    ],
)
def test_a_network_address_is_digested_whole_and_in_its_canonical_text(raw, normalised):
    assert filed_ip(raw).digest == plain_digest("ip", "main", "ip", normalised)


def test_neighbours_in_an_ipv6_network_are_two_entries():
    assert filed_ip("2001:db8::1") != filed_ip("2001:db8::2")


@pytest.mark.parametrize("value", [None, 7, b"nora@example.org", ["nora@example.org"]])
@pytest.mark.parametrize("made", [filed, filed_phone, filed_ip])
def test_what_is_no_text_is_a_type_error(made, value):
    with pytest.raises(TypeError):
        made(value)


@pytest.mark.parametrize("purpose", CONTACT_PURPOSES)
def test_a_key_serves_its_own_purpose_alone(purpose):
    with pytest.raises(Defect):
        blind_index("nora@example.org", ContactKind.EMAIL, purpose, key(IndexPurpose.IP), "main")
    with pytest.raises(Defect):
        ip_index("192.0.2.1", key(purpose), "main")


def test_contacts_are_not_filed_as_network_addresses():
    with pytest.raises(Defect):
        filed("192.0.2.1", purpose=IndexPurpose.IP)


def test_a_scope_can_not_run_into_the_next_part():
    """Otherwise (scope "a", kind "email", "email NUL x") and (scope "a NUL email", kind "email", "x") were one."""
    with pytest.raises(Defect):
        filed("nora@example.org", scope="main\x00email")


@pytest.mark.parametrize(("version", "secret"), [(0, b"k" * 32), (1, b""), (1, b"k" * 31)])
def test_a_weak_or_uncounted_key_is_refused(version, secret):
    with pytest.raises(BadPolicy):
        key(IndexPurpose.LOGIN, version, secret)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_shortened_digest_is_no_index(length):
    with pytest.raises(Defect):
        BlindIndex(IndexPurpose.SUPPRESSION, 1, b"d" * length)


def test_neither_key_nor_digest_is_printed():
    index, index_key = filed("nora@example.org"), key(IndexPurpose.LOGIN)
    assert repr(index) == "BlindIndex(purpose=<IndexPurpose.SUPPRESSION: 'suppression'>, key_version=1)"
    assert "kkkk" not in repr(index_key)
