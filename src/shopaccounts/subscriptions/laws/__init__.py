"""What laws and card schemes ask for, as data, and when it is due."""
