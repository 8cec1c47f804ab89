"""What a cycle costs before discounts and tax: its prices, and what meters counted."""
