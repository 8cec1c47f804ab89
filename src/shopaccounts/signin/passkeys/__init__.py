"""Passkeys: adding them, and getting in by them."""
