"""E-mail addresses, phone numbers and their keys."""

import sys
import unicodedata
from datetime import date
from enum import Enum

import attrs
import cattrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopaccounts.kernel.contact import (
    ABUSE_RULES,
    KEY_VERSION,
    AbuseRule,
    EmailAddress,
    EmailInvalid,
    EmailPolicy,
    EmailUnsupportedCharacters,
    PhoneInvalid,
    PhoneNumber,
    mask,
)
from shopaccounts.kernel.errors import BadPolicy, Defect, Kind, Rejected

ASCII_LOCAL = st.from_regex(r"[A-Za-z0-9+_-]{1,12}(\.[A-Za-z0-9+_-]{1,12}){0,2}", fullmatch=True)
ANY_LOCAL = st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=16)
DOMAIN = st.sampled_from(
    [
        "Example.org",
        "GROSS.example.",
        "Groß.example",
        "xn--gro-7ka.example",
        "gmail.com",
        "GoogleMail.com",
        "shop。例え。テスト",
    ]
)


@st.composite
def addresses(draw):
    """Texts that look like addresses in any script; most of them are."""
    return f"{draw(ASCII_LOCAL | ANY_LOCAL)}@{draw(DOMAIN)}"


def parsed(raw):
    try:
        return EmailAddress.parse(raw)
    except Rejected:
        return None


def refusal(raw, policy=None):
    with pytest.raises(Rejected) as caught:
        EmailAddress.parse(raw, policy or EmailPolicy())
    return caught.value


def refused(raw, policy=None):
    no = refusal(raw, policy)
    return (type(no), *attrs.astuple(no))


def refused_number(raw):
    with pytest.raises(PhoneInvalid) as caught:
        PhoneNumber.parse(raw)
    return caught.value.reason


@pytest.mark.proves("CUS-24")
def test_an_address_keeps_what_was_typed_and_gets_two_keys_to_compare_by():
    address = EmailAddress.parse(" \tNora.K+Shoes@GoogleMail.com.\t")
    assert address == EmailAddress(
        stored="Nora.K+Shoes@GoogleMail.com.",
        login_key="nora.k+shoes@googlemail.com",
        abuse_key="norak@gmail.com",
        key_version=KEY_VERSION,
    )


@pytest.mark.proves("CUS-24")
@pytest.mark.parametrize("raw", [None, 7, True, b"nora@example.org", ["nora@example.org"], {"a": "nora@example.org"}])
def test_what_is_no_text_is_refused(raw):
    assert refused(raw) == (EmailInvalid, "type")


@pytest.mark.proves("CUS-24")
def test_a_subclass_of_str_is_copied_to_plain_text():
    class Shouting(str):
        __slots__ = ()

        def strip(self, _characters=None):
            return "thief@example.org"

        def __str__(self):
            return "thief@example.org"

    class Known(str, Enum):  # noqa: UP042  (the older spelling has another str())
        NORA = "nora@example.org"

    address = EmailAddress.parse(Shouting("nora@example.org"))
    assert (type(address.stored), address.stored) == (str, "nora@example.org")
    assert EmailAddress.parse(Known.NORA) == address


@pytest.mark.proves("CUS-24")
def test_the_length_is_looked_at_before_anything_else():
    assert refused(" " * 305 + "nora@example.org") == (EmailInvalid, "length")
    assert EmailAddress.parse(" " * 304 + "nora@example.org").stored == "nora@example.org"
    assert refused("\x00" * 321) == (EmailInvalid, "length")


@pytest.mark.proves("CUS-24")
@pytest.mark.parametrize(
    "character",
    [
        *"\x00\t\n\r \x1b\x7f",
        "\x85",  # a control
        "\u00ad",  # soft hyphen
        "\u200b",  # zero width space
        "\u202e",  # right-to-left override
        "\ufeff",  # byte order mark
        "\ud800",  # lone surrogate
        "\ue000",  # private use
        "\u0378",  # unassigned
        "\ufdd0",  # no character
        "\u00a0",  # no-break space
        "\u2028",
        "\u2029",
        *"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u3164\ufe00\ufe0f\uffa0",
        *"\U0001bca0\U0001bca3\U0001d173\U0001d17a\U000e0000\U000e0100\U000e0fff",
    ],
)
def test_an_invisible_character_is_refused_wherever_it_stands(character):
    assert refused(f" no{character}ra@example.org") == (EmailUnsupportedCharacters, 3)
    assert refused(f"nora@exam{character}ple.org") == (EmailUnsupportedCharacters, 9)


