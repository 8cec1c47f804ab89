"""Codes and links that are sent, and getting in by them."""
