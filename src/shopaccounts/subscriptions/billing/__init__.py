"""Billing a cycle, and what is left when one is cut short or comes late."""
