"""The picture of the statuses in the docs is drawn from the table."""

import re

import pytest

import draw_statuses
from shopaccounts.customers import TRANSITIONS, AccountStatus


@pytest.mark.proves("CUS-11")
def test_the_picture_in_the_docs_shows_the_table_as_it_is() -> None:
    assert draw_statuses.PICTURE.read_text("utf-8") == draw_statuses.drawing(), "run tools/generate_reference.py"


def test_every_status_and_every_step_is_in_the_picture() -> None:
    steps = draw_statuses.edges()
    assert {trigger.value for _, trigger in TRANSITIONS} == {name for names in steps.values() for name in names}
    texts = set(re.findall(r">([a-z_, ]+)</text>", draw_statuses.drawing()))
    assert {status.value for status in AccountStatus} <= texts
    named = {name for text in texts for name in text.split(", ")}
    thin = {trigger.value for trigger in draw_statuses.QUIET}
    assert {trigger.value for _, trigger in TRANSITIONS} - thin <= named
