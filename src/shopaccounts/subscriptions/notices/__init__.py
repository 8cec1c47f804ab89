"""What has to be announced, what was, and what hangs on it."""
