"""From lines to an invoice, and what becomes of it afterwards."""
