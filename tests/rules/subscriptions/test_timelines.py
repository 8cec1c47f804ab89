"""The drawn timelines of the docs stand on their pages, read in light and in dark, and are read aloud."""

import re
from datetime import date
from itertools import combinations, product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import draw_subscription_states
import draw_subscription_timelines
import pictures
from timelines import Look, Mark, Row, Stretch, Timeline

TIMELINES = draw_subscription_timelines.pictures()
DRAWN = (*TIMELINES, *draw_subscription_states.PICTURES)
SVG = "{http://www.w3.org/2000/svg}"
READABLE = 4.5
"""The least contrast of text in WCAG 2.2, success criterion 1.4.3."""
PALETTES = {"light": pictures.LIGHT, "dark": pictures.DARK}
WRITTEN_ON = ["ground", *(look.value for look in Look)]


def stem(picture: pictures.Drawn) -> str:
    return picture.path.stem


def brightness(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("picture", DRAWN, ids=stem)
def test_a_picture_stands_on_a_page_with_a_text_in_its_place(picture):
    pages = (page.read_text("utf-8") for page in picture.path.parent.glob("*.md"))
    assert any(re.search(rf"!\[[^\]]{{20,}}\]\({picture.path.name}\)", page) for page in pages)


@pytest.mark.parametrize("picture", DRAWN, ids=stem)
def test_a_picture_has_a_title_a_description_and_texts_that_are_text(picture):
    root = ET.fromstring(picture.drawing())  # noqa: S314  (drawn here)
    assert root.get("role") == "img"
    told = {part.get("id"): part.text or "" for part in root if part.tag in {f"{SVG}title", f"{SVG}desc"}}
    assert [bool(told[id]) for id in (root.get("aria-labelledby") or "").split()] == [True, True]
    assert root.findall(f"{SVG}text")


@pytest.mark.parametrize("picture", TIMELINES, ids=stem)
def test_a_description_tells_every_row_with_its_days(picture):
    about = ET.fromstring(picture.drawing()).findtext(f"{SVG}desc") or ""  # noqa: S314  (drawn here)
    for row in picture.rows:
        assert row.name.replace("\n", " ") in about
        for day in row.days:
            assert f"{day.day} {day:%b}" in about


@pytest.mark.parametrize(("palette", "below"), list(product(PALETTES, WRITTEN_ON)))
def test_text_has_the_contrast_that_is_asked_for_in_light_and_in_dark(palette, below):
    colours = PALETTES[palette]
    light, dark = sorted((brightness(colours["ink"]), brightness(colours[below])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= READABLE


def test_both_palettes_have_the_same_uses_and_a_picture_has_both():
    assert pictures.LIGHT.keys() == pictures.DARK.keys()
    drawn = TIMELINES[0].drawing()
    assert "prefers-color-scheme: dark" in drawn
    assert all(colour in drawn for colour in (*pictures.LIGHT.values(), *pictures.DARK.values()))


def test_texts_below_a_row_make_room_for_each_other():
    days = [date(2031, 3, day) for day in (1, 2, 3, 9, 10, 31)]
    row = Row(name="crowded", marks=[Mark(day, "something long") for day in days])
    drawn = Timeline(path=Path("none.svg"), title="Crowded", rows=[row]).drawing()
    places = re.findall(r'<text x="(\d+)" y="(\d+)"[^>]*>(\d+ Mar [^<]+)</text>', drawn)
    assert len(places) == len(days)
    for (x, y, text), (other_x, other_y, _) in combinations(sorted(places, key=lambda place: int(place[0])), 2):
        assert y != other_y or int(x) + 5 * len(text) < int(other_x)


def test_what_is_too_long_for_its_stretch_is_written_below_it():
    row = Row(name="short", stretches=[Stretch(date(2031, 3, 1), date(2031, 3, 3), "a whole sentence", Look.BACK)])
    long = Row(name="long", stretches=[Stretch(date(2031, 3, 1), date(2031, 6, 1), "a whole sentence")])
    drawn = Timeline(path=Path("none.svg"), title="Short and long", rows=[row, long]).drawing()
    assert ">1 Mar: a whole sentence</text>" in drawn
    assert '"inside">a whole sentence</text>' in drawn
