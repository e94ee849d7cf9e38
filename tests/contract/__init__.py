"""Official clients, unchanged, against the door."""
