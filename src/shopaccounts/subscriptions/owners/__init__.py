"""Whose subscriptions they are: customers become one, open an account, leave, ask what is kept, and are forgotten."""
