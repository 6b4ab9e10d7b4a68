"""Small modules that repositories are made of, right as they stand here; bugs are put into copies of their text.

Each stands alone, needs nothing but the standard library, and takes and gives what JSON can carry.
"""
