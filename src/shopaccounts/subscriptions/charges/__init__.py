"""What a cycle costs before discounts and tax: its prices, and what meters counted."""

from shopaccounts.subscriptions.charges.metering import Measured, measurements
from shopaccounts.subscriptions.charges.usage import (
    Meter,
    late_usage,
    thresholds_reached,
    usage_billed,
    usage_line,
    usage_parts,
)

__all__ = [
    "Measured",
    "Meter",
    "late_usage",
    "measurements",
    "thresholds_reached",
    "usage_billed",
    "usage_line",
    "usage_parts",
]
