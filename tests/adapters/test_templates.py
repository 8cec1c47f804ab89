"""The words of mails."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopaccounts.adapters.catalogues import LOCALES, closest
from shopaccounts.adapters.templates import JinjaTemplates
from shopaccounts.kernel.messages import Channel
from shopaccounts.relay import BadMessage, SmsPolicy, TemplateUnknown, Wording, sms_parts

RESET = "recovery.reset_password"
LINK = "https://lampenhaus.example/reset#sa1.rst.tic"
VARIABLES = {"shop": "Lampenhaus", "link": LINK, "hours": "1"}
OURS = JinjaTemplates()


def own(folder: Path, **files: str) -> JinjaTemplates:
    """Write files such as ``toys__parcel__text_txt`` into a shop's folder."""
    for name, content in files.items():
        stem, _, ending = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return JinjaTemplates(folder)


PARCEL = {
    "toys__parcel__subject_txt": "Parcel for {{ name }}",
    "toys__parcel__text_txt": "{{ name }}, your parcel is here.",
    "toys__parcel__html_html": "<p>{{ name }}</p>",
    "toys__parcel__sample_json": json.dumps({"variables": {"name": "Anna"}}),
}


@pytest.mark.proves("MSG-8", "MSG-6")
def test_every_text_of_the_library_is_whole_in_every_language() -> None:
    assert OURS.check_templates() == ()


@pytest.mark.proves("MSG-6", "MSG-20")
def test_the_library_has_a_text_for_every_mail_that_it_sends() -> None:
    assert OURS.names() == (
        "customers.account_closed",
        "customers.account_frozen",
        "customers.account_goes_on",
        "customers.account_reopened",
        "customers.account_stopped",
        "customers.close_account",
        "customers.closing_canceled",
        "customers.closing_deferred",
        "customers.closing_started",
        "passwords.must_change",
        "passwords.was_changed",
        "passwords.was_removed",
        "passwords.was_reset",
        "passwords.was_set",
        "providers.linked",
        "providers.unlinked",
        "recovery.account_protected",
        "recovery.account_suspended",
        "recovery.case_ended",
        "recovery.case_ready",
        "recovery.case_waiting",
        "recovery.choose_new_password",
        "recovery.complete_case",
        "recovery.factor_case_code",
        "recovery.factor_case_ended",
        "recovery.factor_case_ready",
        "recovery.factor_case_waiting",
        "recovery.factors_removed",
        "recovery.prove_mailbox",
        "recovery.questions_changed",
        "recovery.questions_failed",
        "recovery.recent_dropped",
        "recovery.recovery_code",
        "recovery.reset_password",
        "registration.account_closing",
        "registration.account_prepared",
        "registration.account_suspended",
        "registration.add_contact",
        "registration.addition_dropped",
        "registration.address_held",
        "registration.address_wanted",
        "registration.already_registered",
        "registration.change_requested",
        "registration.change_undone",
        "registration.confirm_new_contact",
        "registration.confirm_old_contact",
        "registration.contact_added",
        "registration.contact_changed",
        "registration.contact_check",
        "registration.contact_removed",
        "registration.contact_used",
        "registration.invitation",
        "registration.undo_contact_change",
        "registration.verify_contact",
        "signin.after_failures",
        "signin.after_silence",
        "signin.factor_disabled",
        "signin.factor_enrolled",
        "signin.factor_removed",
        "signin.impersonation_ended",
        "signin.new_device",
        "signin.passkey_added",
        "signin.passkey_maybe_cloned",
        "signin.passkey_removed",
        "signin.password_disabled",
        "signin.recovery_code_used",
        "signin.recovery_codes_renewed",
        "signin.second_factor_missed",
        "signin.second_factor_under_attack",
        "signin.session_reused",
        "signin.sign_in_code",
        "signin.step_code",
        "signin.suspended_tried",
        "subscriptions.cancellation_received",
        "subscriptions.confirm_cancellation",
        "subscriptions.contract_ends",
        "subscriptions.ended_unpaid",
        "subscriptions.last_warning",
        "subscriptions.method_expiring",
        "subscriptions.method_removed",
        "subscriptions.payment_action",
        "subscriptions.payment_failed",
        "subscriptions.payment_recovered",
        "subscriptions.payment_reminder",
        "subscriptions.pre_debit",
        "subscriptions.price_change",
        "subscriptions.renewal_soon",
        "subscriptions.trial_ending",
        "subscriptions.withdrawal_received",
    )


