"""Second steps: apps, phones, the mailbox, and codes on paper."""
