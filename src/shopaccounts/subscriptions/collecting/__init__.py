"""Collecting what invoices owe, and what the answers of a gateway lead to."""