@pytest.mark.proves("MSG-6", "MSG-9")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", OURS.names())
def test_each_text_has_a_subject_a_text_and_html_that_say_what_matters(name: str, locale: str) -> None:
    wording = OURS.preview(name, locale)
    values = OURS.sample(name).variables
    assert wording.subject
    assert "\n" not in wording.subject
    assert f'<html lang="{locale}" dir="ltr">' in wording.html
    for variable in ("shop", "link", "code", "link_sign_in", "link_reset"):
        assert values.get(variable, "") in wording.text
        assert values.get(variable, "") in wording.html
    assert "%(" not in wording.text + wording.html + wording.subject
    assert not {values.get("link", "-"), values.get("code", "-")} & set(wording.subject.split())


@pytest.mark.proves("MSG-6")
def test_no_two_languages_say_the_same() -> None:
    for name in OURS.names():
        assert len({OURS.preview(name, locale).text for locale in LOCALES}) == len(LOCALES)


@pytest.mark.proves("MSG-6")
@pytest.mark.parametrize(("asked", "spoken"), [("de-AT", "de"), ("fr_CA", "fr"), ("tlh", "en"), ("EN-gb", "en")])
def test_a_language_that_is_not_there_falls_back(asked: str, spoken: str) -> None:
    assert closest(asked) == spoken
    wording = OURS.preview(RESET, asked)
    assert (wording.locale, wording) == (spoken, OURS.preview(RESET, spoken))


@pytest.mark.proves("MSG-9", "MSG-18")
def test_the_same_arguments_give_the_same_words_and_samples_can_be_replaced() -> None:
    assert JinjaTemplates().render(RESET, "de", VARIABLES) == OURS.render(RESET, "de", VARIABLES)
    assert "Papierladen" in OURS.preview(RESET, "de", {"shop": "Papierladen"}).text


def test_one_hour_is_not_said_like_two() -> None:
    assert "im next" not in OURS.render(RESET, "en", VARIABLES).text
    assert "within the next hour." in OURS.render(RESET, "en", VARIABLES).text
    assert "innerhalb der nächsten 2 Stunden" in OURS.render(RESET, "de", {**VARIABLES, "hours": "2"}).text


@pytest.mark.proves("MSG-7")
def test_times_are_told_in_the_zone_of_the_shop_and_the_language_of_the_person() -> None:
    berlin = JinjaTemplates(zone="Europe/Berlin")
    at = {"at": "2027-02-01T23:30:00+00:00"}
    assert "am 2. Februar 2027, 00:30 MEZ" in berlin.preview("passwords.was_changed", "de", at).text
    assert "2 de febrero de 2027, 0:30" in berlin.preview("passwords.was_changed", "es", at).text
    assert "February 1, 2027" in OURS.preview("passwords.was_changed", "en", at).text


@pytest.mark.proves("MSG-7")
def test_dates_and_numbers_are_written_as_the_person_writes_them(tmp_path: Path) -> None:
    shop = own(
        tmp_path,
        toys__bill__subject_txt="x",
        toys__bill__text_txt="{{ day|date }} {{ count|number }}",
    )
    values = {"day": "2027-02-01", "count": "1234.5"}
    assert shop.render("toys.bill", "de", values).text == "1. Februar 2027 1.234,5\n"
    assert shop.render("toys.bill", "en", values).text == "February 1, 2027 1,234.5\n"


@pytest.mark.proves("MSG-7")
def test_amounts_are_written_as_the_person_writes_them(tmp_path: Path) -> None:
    shop = own(tmp_path, toys__bill__subject_txt="x", toys__bill__text_txt="{{ amount|money }}")
    said = {locale: shop.render("toys.bill", locale, {"amount": "1234.50 EUR"}).text for locale in LOCALES}
    assert said["en"] == "€1,234.50\n"
    assert said["de"] == "1.234,50\xa0€\n"
    assert said["fr"] == "1\u202f234,50\xa0€\n"
    assert shop.render("toys.bill", "en", {"amount": "-1234 JPY"}).text == "-¥1,234\n"


