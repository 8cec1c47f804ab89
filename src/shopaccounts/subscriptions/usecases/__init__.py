"""What customers do about their subscriptions, and the runs that a shop starts by the clock."""
