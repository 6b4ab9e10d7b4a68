"""Cases and complaints of ``library.intervals``."""

COMPLAINTS = {
    "merge": "spans that belong together do not come out as they should when they are put together",
    "covers": "a spot is said to be inside a span when it is not, or the other way round",
    "gaps": "the free room between spans is not told right",
    "total": "the count of what spans take up is wrong",
    "shifted": "spans end up in the wrong place when they are moved",
}

CASES = r"""
merge([[1, 3], [2, 6], [8, 9]])
merge([[1, 2], [2, 4]])
merge([[5, 7], [1, 3]])
merge([[1, 9], [2, 3]])
merge([[1, 2], [3, 4]])
merge([])
merge([[4, 4]])
merge([[3, 1]])
covers([[1, 3], [7, 9]], 3)
covers([[1, 3], [7, 9]], 7)
covers([[1, 3], [7, 9]], 5)
covers([], 1)
gaps([[3, 4], [7, 8]], 1, 10)
gaps([[1, 4], [6, 10]], 1, 10)
gaps([[0, 20]], 5, 6)
gaps([[1, 2], [30, 40]], 5, 9)
gaps([], 2, 3)
gaps([[2, 3]], 3, 4)
gaps([[4, 5]], 3, 4)
gaps([[1, 8], [2, 3]], 1, 9)
total([[1, 3], [2, 6]])
total([[4, 4], [9, 9]])
total([])
shifted([[1, 2]], 3)
shifted([[1, 2], [5, 5]])
shifted([[4, 6]], -4)
"""
