"""Boxes: which there are, what becomes of them, and how they are handed over."""