@pytest.mark.proves("CUS-24")
@pytest.mark.parametrize("blank", ["\n", "\r\n", "\u00a0", "\u3000", "\x0b"])
def test_only_spaces_and_tabs_are_trimmed(blank):
    assert refused(f"nora@example.org{blank}") == (EmailUnsupportedCharacters, 16)


@pytest.mark.proves("CUS-24")
@pytest.mark.parametrize(
    "sign",
    ["\u212a", "\u0130", "\u017f", "\uff4e", "\u24dd", "\ufb01", "\u2024", "\uff20", "\u037e", "\u1fef", "\U0001d427"],
    ids=unicodedata.name,
)
def test_a_sign_that_would_become_plain_letters_is_refused(sign):
    assert refused(f"a{sign}b@example.org") == (EmailUnsupportedCharacters, 1)
    assert refused(f"nora@a{sign}b.example") == (EmailUnsupportedCharacters, 6)


@pytest.mark.proves("CUS-24")
def test_of_all_characters_of_unicode_none_that_folds_to_ascii_gets_in():
    """A look-alike that gets in would be one key with an address of somebody else."""
    folding = [
        character
        for character in map(chr, range(0x80, sys.maxunicode + 1))
        if (unicodedata.normalize("NFKC", character) + character.lower()).encode("ascii", "ignore")
    ]
    assert len(folding) > 1_000
    assert [character for character in folding if parsed(f"a{character}b@example.org")] == []
    assert [character for character in folding if parsed(f"nora@a{character}b.example")] == []


@pytest.mark.proves("CUS-24")
def test_a_character_with_a_compatibility_twin_is_refused():
    assert refused("no\u00b5ra@example.org") == (EmailUnsupportedCharacters, 2)  # micro sign, twin of a Greek letter
    assert refused("nora@ｼｮｯﾌﾟ.example") == (EmailUnsupportedCharacters, 5)  # half-width


@pytest.mark.proves("CUS-24")
@given(addresses())
@example("e\u0301@example.org")
@example("I\u0307@example.org")
@example("\u2126@example.org")
def test_what_gets_in_is_the_same_under_both_normalisations(raw):
    address = parsed(raw)
    composed = unicodedata.normalize("NFC", raw)
    if address:
        assert unicodedata.normalize("NFKC", composed) == composed
        assert unicodedata.normalize("NFC", address.login_key) == address.login_key


@pytest.mark.proves("CUS-24")
def test_composed_and_decomposed_spellings_are_one_address():
    composed, decomposed = EmailAddress.parse("Zoé@example.org"), EmailAddress.parse("zoe\u0301@example.org")
    assert composed.login_key == decomposed.login_key == "zoé@example.org"
    assert decomposed.stored == "zoe\u0301@example.org"


@pytest.mark.proves("CUS-24")
@pytest.mark.parametrize(
    ("raw", "part"),
    [
        ("", "at"),
        ("nora", "at"),
        ("nora@home@example.org", "at"),
        ("nora@example.org,thief@example.com", "at"),
        ("@example.org", "local"),
        ("nora@", "domain"),
        ('"nora"@example.org', "local"),
        ("nora(home)@example.org", "local"),
        ("<nora@example.org", "local"),
        ("a,b@example.org", "local"),
        ("a;b@example.org", "local"),
        ("a:b@example.org", "local"),
        ("a\\b@example.org", "local"),
        (".nora@example.org", "local"),
        ("nora.@example.org", "local"),
        ("no..ra@example.org", "local"),
        ("n" * 65 + "@example.org", "local"),
        ("é" * 33 + "@example.org", "local"),
        ("nora@[192.0.2.1]", "domain"),
        ("nora@example.org>", "domain"),
        ("nora@example.org(home)", "domain"),
        ("nora@example", "domain"),
        ("nora@.example.org", "domain"),
        ("nora@example..org", "domain"),
        ("nora@example.org..", "domain"),
        ("nora@groß.example..", "domain"),
        ("nora@groß.example。。", "domain"),
        ("nora@-example.org", "domain"),
        ("nora@example-.org", "domain"),
        ("nora@exam_ple.org", "domain"),
        ("nora@example.123", "domain"),
        ("nora@192.0.2.1", "domain"),
        ("nora@" + "a" * 64 + ".org", "domain"),
        ("nora@" + "a.b" * 84 + ".org", "domain"),
        ("n" * 64 + "@" + ("a" * 62 + ".") * 3 + "org", "length"),
    ],
)
def test_the_refusal_names_the_part_that_is_wrong(raw, part):
    assert refused(raw) == (EmailInvalid, part)


