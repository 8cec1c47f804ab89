"""What a shop offers that comes again, and what becomes of it when a customer agrees to it."""
