"""How many pieces a text message takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.relay import SmsEncoding, SmsParts, SmsPolicy, sms_parts

GSM7, UCS2 = SmsEncoding.GSM7, SmsEncoding.UCS2
pytestmark = pytest.mark.proves("MSG-15")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", SmsParts(GSM7, 0, 0)),
        ("a", SmsParts(GSM7, 1, 1)),
        ("a" * 160, SmsParts(GSM7, 160, 1)),
        ("a" * 161, SmsParts(GSM7, 161, 2)),
        ("a" * 306, SmsParts(GSM7, 306, 2)),
        ("a" * 307, SmsParts(GSM7, 307, 3)),
        ("€" * 80, SmsParts(GSM7, 160, 1)),
        ("a" * 152 + "€" + "a" * 152, SmsParts(GSM7, 306, 3)),
        ("äöüßÄÖÜéèùàñÑ¿¡", SmsParts(GSM7, 15, 1)),
        ("ç", SmsParts(UCS2, 1, 1)),
        ("ê" * 70, SmsParts(UCS2, 70, 1)),
        ("ê" * 71, SmsParts(UCS2, 71, 2)),
        ("ê" * 134, SmsParts(UCS2, 134, 2)),
        ("💡" * 35, SmsParts(UCS2, 70, 1)),
        ("💡" * 67, SmsParts(UCS2, 134, 3)),
    ],
)
def test_a_text_takes_as_many_pieces_as_networks_cut_it_into(text: str, parts: SmsParts) -> None:
    assert sms_parts(text) == parts


@pytest.mark.proves("MSG-18")
@given(st.text(max_size=800))
def test_no_piece_holds_more_than_a_network_carries(text: str) -> None:
    parts = sms_parts(text)
    room = 153 if parts.encoding is GSM7 else 67
    assert parts.units >= len(text)
    if parts.segments > 1:
        assert parts.units <= room * parts.segments
        assert parts.units > (room - 1) * (parts.segments - 1)


@pytest.mark.parametrize("wrong", [{"max_segments": 0}, {"timeout": SmsPolicy().timeout * 0}])
def test_a_policy_lets_something_out(wrong: dict[str, object]) -> None:
    with pytest.raises(BadPolicy):
        SmsPolicy(**wrong)  # type: ignore[arg-type]  # as the cases have it
