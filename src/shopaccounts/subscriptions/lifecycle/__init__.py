"""How subscriptions begin, how their trials and terms run, and how they end."""
