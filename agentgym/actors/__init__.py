"""The engines: one file or folder each, its name is its id. Importing one imports no torch: making one does."""
