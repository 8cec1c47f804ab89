"""What every adapter must promise: one class for each port, one test for each promise."""
