"""What papers claim, in small: a script for each claim, all made of the same parts (``arms``)."""
