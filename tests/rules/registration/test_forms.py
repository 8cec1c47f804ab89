"""What a registration form may say, and what is told about one that won't do."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.customers import AccountStatus, Customer, Origin, Standing
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import BadPolicy, InvalidInput
from shopaccounts.kernel.ids import CustomerId, RealmId
from shopaccounts.kernel.policy import overlay
from shopaccounts.registration import (
    AcceptedTerm,
    Ask,
    FieldMissing,
    FieldRule,
    FieldUnsuitable,
    FormRejected,
    OpenTo,
    Presence,
    RegistrationForm,
    RegistrationNotOpen,
    RegistrationPolicy,
    TermsNotAccepted,
    TermsOutdated,
    UnknownField,
    missing_fields,
)
from shopaccounts.registration.forms import personal_words, read_details, require_open

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
REQUIRED, HIDDEN = FieldRule(presence=Presence.REQUIRED), FieldRule(presence=Presence.HIDDEN)
POLICY = RegistrationPolicy(
    fields={
        "given_name": REQUIRED,
        "family_name": FieldRule(),
        "birthday": FieldRule(),
        "time_zone": FieldRule(),
        "nickname": HIDDEN,
        "company": FieldRule(ask=Ask.IN_PROFILE),
        "shoe_size": FieldRule(longest=3),
    }
)


def form(**fields):
    return RegistrationForm(identifier="ann@lamp.example", fields={"given_name": "Ann", **fields})


def findings(filled, policy=POLICY):
    with pytest.raises(FormRejected) as rejected:
        read_details(filled, policy, NOW)
    return rejected.value.findings


@pytest.mark.proves("REG-1")
def test_a_form_is_read_trimmed_and_without_what_is_empty() -> None:
    details = read_details(form(given_name="  Ann ", family_name=" ", birthday="2001-02-03"), POLICY, NOW)
    assert details.fields == {"given_name": "Ann", "birthday": "2001-02-03"}
    assert (details.accepted, details.choices) == ((), {})


@pytest.mark.proves("REG-1", "REG-3")
@pytest.mark.parametrize("name", ["nickname", "company", "status", "roles", "points", "id", "realm", "verified"])
def test_a_field_that_is_not_on_the_form_is_refused(name) -> None:
    assert findings(form(**{name: "x"})) == (UnknownField(name),)


def test_a_name_that_no_field_can_have_is_not_repeated() -> None:
    assert findings(form(**{"ann@lamp.example": "x"})) == (UnknownField(""),)


@pytest.mark.proves("REG-1")
def test_everything_that_is_wrong_is_told_at_once() -> None:
    filled = RegistrationForm(
        identifier="ann@lamp.example",
        fields={"status": "active", "family_name": "\u202e", "shoe_size": "1234", "birthday": "1.2.2001"},
    )
    assert findings(filled) == (
        FieldUnsuitable("birthday", "date"),
        FieldUnsuitable("family_name", "characters"),
        FieldMissing("given_name"),
        FieldUnsuitable("shoe_size", "too_long"),
        UnknownField("status"),
    )


@pytest.mark.parametrize("text", ["2001-2-3", "20010203", "1899-12-31", "2031-03-02", "2001-02-29", "yesterday"])
def test_a_birthday_is_a_day_that_has_been(text) -> None:
    assert findings(form(birthday=text)) == (FieldUnsuitable("birthday", "date"),)


@pytest.mark.parametrize(("zone", "good"), [("Europe/Berlin", True), ("Lamp/Street", False)])
def test_a_time_zone_is_one_of_the_database(zone, good) -> None:
    if good:
        assert read_details(form(time_zone=zone), POLICY, NOW).fields["time_zone"] == zone
    else:
        assert findings(form(time_zone=zone)) == (FieldUnsuitable("time_zone", "time_zone"),)


@pytest.mark.proves("REG-1")
@pytest.mark.parametrize("value", [None, 5, True, b"Ann", ["Ann"], {"a": 1}])
def test_a_field_holds_text(value) -> None:
    assert findings(form(family_name=value)) == (FieldUnsuitable("family_name", "type"),)


@pytest.mark.parametrize("value", [None, "fields", ["given_name"]])
def test_what_no_form_sends_is_no_form(value) -> None:
    with pytest.raises(InvalidInput):
        read_details(RegistrationForm(identifier="ann@lamp.example", fields=value), POLICY, NOW)


@pytest.mark.parametrize(("born", "young"), [("2015-03-01", False), ("2015-03-02", True), ("2016-01-01", True)])
def test_a_minimum_age_is_reached_on_the_birthday(born, young) -> None:
    policy = RegistrationPolicy(fields={"birthday": REQUIRED}, minimum_age=16)
    filled = RegistrationForm(identifier="ann@lamp.example", fields={"birthday": born})
    if young:
        assert findings(filled, policy) == (FieldUnsuitable("birthday", "too_young"),)
    else:
        assert read_details(filled, policy, NOW).fields == {"birthday": born}


@given(st.dictionaries(st.text(max_size=20), st.one_of(st.text(max_size=30), st.none(), st.integers()), max_size=6))
@pytest.mark.proves("REG-1")
def test_whatever_is_filled_in_only_fields_of_the_form_come_out(fields) -> None:
    try:
        details = read_details(RegistrationForm(identifier="a@lamp.example", fields=fields), POLICY, NOW)
    except FormRejected:
        return
    assert details.fields.keys() <= {"given_name", "family_name", "birthday", "time_zone", "shoe_size"}
    assert all(isinstance(text, str) and text == text.strip() != "" for text in details.fields.values())


def term(document="conditions", version="2", at=NOW):
    return AcceptedTerm(document=document, version=version, locale="de", at=at)


@pytest.mark.proves("REG-5")
def test_required_documents_are_accepted_in_the_version_in_force() -> None:
    policy = RegistrationPolicy(required_terms={"conditions": "2", "privacy": "5"})
    plain = RegistrationForm(identifier="ann@lamp.example")
    with pytest.raises(TermsNotAccepted) as missing:
        read_details(attrs.evolve(plain, accepted=(term(),)), policy, NOW)
    assert missing.value.documents == ("privacy",)
    with pytest.raises(TermsOutdated) as outdated:
        read_details(attrs.evolve(plain, accepted=(term(version="1"), term("privacy", "5"))), policy, NOW)
    assert outdated.value.documents == ("conditions",)
    both = (term(), term("privacy", "5", NOW + timedelta(hours=1)))
    details = read_details(attrs.evolve(plain, accepted=both, choices={"newsletter": False}), policy, NOW)
    assert [accepted.at for accepted in details.accepted] == [NOW, NOW], "nobody accepts in the future"
    assert details.choices == {"newsletter": False}


@pytest.mark.parametrize(
    "what",
    [
        {"accepted": [term()]},
        {"accepted": ("conditions",)},
        {"accepted": (term("No Document"),)},
        {"accepted": (term(),) * 21},
        {"accepted": (term(version="v" * 41),)},
        {"choices": ["newsletter"]},
        {"choices": {"newsletter": "yes"}},
        {"choices": {"News Letter": True}},
        {"choices": {f"purpose_{number}": True for number in range(51)}},
    ],
)
@pytest.mark.proves("REG-5")
def test_terms_and_choices_are_typed(what) -> None:
    with pytest.raises(InvalidInput):
        read_details(RegistrationForm(identifier="ann@lamp.example", **what), RegistrationPolicy(), NOW)


@pytest.mark.proves("REG-3")
def test_what_a_customer_has_not_told_yet_is_listed_with_the_required_first() -> None:
    customer = Customer(
        id=CustomerId("ann"),
        realm=RealmId("main"),
        standing=Standing(status=AccountStatus.ACTIVE),
        fields={"family_name": "Lamp"},
        created_at=NOW,
        origin=Origin.REGISTRATION,
    )
    missing = missing_fields(customer, POLICY)
    assert [field.field for field in missing] == ["given_name", "birthday", "company", "shoe_size", "time_zone"]
    assert (missing[0].required, missing[2].ask) == (True, Ask.IN_PROFILE)


@pytest.mark.proves("REG-1")
def test_names_and_birthday_are_words_that_a_password_may_not_lean_on() -> None:
    fields = {"given_name": "Annabel", "birthday": "2001-02-03"}
    words = personal_words(EmailAddress.parse("ann@lamp.example"), fields).words()
    assert {"annabel", "20010203"} <= {word.lower() for word in words}


@pytest.mark.parametrize("open_to", [OpenTo.INVITED, OpenTo.NOBODY])
def test_a_shop_that_is_not_open_says_so(open_to) -> None:
    with pytest.raises(RegistrationNotOpen) as refused:
        require_open(RegistrationPolicy(open_to=open_to))
    assert refused.value.open_to == open_to.value
    require_open(RegistrationPolicy())


@pytest.mark.proves("REG-3")
@pytest.mark.parametrize(
    "values",
    [
        {"fields": {"Given Name": FieldRule()}},
        {"fields": {"notes": FieldRule(longest=4000), "more": FieldRule(longest=1)}},
        {"required_terms": {"The Terms": "1"}},
        {"minimum_age": 18},
        {"minimum_age": 18, "fields": {"birthday": FieldRule()}},
        {"minimum_age": 18, "fields": {"birthday": FieldRule(presence=Presence.REQUIRED, ask=Ask.IN_PROFILE)}},
        {"blocked_domains": frozenset({"Lamp.Example"})},
        {"allowed_domains": frozenset({"lamp"})},
        {"typo_corrections": 11},
        {"fastest_form": timedelta(minutes=2)},
    ],
)
def test_a_policy_that_contradicts_itself_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        RegistrationPolicy(**values)


@pytest.mark.parametrize("longest", [0, 4001])
def test_a_field_has_room_for_something(longest) -> None:
    with pytest.raises(BadPolicy):
        FieldRule(longest=longest)


@pytest.mark.proves("REG-3")
def test_fields_are_set_by_plain_settings() -> None:
    settings = {"fields": {"company": {"presence": "required", "ask": "in_profile", "longest": 80}}}
    policy = overlay(RegistrationPolicy(), settings)
    assert policy.fields == {"company": FieldRule(presence=Presence.REQUIRED, ask=Ask.IN_PROFILE, longest=80)}
