"""Cases and complaints of ``library.matrices``."""

COMPLAINTS = {
    "size": "the extent of a table of numbers is told wrong",
    "transposed": "a table of numbers that is flipped over comes out wrong",
    "product": "multiplying tables of numbers goes wrong",
    "power": "multiplying a table of numbers with itself goes wrong",
    "determinant": "the number that tells whether equations can be solved is wrong",
    "turned": "a rotated table of numbers comes out wrong",
}

CASES = r"""
size([[1, 2, 3], [4, 5, 6]])
size([])
size([[1], [2, 3]])
transposed([[1, 2, 3], [4, 5, 6]])
transposed([[7]])
transposed([])
product([[1, 2], [3, 4]], [[5, 6], [7, 8]])
product([[1, 2, 3]], [[4], [5], [6]])
product([[1], [2]], [[3, 4]])
product([[1, 2]], [[3, 4]])
power([[1, 1], [1, 0]], 5)
power([[2, 0], [0, 3]], 0)
power([[1, 1], [0, 1]], 4)
power([[1, 2], [3, 4]], 1)
power([[1]], -1)
determinant([[5]])
determinant([[1, 2], [3, 4]])
determinant([[2, 0, 1], [1, 3, 2], [1, 1, 1]])
determinant([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
determinant([[0, 1, 2, 0], [1, 0, 0, 3], [2, 1, 0, 1], [0, 4, 1, 0]])
turned([[1, 2], [3, 4]])
turned([[1, 2, 3], [4, 5, 6]])
turned([[1, 2], [3, 4]], 2)
turned([[1, 2], [3, 4]], 5)
turned([[1, 2], [3, 4]], 0)
turned([[1, 2], [3, 4]], 3)
"""
