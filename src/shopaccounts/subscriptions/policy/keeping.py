"""How long papers and statements are kept with their customer's name on them."""

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["KeepingPolicy"]


@attrs.frozen(kw_only=True)
class KeepingPolicy:
    """For how long the law wants to know whose papers these were; so long nobody is erased from them.

    Args:
        document_years: How many years after the end of the year in which an invoice or credit note was issued.
        statement_years: How many years after the end of the year in which a customer cancelled or withdrew in writing.

    Why these defaults:
        document_years: 10, as Art. L123-22 of the French Code de commerce and Art. 2220 of the Italian Codice civile
            want it; § 14b UStG and § 147 AO of Germany want 8, so a German shop sets that.
        statement_years: 3, the time in which claims lapse from the end of the year on. [§§ 195, 199 BGB]
    """

    document_years: int = 10
    statement_years: int = 3

    def __attrs_post_init__(self) -> None:
        require(0 <= self.document_years <= 100, "papers are kept for some years")  # noqa: PLR2004  (a century)
        require(0 <= self.statement_years <= 100, "statements are kept for some years")  # noqa: PLR2004  (a century)