@pytest.mark.proves("CUS-24")
def test_the_longest_parts_get_in():
    longest_label = "a" * 63
    assert EmailAddress.parse("n" * 64 + f"@{longest_label}.org")
    assert EmailAddress.parse(f"nora@{longest_label}.{longest_label}.{longest_label}.{'b' * 53}.org")


@pytest.mark.proves("CUS-24")
def test_a_local_part_that_grows_in_lower_case_is_measured_in_both_forms():
    assert refused("Ⱥ" * 32 + "@example.org") == (EmailInvalid, "local")  # 64 octets typed, 96 in lower case
    assert EmailAddress.parse("Ⱥ" * 21 + "@example.org").login_key == "ⱥ" * 21 + "@example.org"


@pytest.mark.proves("CUS-24")
def test_a_shop_may_take_plain_local_parts_only():
    policy = EmailPolicy(allow_non_ascii_local=False)
    assert refused("zoé@example.org", policy) == (EmailInvalid, "local")
    assert EmailAddress.parse("zoe@groß.example", policy)


@pytest.mark.proves("CUS-24")
@given(st.text(max_size=330) | addresses())
def test_parsing_answers_or_refuses_and_never_breaks(raw):
    address = parsed(raw)
    assert address is None or (raw.strip(" \t") == address.stored and address.login_key.count("@") == 1)


@pytest.mark.proves("CUS-24")
@given(st.text(st.sampled_from("xn-0aZé。.ß١\u0301"), max_size=40))
def test_no_domain_breaks_the_parser(domain):
    address = parsed(f"nora@{domain}")
    assert address is None or address.login_key.isascii()


@pytest.mark.proves("CUS-24")
@given(addresses())
def test_a_login_key_is_an_address_with_itself_as_key(raw):
    address = parsed(raw)
    if address:
        assert EmailAddress.parse(address.login_key).login_key == address.login_key


@pytest.mark.proves("CUS-24")
@given(ASCII_LOCAL, DOMAIN)
def test_letter_case_never_makes_another_plain_address(local, domain):
    keys = {EmailAddress.parse(f"{spelling}@{domain}").login_key for spelling in (local, local.upper(), local.lower())}
    assert len(keys) == 1


@pytest.mark.proves("CUS-24")
def test_a_refusal_has_a_stable_code_and_never_repeats_the_address():
    unseen, invalid = refusal("secretly\u200b@example.org"), refusal("secretly@@example.org")
    assert [(type(no).code, type(no).kind) for no in (unseen, invalid)] == [
        ("contact.email_unsupported_characters", Kind.INVALID),
        ("contact.email_invalid", Kind.INVALID),
    ]
    assert "secretly" not in f"{unseen!r}{unseen}{invalid!r}{invalid}"


@pytest.mark.proves("CUS-25")
@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("zoe@Groß.example", "zoe@xn--gro-7ka.example"),
        ("zoe@GROẞ.example", "zoe@xn--gro-7ka.example"),
        ("zoe@GROSS.example.", "zoe@gross.example"),
        ("x@shop。example", "x@shop.example"),
        ("x@shop.example。", "x@shop.example"),
    ],
)
def test_domains_of_other_scripts_are_spelled_as_idna_2008_does(raw, key):
    assert EmailAddress.parse(raw).login_key == key


@pytest.mark.proves("CUS-25")
def test_sharp_s_and_double_s_are_two_registrants():
    assert EmailAddress.parse("zoe@groß.example").login_key != EmailAddress.parse("zoe@gross.example").login_key


@pytest.mark.proves("CUS-25")
def test_the_package_for_domains_is_loaded_only_when_a_domain_needs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "idna", None)
    assert EmailAddress.parse("Nora@Example.org").login_key == "nora@example.org"
    assert EmailAddress.parse("zoé@example.org").login_key == "zoé@example.org"
    with pytest.raises(ImportError):
        EmailAddress.parse("zoe@groß.example")


