"""What most fields of this context mean for a person: an id, or a part of books that have to add up."""

from typing import Final

from shopaccounts.kernel.personal import OnErase, impersonal

__all__ = ["AN_ID", "KEPT"]

AN_ID: Final = impersonal("an opaque id")
"""Names something, and says nothing of anybody."""
KEPT: Final = OnErase.keep("numbers, days and amounts, so that the books add up")
"""Why something stays when its person is forgotten."""
