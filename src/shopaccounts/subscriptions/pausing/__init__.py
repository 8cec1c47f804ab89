"""Pausing, leaving out, moving and filling single cycles."""