@pytest.mark.parametrize(
    ("interval", "said"),
    [("P1D", "every day"), ("P2W", "every 2 weeks"), ("P3M", "every 3 months"), ("P1Y", "every year")],
)
def test_it_is_said_how_often_something_is_paid(interval: str, said: str) -> None:
    assert f"€180.00 {said}." in OURS.preview("subscriptions.renewal_soon", "en", {"interval": interval}).text


def test_a_trial_that_ends_without_a_price_is_not_said_to_cost_something() -> None:
    sample = OURS.sample("subscriptions.trial_ending")
    values = {name: value for name, value in sample.variables.items() if name not in sample.optional}
    assert "nothing is charged" in OURS.render("subscriptions.trial_ending", "en", values).text
    assert "€17.90 every month" in OURS.preview("subscriptions.trial_ending", "en").text


@pytest.mark.parametrize(
    ("silence", "said"),
    [("keep_old", "your price stays as it is"), ("cancel", "your subscription ends"), (None, "you need do nothing")],
)
def test_a_new_price_says_what_happens_to_who_says_nothing(silence: str | None, said: str) -> None:
    values = {**OURS.sample("subscriptions.price_change").variables}
    values |= {"silence": silence} if silence else {}
    kept = {name: value for name, value in values.items() if silence or name != "silence"}
    assert said in OURS.render("subscriptions.price_change", "en", kept).text


# A shop's own texts


@pytest.mark.proves("MSG-6", "MSG-20")
def test_a_shop_changes_one_part_and_keeps_the_others(tmp_path: Path) -> None:
    shop = own(tmp_path, recovery__reset_password__subject_txt="Your key to {{ shop }}")
    assert shop.render(RESET, "en", VARIABLES).subject == "Your key to Lampenhaus"
    assert shop.render(RESET, "en", VARIABLES).text == OURS.render(RESET, "en", VARIABLES).text
    assert shop.check_templates() == ()


@pytest.mark.proves("MSG-6")
def test_a_shop_changes_one_part_in_one_language(tmp_path: Path) -> None:
    path = tmp_path / "recovery" / "reset_password" / "subject.de.txt"
    path.parent.mkdir(parents=True)
    path.write_text("Ihr Schlüssel", "utf-8")
    shop = JinjaTemplates(tmp_path)
    assert shop.render(RESET, "de-CH", VARIABLES).subject == "Ihr Schlüssel"
    assert shop.render(RESET, "fr", VARIABLES).subject == OURS.render(RESET, "fr", VARIABLES).subject


@pytest.mark.proves("MSG-6", "MSG-7")
def test_a_shop_puts_its_footer_below_every_mail() -> None:
    shop = JinjaTemplates(common={"footer": "Lampenhaus GmbH, Berlin"})
    wording = shop.render(RESET, "de", VARIABLES)
    assert wording.text.endswith("Lampenhaus GmbH, Berlin\n")
    assert "Lampenhaus GmbH, Berlin" in wording.html
    assert shop.check_templates() == ()


@pytest.mark.proves("MSG-6")
def test_a_shop_adds_texts_and_html_may_be_left_out(tmp_path: Path) -> None:
    shop = own(tmp_path, **{name: content for name, content in PARCEL.items() if "html" not in name})
    assert shop.render("toys.parcel", "en", {"name": "Anna"}) == Wording(
        subject="Parcel for Anna", text="Anna, your parcel is here.\n", html="", locale="en"
    )
    assert "toys.parcel" in shop.names()


# What is refused


@pytest.mark.proves("MSG-6", "MSG-17")
@pytest.mark.parametrize("name", ["toys.none", "toys", "../secrets.txt", "_layout.text", "recovery/reset.password", ""])
def test_a_text_that_is_not_there_is_unknown(name: str) -> None:
    with pytest.raises(TemplateUnknown):
        OURS.render(name, "en", {})
    with pytest.raises(TemplateUnknown):
        OURS.sample(name)


