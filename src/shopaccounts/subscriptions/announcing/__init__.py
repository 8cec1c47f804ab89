"""Announcing what is going to happen, and new prices."""
