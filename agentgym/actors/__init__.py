"""The engines: one file each, its name is its id. A file that begins with "_" is a part, not an engine."""
