"""Cancelling, withdrawing, declaring either in writing, and coming back."""
