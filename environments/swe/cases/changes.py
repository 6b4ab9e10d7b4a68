"""Cases and complaints of ``library.changes``."""

COMPLAINTS = {
    "common": "what two texts share is not found",
    "diff": "the comparison of two texts is wrong",
    "distance": "how unlike two words are is told wrong",
    "closest": "the wrong word is suggested for a misspelled one",
}

CASES = r"""
common(["a", "b", "c", "d"], ["b", "d"])
common(["a", "b"], ["c"])
common([], ["a"])
common(["x", "a", "b", "y"], ["a", "z", "b"])
common(["a", "b", "a"], ["b", "a", "b"])
diff(["a", "b", "c"], ["a", "c"])
diff(["a"], ["a", "b"])
diff(["a", "x", "c"], ["a", "y", "c"])
diff([], [])
diff([], ["new"])
diff(["k", "l"], ["l", "m"])
distance("kitten", "sitting")
distance("", "abc")
distance("abc", "")
distance("same", "same")
distance("flaw", "lawn")
distance("ab", "ba")
closest("colr", ["color", "cooler"])
closest("zzzz", ["color"])
closest("cat", ["cart", "cut"])
closest("abcd", ["ab"], 1)
closest("abcd", ["ab"])
closest("x", [])
closest("tree", ["three", "free", "tree"], 0)
"""
