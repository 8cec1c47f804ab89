from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.personal import Category, field_marks
from shopaccounts.kernel.time import add_months, start_of_day, zone
from shopaccounts.subscriptions.errors import WithdrawalPeriodOver
from shopaccounts.subscriptions.laws.rows import WITHDRAWAL_RULES
from shopaccounts.subscriptions.leaving.statements import (
    CancellationForm,
    CancellationKind,
    CancellationStatement,
    ContractOnFile,
    Match,
    StatementReceipt,
    WithdrawalForm,
    WithdrawalStatement,
    cancellation_statement,
    confirmed,
    match_statement,
    receipt_of,
    require_open,
    statement_id,
    withdrawal_statement,
    withdrawal_window,
)
from shopaccounts.subscriptions.remarks import MAX_REMARK, clean_remark

REALM, STORE = RealmId("main"), StoreId("main")
NOW = datetime(2027, 3, 10, 14, 30, 5, 123456, tzinfo=UTC)
BERLIN = zone("Europe/Berlin")
RULE = WITHDRAWAL_RULES[0]
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
FORM: dict[str, Any] = {"name": "Nora Nord", "reference": "C-1001", "contact": "nora@mail.example"}
CONTRACT = ContractOnFile("subscription-1", frozenset({"email nora@mail.example", "phone +491701234567"}))
days = st.dates(date(2020, 1, 1), date(2090, 12, 31))
zones = st.sampled_from([zone(name) for name in ("UTC", "Europe/Berlin", "America/Santiago", "Pacific/Apia")])


def cancellation(found: tuple[Match, str] = (Match.UNMATCHED, ""), **changed: Any) -> CancellationStatement:
    return cancellation_statement(CancellationForm(**(FORM | changed)), found, realm=REALM, store=STORE, now=NOW)


def withdrawal(found: tuple[Match, str] = (Match.UNMATCHED, ""), **changed: Any) -> WithdrawalStatement:
    return withdrawal_statement(WithdrawalForm(**(FORM | changed)), found, realm=REALM, store=STORE, now=NOW)


class TestForms:
    @pytest.mark.proves("CAN-8")
    def test_a_cancellation_names_person_contract_contact_kind_reason_and_day(self):
        form = CancellationForm(**FORM)
        assert (form.kind, form.reason, form.ends_on) == (CancellationKind.ORDINARY, "", None)
        full = CancellationForm(
            **FORM, kind=CancellationKind.EXTRAORDINARY, reason="moved abroad", ends_on=date(2027, 6, 30)
        )
        assert (full.kind, full.reason, full.ends_on) == (
            CancellationKind.EXTRAORDINARY,
            "moved abroad",
            date(2027, 6, 30),
        )

    @pytest.mark.proves("CAN-8")
    @pytest.mark.parametrize(
        ("wrong", "field", "reason"),
        [
            ({"name": " "}, "name", "missing"),
            ({"reference": "\n"}, "reference", "missing"),
            ({"contact": ""}, "contact", "missing"),
            ({"name": "n" * 201}, "name", "too_long"),
            ({"reference": "r" * 129}, "reference", "too_long"),
            ({"contact": "c" * 321}, "contact", "too_long"),
            ({"form_key": "f" * 129}, "form_key", "too_long"),
            ({"name": None}, "name", "type"),
            ({"kind": "ordinary"}, "kind", "type"),
            ({"kind": CancellationKind.EXTRAORDINARY}, "reason", "missing"),
            ({"kind": CancellationKind.EXTRAORDINARY, "reason": " \x00"}, "reason", "missing"),
        ],
    )
    def test_what_is_missing_too_long_or_of_another_type_is_refused(self, wrong, field, reason):
        with pytest.raises(InvalidInput) as refused:
            CancellationForm(**(FORM | wrong))
        assert (refused.value.field, refused.value.reason) == (field, reason)

    @pytest.mark.parametrize("wrong", [{"name": ""}, {"reference": ""}, {"contact": ""}, {"form_key": "f" * 129}])
    def test_a_withdrawal_needs_person_contract_and_contact_too(self, wrong):
        with pytest.raises(InvalidInput):
            WithdrawalForm(**(FORM | wrong))

    def test_a_day_is_a_day(self):
        with pytest.raises(TypeError):
            CancellationForm(**FORM, ends_on=NOW)