@pytest.mark.proves("ADA-202")
@pytest.mark.parametrize("domain", ["XN--GRO-7KA.Example", "xN--gro-7Ka.EXAMPLE", "GROß.Example"])
def test_capital_letters_never_survive_in_a_domain(domain):
    assert EmailAddress.parse(f"zoe@{domain}").login_key == "zoe@xn--gro-7ka.example"


@pytest.mark.proves("ADA-202")
@pytest.mark.parametrize("domain", ["ｓhop.example", "①.example", "ⓢhop.example"])
def test_full_width_and_circled_letters_are_refused_as_look_alikes(domain):
    assert refused(f"zoe@{domain}") == (EmailUnsupportedCharacters, 4)


@pytest.mark.proves("ADA-202")
@pytest.mark.parametrize("domain", ["groß.123", "xn--gro-7ka.1", "groß.example.7"])
def test_a_last_label_of_digits_is_refused_on_both_ways(domain):
    assert refused(f"zoe@{domain}") == (EmailInvalid, "domain")


@pytest.mark.proves("ADA-202")
@pytest.mark.parametrize(
    "domain",
    ["xn--zz.example", "xn--a.example", "xn--.example", "xn--a-.example", "☃.example", "-ß.example", "ß_.example"],
)
def test_every_error_of_the_package_becomes_our_refusal(domain):
    no = refusal(f"zoe@{domain}")
    assert attrs.asdict(no) == {"part": "domain"}
    assert (no.__cause__, no.__suppress_context__) == (None, True)


@pytest.mark.proves("CUS-26")
@pytest.mark.parametrize(
    ("raw", "abuse_key"),
    [
        ("nora.k+shoes@googlemail.com", "norak@gmail.com"),
        ("n.o.r.a.k@gmail.com", "norak@gmail.com"),
        ("nora.k+shoes@example.org", "nora.k@example.org"),
        ("+shoes@example.org", "+shoes@example.org"),
        ("nora+a+b@example.org", "nora@example.org"),
    ],
)
def test_the_abuse_key_counts_mailboxes(raw, abuse_key):
    address = EmailAddress.parse(raw)
    assert (address.abuse_key, address.login_key) == (abuse_key, raw)


@pytest.mark.proves("CUS-26")
def test_a_shop_may_add_a_provider():
    fictional = AbuseRule(
        domain="post.example", mailbox_domain="mail.example", ignores_dots=False, as_of=date(2026, 3, 1)
    )
    policy = EmailPolicy(abuse_rules=(*ABUSE_RULES, fictional))
    assert EmailAddress.parse("n.k+a@post.example", policy).abuse_key == "n.k@mail.example"
    assert EmailAddress.parse("n.k+a@post.example").abuse_key == "n.k@post.example"


@pytest.mark.proves("CUS-26")
@pytest.mark.parametrize("names", [("gmail.com", "a.example"), ("Post.example", "a.example"), ("a.example", "a")])
def test_a_rule_that_contradicts_another_or_never_matches_is_a_bad_policy(names):
    rule = AbuseRule(domain=names[0], mailbox_domain=names[1], ignores_dots=True, as_of=date(2026, 3, 1))
    with pytest.raises(BadPolicy):
        EmailPolicy(abuse_rules=(*ABUSE_RULES, rule))


@pytest.mark.proves("CUS-26")
@given(addresses())
def test_an_abuse_key_is_its_own_abuse_key(raw):
    address = parsed(raw)
    again = parsed(address.abuse_key) if address else None
    if address and again:
        assert again.abuse_key == address.abuse_key


@pytest.mark.proves("CUS-26")
@given(ASCII_LOCAL, st.sampled_from(["gmail.com", "example.org"]))
@example("+", "example.org")
@example("+a", "gmail.com")
def test_a_plus_tag_never_makes_another_mailbox(local, domain):
    tagged, plain = EmailAddress.parse(f"{local}+x@{domain}"), EmailAddress.parse(f"{local}@{domain}")
    assert tagged.abuse_key == plain.abuse_key
    assert tagged.login_key != plain.login_key


