"""Changing what was agreed, and what that costs."""
