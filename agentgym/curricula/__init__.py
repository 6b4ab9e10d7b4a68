"""The curricula: one file each, its name is its id."""