@pytest.mark.proves("CUS-29")
def test_a_number_in_international_form_is_taken_as_it_stands():
    assert PhoneNumber.parse(" +4930123420\t") == PhoneNumber("+4930123420", "+4930123420", None)
    assert PhoneNumber.parse("+12345678")
    assert PhoneNumber.parse("+123456789012345")


@pytest.mark.proves("CUS-29")
@pytest.mark.parametrize(
    "raw",
    [
        "",
        "030 123420",
        "004930123420",
        "+49 30 123420",
        "+49(0)30123420",
        "+49-30-123420",
        "+1234567",
        "+1234567890123456",
        "+0301234567",
        "+4930123420\n",
        "+4930123420;ext=5",
        "+49301234x12",
        "+49FLOWERS1",
        "+\uff14\uff19\uff13\uff10\uff11\uff12\uff13\uff14\uff12\uff10",
        "＋4930123420",
        "+٤٩٣٠١٢٣٤٢٠",
        "++4930123420",
        "112",
    ],
)
def test_without_numbering_plans_nothing_else_is_a_number(raw):
    assert refused_number(raw) == "not_international"


@pytest.mark.proves("CUS-29")
@pytest.mark.parametrize(
    ("raw", "reason"), [(None, "type"), (4930123420, "type"), (b"+4930123420", "type"), ("+" + "1" * 40, "length")]
)
def test_the_refusal_of_a_number_says_why(raw, reason):
    assert refused_number(raw) == reason
    assert (PhoneInvalid.code, PhoneInvalid.kind) == ("contact.phone_invalid", Kind.INVALID)


@pytest.mark.proves("CUS-29")
@given(st.text(max_size=45))
def test_reading_a_number_answers_or_refuses_and_never_breaks(raw):
    try:
        assert PhoneNumber.parse(raw).e164 == raw.strip(" \t")
    except PhoneInvalid as no:
        assert no.reason in {"length", "not_international"}  # noqa: PT017  (both outcomes are right)


@pytest.mark.proves("CUS-29")
def test_an_adapter_can_not_make_a_number_without_a_proper_key():
    assert PhoneNumber("030 123420", "+4930123420", "DE").country == "DE"
    with pytest.raises(Defect):
        PhoneNumber("030 123420", "030123420", "DE")


@pytest.mark.proves("CUS-30")
@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        (EmailAddress.parse("Nora.K@Example.org"), "n***@example.org"),
        (EmailAddress.parse("n@example.com"), "n***@example.com"),
        (EmailAddress.parse("zoe@groß.example"), "z***@xn--gro-7ka.example"),
        (PhoneNumber.parse("+4930123420"), "+49…20"),
        (PhoneNumber.parse("+12025550143"), "+1…43"),
        (PhoneNumber.parse("+79161234567"), "+7…67"),
        (PhoneNumber.parse("+35312345678"), "+353…78"),
        (PhoneNumber.parse("+390612345678"), "+39…78"),
        (PhoneNumber.parse("+42012345678"), "+420…78"),
    ],
    ids=str,
)
def test_a_mask_tells_the_owner_and_nobody_else(contact, shown):
    assert mask(contact) == shown


@pytest.mark.proves("CUS-30")
@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_every_number_has_a_mask_that_hides_most_of_it(e164):
    code, last = mask(PhoneNumber.parse(e164)).split("…")
    assert e164.startswith(code)
    assert 2 <= len(code) <= 4
    assert last == e164[-2:]


@pytest.mark.proves("CUS-30")
def test_contacts_print_as_masks():
    email, phone = EmailAddress.parse("Nora.K@Example.org"), PhoneNumber.parse("+4930123420")
    assert [repr(email), str(email), f"{email}"] == ["EmailAddress(n***@example.org)"] * 3
    assert [repr(phone), str(phone), f"{phone}"] == ["PhoneNumber(+49…20)"] * 3


@pytest.mark.proves("CUS-24", "CUS-29")
@pytest.mark.parametrize(
    "contact", [EmailAddress.parse("Zoé+x@Groß.example"), PhoneNumber("030 123420", "+4930123420", "DE")], ids=repr
)
def test_contacts_are_plain_fields_that_survive_storage(contact):
    converter = cattrs.Converter()
    fields = converter.unstructure(contact)
    assert {type(value) for value in fields.values()} <= {str, int}
    assert converter.structure(fields, type(contact)) == contact
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        contact.stored = "thief@example.org"
