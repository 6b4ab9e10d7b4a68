"""The searches: one file each, its name is its id."""
