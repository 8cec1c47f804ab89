"""Tables for spreadsheets: the one way in which the library writes CSV.

The form is that of RFC 4180: commas, CRLF, quotes around a cell where they are needed. A spreadsheet takes a cell that
begins with ``=``, ``+``, ``-``, ``@``, a tab or NUL for a formula and would run it, whoever typed it into a form; such
a cell gets a single quote in front, which spreadsheets don't show. [OWASP ASVS 1.2.10]
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["csv_text"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\0")


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Answer *rows* as one CSV text, for people who open it in a spreadsheet.

    Args:
        rows: The heading, if there is one, and the rows below it, each with its cells as text.
    """
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\r\n").writerows([_harmless(cell) for cell in row] for row in rows)
    return table.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
