"""Enums whose members are numbers or texts are read as members, and strictly."""

from enum import IntEnum, StrEnum

import attrs
import cattrs
import pytest

from shopaccounts import serial


class Weight(IntEnum):
    LIGHT = 0
    HEAVY = 1


class Shade(StrEnum):
    WARM = "warm"


@attrs.frozen
class Lamp:
    weight: Weight
    shade: Shade


def test_members_come_back_as_members() -> None:
    lamp = Lamp(Weight.HEAVY, Shade.WARM)
    back = serial.load(Lamp, serial.dump(lamp))
    assert back == lamp
    assert type(back.weight) is Weight
    assert type(back.shade) is Shade


@pytest.mark.parametrize(
    "text", ['{"weight":true,"shade":"warm"}', '{"weight":2,"shade":"warm"}', '{"weight":0,"shade":"w"}']
)
def test_what_is_no_member_is_refused(text: str) -> None:
    with pytest.raises(cattrs.BaseValidationError):
        serial.load(Lamp, text)
