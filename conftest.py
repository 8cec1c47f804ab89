"""Runs every example of the documentation as a test."""

from doctest import ELLIPSIS

from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser


class ConsoleSessionParser(PythonCodeBlockParser):
    """Finds the ``pycon`` blocks; each prompt in them is a doctest."""

    def __init__(self) -> None:
        super().__init__(doctest_optionflags=ELLIPSIS)
        self.codeblock_parser = CodeBlockParser("pycon", PythonEvaluator())


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), ConsoleSessionParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md", "docs/contexts/**/*.md"],
    excludes=["docs/_build/**"],
).pytest()
