"""The protocols: one file each, its name is its id."""
