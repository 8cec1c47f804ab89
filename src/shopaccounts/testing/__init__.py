"""What a shop needs to test itself: doubles, contracts, races, crashes."""
