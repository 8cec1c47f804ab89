"""The words that every context shares: money, time, secrets, tickets, changes, and how to say no."""