@pytest.mark.proves("MSG-7", "MSG-17")
@pytest.mark.parametrize("missing", ["shop", "link", "hours"])
def test_a_missing_variable_is_an_error_that_shows_no_other(missing: str) -> None:
    with pytest.raises(BadMessage) as refused:
        OURS.render(RESET, "en", {name: value for name, value in VARIABLES.items() if name != missing})
    assert refused.value.reason in {"missing_variable", "broken_template"}
    assert LINK not in repr(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.proves("MSG-7")
@pytest.mark.parametrize(
    "text",
    [
        "{{ name.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ name.format.__globals__ }}",
        "{% for x in range(999999999) %}x{% endfor %}",
        "{{ unclosed",
    ],
)
def test_a_template_can_do_nothing_but_show_its_variables(tmp_path: Path, text: str) -> None:
    shop = own(tmp_path, toys__evil__subject_txt="x", toys__evil__text_txt=text)
    with pytest.raises(BadMessage):
        shop.render("toys.evil", "en", {"name": "Anna"})


@pytest.mark.proves("MSG-8")
@pytest.mark.parametrize(
    ("change", "problem", "detail"),
    [
        ({"toys__parcel__text_txt": "{{ nmae }} {{ name }}"}, "unknown_variable", "nmae"),
        ({"toys__parcel__text_txt": "hello", "toys__parcel__subject_txt": "hello"}, "unused_variable", "name"),
        ({"toys__parcel__text_txt": "{{ name }} {{ _('Not translated') }}"}, "untranslated", "Not translated"),
        ({"toys__parcel__subject_txt": "a\nb {{ name }}"}, "line_break", ""),
        ({"toys__parcel__text_txt": "{{ name"}, "broken", "broken_template"),
    ],
)
def test_mistakes_are_found_without_sending_anything(
    tmp_path: Path, change: dict[str, str], problem: str, detail: str
) -> None:
    found = own(tmp_path, **{**PARCEL, **change}).check_templates(["de"])
    assert (problem, detail) in {(finding.problem, finding.detail) for finding in found}
    assert {finding.template for finding in found} == {"toys.parcel"}


@pytest.mark.proves("MSG-8")
@pytest.mark.parametrize("part", ["toys__parcel__subject_txt", "toys__parcel__sample_json"])
def test_a_missing_part_is_found(tmp_path: Path, part: str) -> None:
    shop = own(tmp_path, **{name: content for name, content in PARCEL.items() if name != part})
    assert "missing" in {finding.problem for finding in shop.check_templates(["en"])}


@pytest.mark.proves("MSG-8")
def test_html_without_text_is_found_and_never_sent(tmp_path: Path) -> None:
    shop = own(tmp_path, **{name: content for name, content in PARCEL.items() if "text" not in name})
    with pytest.raises(TemplateUnknown):
        shop.render("toys.parcel", "en", {"name": "Anna"})
    assert ("toys.parcel", "missing") in {(f.template, f.problem) for f in shop.check_templates(["en"])}


@pytest.mark.proves("MSG-8")
def test_a_text_that_breaks_without_its_optional_values_is_found(tmp_path: Path) -> None:
    sample = json.dumps({"variables": {"name": "Anna"}, "optional": ["name"]})
    found = own(tmp_path, **{**PARCEL, "toys__parcel__sample_json": sample}).check_templates(["en"])
    assert {(finding.problem, finding.detail) for finding in found} == {("broken", "missing_variable")}


# What strangers write


@pytest.mark.proves("MSG-19")
def test_what_a_customer_typed_is_never_run_nor_read_as_html(tmp_path: Path) -> None:
    shop = own(tmp_path, **PARCEL)
    wording = shop.render("toys.parcel", "en", {"name": "{{ 7*7 }}<b>%s%(shop)s"})
    assert wording.subject == "Parcel for {{ 7*7 }}<b>%s%(shop)s"
    assert wording.html == "<p>{{ 7*7 }}&lt;b&gt;%s%(shop)s</p>"


@pytest.mark.proves("MSG-19")
def test_markup_in_a_value_of_a_translated_sentence_stays_text() -> None:
    html = OURS.render(RESET, "de", {**VARIABLES, "shop": "<script>alert(1)</script>"}).html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.proves("MSG-19", "MSG-10")
@given(name=st.text(max_size=300))
@example(name="moc.\u202eelpmaxe\u2066\u200f")
def test_a_subject_is_one_line_without_signs_that_turn_it_around(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    shop = own(tmp_path_factory.getbasetemp() / "subject", **PARCEL)
    subject = shop.render("toys.parcel", "en", {"name": name}).subject
    assert len(subject) <= 150
    assert not set(subject) & set("\r\n\t\0\x0b\x85\u2028\u2029\u202e\u200f\u2066")


@pytest.mark.proves("MSG-19")
def test_an_endless_name_is_cut_but_not_within_a_sign(tmp_path: Path) -> None:
    shop = own(tmp_path, **PARCEL)
    wording = shop.render("toys.parcel", "en", {"name": "x" * 10_000})
    assert wording.text.startswith("x" * 1999 + "…,")
    family = "👩\u200d👩\u200d👧"
    subject = shop.render("toys.parcel", "en", {"name": family * 60}).subject
    assert subject == f"Parcel for {family * 27}…"
    accents = shop.render("toys.parcel", "en", {"name": "x" * 137 + "e\u0301" * 20}).subject
    assert accents == "Parcel for " + "x" * 137 + "…"


@pytest.mark.proves("MSG-8")
def test_the_docs_tell_which_values_each_text_has(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs/howto/messages.md").read_text("utf-8")
    assert [name for name in OURS.names() if f"| `{name}` |" not in page] == []


@pytest.mark.proves("MSG-6", "MSG-16", "KER-246")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", ["registration.verify_contact", "registration.add_contact"])
def test_a_code_for_a_phone_is_one_piece_and_ends_with_the_line_that_browsers_read(name: str, locale: str) -> None:
    text = OURS.preview(name, locale, channel=Channel.SMS).text
    assert sms_parts(text.strip()).segments == 1
    assert text.endswith("\n\n@lampenhaus.example #482913\n")
    assert "Lampenhaus" in text.partition("\n")[0]


@pytest.mark.proves("MSG-6")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", OURS.names(Channel.SMS))
def test_every_text_for_phones_says_who_and_what_in_few_pieces(name: str, locale: str) -> None:
    values = OURS.sample(name).variables
    wording = OURS.preview(name, locale, channel=Channel.SMS)
    assert (wording.subject, wording.html, wording.locale) == ("", "", locale)
    assert sms_parts(wording.text.strip()).segments <= SmsPolicy().max_segments
    assert values["shop"] in wording.text
    assert values.get("code", "") in wording.text
    assert "%(" not in wording.text


@pytest.mark.proves("MSG-6")
def test_a_call_says_the_code_sign_by_sign_and_twice() -> None:
    text = OURS.preview("registration.verify_contact", "en", channel=Channel.VOICE).text
    assert text.count("4, 8, 2, 9, 1, 3") == 2
    assert "@" not in text
    said = OURS.preview("registration.address_wanted", "en", channel=Channel.VOICE).text
    assert said == OURS.preview("registration.address_wanted", "en", channel=Channel.SMS).text


@pytest.mark.proves("MSG-6", "SIG-80")
@pytest.mark.parametrize("locale", LOCALES)
def test_a_notice_for_a_phone_is_its_subject_with_the_link_to_object(locale: str) -> None:
    for name in (name for name in OURS.names() if "not_me_link" in OURS.sample(name).variables):
        text = OURS.preview(name, locale, channel=Channel.SMS).text
        assert text.startswith(f"Lampenhaus: {OURS.preview(name, locale).subject}\n")
        assert OURS.sample(name).variables["not_me_link"] in text
        assert sms_parts(text.strip()).segments <= SmsPolicy().max_segments


@pytest.mark.proves("MSG-6")
def test_a_phone_gets_no_text_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateUnknown):
        OURS.render("toys.nothing", "en", {}, Channel.SMS)
    shop = own(tmp_path, **PARCEL, toys__parcel__sms_txt="Parcel, {{ name }}!")
    assert shop.render("toys.parcel", "en", {"name": "Anna"}, Channel.SMS).text == "Parcel, Anna!\n"
    assert shop.render("toys.parcel", "en", {"name": "Anna"}, Channel.VOICE).text == "Parcel, Anna!\n"
    assert "toys.parcel" in shop.names(Channel.SMS)
    assert "registration.confirm_new_number" not in shop.names()


@pytest.mark.proves("MSG-8")
def test_a_text_for_phones_alone_needs_no_mail(tmp_path: Path) -> None:
    sample = json.dumps({"phones": True, "variables": {"code": "1"}})
    whole = own(tmp_path, toys__call__sms_txt="{{ code }}", toys__call__sample_json=sample)
    assert whole.check_templates(["en"]) == ()
    (tmp_path / "toys/call/sms.txt").unlink()
    (found,) = (f for f in own(tmp_path).check_templates(["en"]) if f.problem == "missing")
    assert (found.template, found.part) == ("toys.call", "sms.txt")
