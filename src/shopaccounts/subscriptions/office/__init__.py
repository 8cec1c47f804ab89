"""What every decision has in common: loading what it needs, and recording what it leads to."""
