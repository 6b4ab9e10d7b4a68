"""The critics: one file each, its name is its id."""
