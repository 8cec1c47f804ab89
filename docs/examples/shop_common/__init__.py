"""What both example shops share: their products, their pages and their settings."""

from pathlib import Path

from shop_common.catalogue import PRODUCTS, Product
from shop_common.mailbox import Mailbox
from shop_common.problems import NOTHING_WRONG, Problems
from shop_common.settings import Settings

__all__ = ["NOTES", "NOTHING_WRONG", "PRODUCTS", "STATIC", "TEMPLATES", "Mailbox", "Problems", "Product", "Settings"]

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"

NOTES = {
    "confirmed": "Your address is confirmed. Please sign in.",
    "new-password": "Your new password holds, and every device was signed out. Please sign in.",
    "sent-again": "Another mail is on its way. The code of the earlier one no longer works.",
    "session-ended": "That device is signed out.",
    "others-ended": "All other devices are signed out.",
    "signed-out": "You are signed out.",
}
"""What a page says after a redirect; the address holds the key, never the text."""
