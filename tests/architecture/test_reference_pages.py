"""The reference pages of the docs say what the code does."""

import re
from pathlib import Path

import attrs
import pytest

import generate_reference
import reference_pages
from shopaccounts.kernel.events import Event
from shopaccounts.testing.builders import BuiltShop


def test_the_reference_pages_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = generate_reference.main(["--check"])
    assert outcome == 0, capsys.readouterr().out


def test_a_stale_page_is_named_with_what_to_run_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate_reference, "ROOT", tmp_path)
    assert generate_reference.main(["--check"]) == 1
    assert "out of date: docs/errors.md; run python tools/generate_reference.py" in capsys.readouterr().out
    assert not any(tmp_path.iterdir())


def test_every_default_of_a_policy_says_why() -> None:
    silent = reference_pages.unexplained()
    assert not silent, f"add these to the section 'Why these defaults:' of their docstrings: {silent}"


def test_every_event_and_every_error_says_when() -> None:
    kinds = [*reference_pages.classes(Event), *reference_pages.rejections()]
    silent = [f"{kind.__module__}.{kind.__name__}" for kind in kinds if not reference_pages.told(kind).paragraphs]
    assert not silent, f"give these a docstring: {silent}"


def test_the_page_of_faces_has_a_row_for_each_face_of_a_shop(root: Path) -> None:
    rows = re.findall(r"^\| `shop\.(\w+)` \|", (root / "docs/faces.md").read_text("utf-8"), re.MULTILINE)
    faces = [field.name for field in attrs.fields(BuiltShop) if field.name != "builder"]
    assert sorted(rows) == sorted(faces)
