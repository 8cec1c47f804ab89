"""What a shop puts on paper: lines, invoices, credit notes, and how each cycle ended."""