class TestStatements:
    @pytest.mark.proves("CAN-8")
    @pytest.mark.parametrize(
        ("contract", "contact", "expected"),
        [
            (CONTRACT, "email nora@mail.example", (Match.MATCHED, "subscription-1")),
            (CONTRACT, "phone +491701234567", (Match.MATCHED, "subscription-1")),
            (CONTRACT, "email eve@mail.example", (Match.CONFIRM, "subscription-1")),
            (None, "email nora@mail.example", (Match.UNMATCHED, "")),
        ],
    )
    def test_a_statement_is_acted_upon_confirmed_by_the_customer_or_looked_at_by_a_clerk(
        self, contract, contact, expected
    ):
        assert match_statement(contract, contact) == expected

    @pytest.mark.proves("CAN-8")
    @pytest.mark.parametrize("make", [cancellation, withdrawal])
    def test_the_receipt_is_the_same_whether_a_contract_matched_or_not(self, make):
        receipts = {
            receipt_of(make(found))
            for found in [(Match.UNMATCHED, ""), (Match.CONFIRM, "subscription-1"), (Match.MATCHED, "subscription-1")]
        }
        assert len(receipts) == 1

    @pytest.mark.proves("CAN-8")
    def test_the_receipt_has_the_content_and_the_date_and_time(self):
        said = CancellationForm(**FORM, reason="too much coffee", ends_on=date(2027, 6, 30))
        statement = cancellation_statement(said, (Match.UNMATCHED, ""), realm=REALM, store=STORE, now=NOW)
        assert receipt_of(statement) == StatementReceipt(statement=statement.id, said=said, received_at=NOW)

    @pytest.mark.proves("CAN-10")
    def test_the_same_form_is_the_same_statement_whenever_it_comes_and_whatever_it_matches(self):
        again = cancellation_statement(
            CancellationForm(**FORM), (Match.MATCHED, "subscription-1"), realm=REALM, store=STORE, now=NOW + DAY
        )
        assert again.id == cancellation().id
        assert len(again.id) == 64

    @pytest.mark.proves("CAN-10")
    def test_another_form_another_store_or_another_content_is_another_statement(self):
        ids = {
            statement_id(REALM, STORE, CancellationForm(**FORM)),
            statement_id(REALM, StoreId("other"), CancellationForm(**FORM)),
            statement_id(RealmId("other"), STORE, CancellationForm(**FORM)),
            statement_id(REALM, STORE, WithdrawalForm(**FORM)),
            *(
                cancellation(**changed).id
                for changed in (
                    {"name": "Nils Nord"},
                    {"reference": "C-1002"},
                    {"contact": "nils@mail.example"},
                    {"reason": "moved"},
                    {"kind": CancellationKind.EXTRAORDINARY, "reason": "moved"},
                    {"ends_on": date(2027, 6, 30)},
                    {"form_key": "2027"},
                )
            ),
        }
        assert len(ids) == 11

    @pytest.mark.proves("CAN-10")
    def test_a_statement_can_not_be_changed_and_is_kept_as_it_is(self):
        statement = cancellation((Match.MATCHED, "subscription-1"), ends_on=date(2027, 6, 30))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            statement.subscription = "other"  # type: ignore[misc]  # what must fail
        assert serial.load(CancellationStatement, serial.dump(statement)) == statement

    @pytest.mark.proves("CAN-9", "CAN-10")
    def test_a_withdrawal_is_confirmed_once_and_the_first_time_counts(self):
        opened = withdrawal((Match.MATCHED, "subscription-1"))
        assert opened.confirmed_at is None
        assert receipt_of(opened).received_at == NOW
        done = confirmed(opened, NOW + DAY)
        assert done == attrs.evolve(opened, confirmed_at=NOW + DAY)
        assert confirmed(done, NOW + 2 * DAY) is done
        assert receipt_of(done).received_at == NOW + DAY
        assert serial.load(WithdrawalStatement, serial.dump(done)) == done

    @pytest.mark.parametrize("model", [CancellationStatement, WithdrawalStatement])
    def test_what_a_statement_says_is_personal_and_shown_to_its_person(self, model):
        said = {mark.field: mark.mark for mark in field_marks(model)}["said"]
        assert said.category is Category.CONTENT
        assert said.export


