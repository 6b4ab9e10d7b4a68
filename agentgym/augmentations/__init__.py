"""The augmentations: one file each, its name is its id."""
