"""Pictures that a camera reads."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno

from shopaccounts.adapters.extras import ExtraMissing
from shopaccounts.adapters.qr import SegnoQrCode
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.factors.ports import NoQrCode

QUIET_ZONE = 4
SCALE = 4
SMALLEST = 21


def modules_of(svg: str) -> Iterator[tuple[int, int]]:
    """The dark modules that the path of a picture draws, as (row, column)."""
    path = re.search(r' d="([^"]+)"', svg)
    assert path
    row, column = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmhv])([^Mmhvz]*)", path[1]):
        values = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        if command == "M":
            column, row = values
        elif command == "m":
            column, row = column + values[0], row + values[1]
        else:
            yield from ((int(row), int(column) + offset) for offset in range(int(values[0])))
            column += values[0]


@pytest.mark.proves("ADA-208")
@pytest.mark.parametrize("text", ["1", "otpauth", "otpauth://totp/Lampenhaus:a?secret=" + "A" * 32])
def test_even_a_short_text_becomes_a_code_that_apps_can_read(text: str) -> None:
    svg = SegnoQrCode().svg(Secret(text)).reveal()
    expected = segno.make_qr(text, error="m")
    assert not expected.is_micro
    side = expected.symbol_size(border=0)[0]
    assert side >= SMALLEST
    assert f'width="{(side + 2 * QUIET_ZONE) * SCALE}"' in svg
    dark = {(row, column) for row, line in enumerate(expected.matrix) for column, one in enumerate(line) if one}
    assert {(row - QUIET_ZONE, column - QUIET_ZONE) for row, column in modules_of(svg)} == dark


@pytest.mark.proves("ADA-208")
def test_the_package_by_itself_draws_what_apps_can_not_read() -> None:
    assert segno.make("1").is_micro


@pytest.mark.proves("ADA-208")
def test_a_picture_is_a_secret_text_and_never_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture = SegnoQrCode().svg(Secret("otpauth://totp/x?secret=AAAA"))
    assert isinstance(picture, Secret)
    assert picture.reveal().startswith("<svg")
    assert "AAAA" not in f"{picture} {picture!r}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.proves("ADA-208", "ADA-211")
def test_without_the_package_its_adapter_is_refused_and_its_twin_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(ExtraMissing, match=r"shopaccounts\[qr\]"):
        SegnoQrCode()
    assert NoQrCode().svg(Secret("text")) is None  # type: ignore[func-returns-value]  # that is the point
