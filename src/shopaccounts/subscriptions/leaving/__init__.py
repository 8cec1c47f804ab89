"""Cancelling, withdrawing, declaring either in writing, and coming back."""

from shopaccounts.subscriptions.leaving.statements import (
    CancellationForm,
    ContractOnFile,
    Match,
    cancellation_statement,
    match_statement,
    receipt_of,
    withdrawal_window,
)

__all__ = [
    "CancellationForm",
    "ContractOnFile",
    "Match",
    "cancellation_statement",
    "match_statement",
    "receipt_of",
    "withdrawal_window",
]
