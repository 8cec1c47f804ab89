"""What the shop's own people do, with a reason and a record of each act."""