class TestWithdrawal:
    @pytest.mark.proves("CAN-9")
    @pytest.mark.parametrize(
        ("start", "holidays", "ends_on"),
        [
            (date(2027, 3, 1), (), date(2027, 3, 15)),
            (date(2027, 3, 6), (), date(2027, 3, 22)),  # the 14th day is a Saturday
            (date(2027, 3, 7), (), date(2027, 3, 22)),  # a Sunday
            (date(2027, 3, 15), (date(2027, 3, 29),), date(2027, 3, 30)),  # Easter Monday
            (date(2027, 3, 12), (date(2027, 3, 26), date(2027, 3, 29)), date(2027, 3, 30)),  # Good Friday to Tuesday
            (date(2028, 2, 15), (), date(2028, 2, 29)),
        ],
    )
    def test_one_may_withdraw_for_14_days_and_until_the_next_working_day_ends(self, start, holidays, ends_on):
        window = withdrawal_window(start, RULE, BERLIN, holidays)
        assert window.ends_on == ends_on
        assert window.ends_at == start_of_day(ends_on + DAY, BERLIN)

    @pytest.mark.proves("CAN-9")
    @pytest.mark.parametrize(
        ("start", "ends_on"),
        [
            (date(2027, 3, 1), date(2028, 3, 15)),
            (date(2028, 2, 15), date(2029, 2, 28)),  # from 29 February
            (date(2027, 3, 4), date(2028, 3, 20)),  # 18 March 2028 is a Saturday
        ],
    )
    def test_who_was_not_told_has_twelve_months_more(self, start, ends_on):
        assert withdrawal_window(start, RULE, BERLIN, information_missing=True).ends_on == ends_on

    @pytest.mark.proves("CAN-9")
    def test_the_last_moment_of_the_last_local_day_is_in_time(self):
        window = withdrawal_window(date(2027, 3, 15), RULE, BERLIN)  # ends after clocks have jumped
        assert window.ends_at == datetime(2027, 3, 29, 22, tzinfo=UTC)
        require_open(window, window.ends_at - MOMENT)
        with pytest.raises(WithdrawalPeriodOver) as refused:
            require_open(window, window.ends_at)
        assert refused.value.ended_on == date(2027, 3, 29)

    @pytest.mark.proves("CAN-9")
    @given(start=days, where=zones, off=st.frozensets(st.integers(0, 30), max_size=12), late=st.booleans())
    def test_the_last_day_is_the_first_working_day_that_is_not_too_early(self, start, where, off, late):
        due = add_months(start + 14 * DAY, 12 if late else 0)
        holidays = {due + count * DAY for count in off}
        window = withdrawal_window(start, RULE, where, holidays, information_missing=late)
        skipped = [due + count * DAY for count in range((window.ends_on - due).days)]
        assert all(day.weekday() >= 5 or day in holidays for day in skipped)
        assert window.ends_on.weekday() < 5
        assert window.ends_on not in holidays
        assert window.ends_on >= due

    def test_a_withdrawal_counts_from_a_day(self):
        with pytest.raises(TypeError):
            withdrawal_window(NOW, RULE, BERLIN)


class TestRemarks:
    @pytest.mark.proves("ABU-10")
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("  plain  ", "plain"),
            ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
            ("one\ntwo\r\nthree\tfour", "one two  three four"),
            ("a\u202eb\u2066c\ufeff", "abc"),
            ("line\u2028break\u2029here\x85now", "line break here now"),
            ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
            ("grüße €", "grüße €"),
            ("", ""),
        ],
    )
    def test_a_remark_has_no_control_characters(self, written, kept):
        assert clean_remark(written, "comment") == kept

    @pytest.mark.proves("ABU-10")
    def test_a_remark_has_2000_characters_at_most_and_is_never_cut(self):
        assert MAX_REMARK == 2000
        assert clean_remark("x" * 2000, "comment") == "x" * 2000
        with pytest.raises(InvalidInput) as refused:
            clean_remark("x" * 2001, "comment")
        assert (refused.value.field, refused.value.reason) == ("comment", "too_long")

    @pytest.mark.proves("ABU-10")
    @pytest.mark.parametrize("wrong", [None, 5, b"text", "half \ud800"])
    def test_what_is_no_text_is_refused(self, wrong):
        with pytest.raises(InvalidInput):
            clean_remark(wrong, "comment")

    @pytest.mark.proves("ABU-10")
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
    def test_cleaning_twice_is_cleaning_once_and_what_is_kept_can_be_stored(self, written: str):
        kept = clean_remark(written, "comment")
        assert clean_remark(kept, "comment") == kept
        assert len(kept) <= len(written)
        assert "\0" not in kept
