"""What both example shops share: their products, their pages and their settings."""

from pathlib import Path

from shop_common.catalogue import PRODUCTS, Product
from shop_common.history import happened
from shop_common.leaving import reason_to_stay
from shop_common.mailbox import Mailbox
from shop_common.problems import NOTHING_WRONG, Problems
from shop_common.questions import QUESTIONS, Question
from shop_common.second_step import Asked, answer_in, ways_to_prove
from shop_common.settings import Settings
from shop_common.ways import way_in, way_to_prove

__all__ = [
    "NOTES",
    "NOTHING_WRONG",
    "PRODUCTS",
    "QUESTIONS",
    "REGISTRATION_COOKIE",
    "STATIC",
    "TEMPLATES",
    "Asked",
    "Mailbox",
    "Problems",
    "Product",
    "Question",
    "Settings",
    "answer_in",
    "happened",
    "reason_to_stay",
    "way_in",
    "way_to_prove",
    "ways_to_prove",
]

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"

REGISTRATION_COOKIE = "__Host-registration"
"""Holds a registration together until its address is proven. All other flows are bound to the library's own cookie."""

NOTES = {
    "confirmed": "Your address is confirmed. Please sign in.",
    "new-password": "Your new password holds, and every device was signed out. Please sign in.",
    "password-changed": "Your new password holds. All other devices are signed out.",
    "sent-again": "Another mail is on its way. The code of the earlier one no longer works.",
    "session-ended": "That device is signed out.",
    "others-ended": "All other devices are signed out.",
    "factor-removed": "It is removed, and all other devices are signed out.",
    "renamed": "It has its new name.",
    "passkey-added": "From now on you can sign in with this passkey. All other devices are signed out.",
    "enrolled": "Your app is added. Please sign in once more, with a code of it.",
    "device-forgotten": "Done. We will tell you when it is used again.",
    "signed-out": "You are signed out.",
    "proven": "Thank you. Please go on.",
    "elsewhere": "Nothing has changed yet. Open the link in the browser that you asked from, or sign in first.",
    "contact-added": "The address is yours, and hears of what happens to your account.",
    "contact-works": "Thank you. We go on writing to this address.",
    "contact-removed": "The address is removed. For a while it can still take that back.",
    "change-asked": "Please look into both mailboxes, the old one and the new one, and agree there.",
    "change-half-done": "Thank you. Now the other mailbox has to agree too.",
    "change-done": "From now on you sign in by the new address. The old one can take that back for 30 days.",
    "change-cancelled": "The change is cancelled. Nothing has changed.",
    "change-undone": "The old address counts again, and every device is signed out. Please choose a new password.",
    "closing-asked": "Please look into your mailbox, and open the link in this browser.",
    "closing": "Your account is about to be closed. Until then, sign in if you want to stay.",
    "closing-waits": "We close your account as soon as what is open is settled.",
    "staying": "Good to have you. Please sign in again.",
    "invited": "The invitation is on its way.",
    "invitation-revoked": "The invitation is taken back.",
    "invitation-accepted": "Thank you. The invitation is accepted.",
    "invitation-declined": "Thank you for telling us. Nothing else happens.",
    "protected": "Every device is signed out. A link for a new password is in your mailbox.",
    "frozen": "Your account is stopped. A new password, by a link to your mailbox, lets it go on.",
}
"""What a page says after a redirect; the address holds the key, never the text."""
