"""Charges and refunds as intents, and what follows one that fails."""
