"""Cases and complaints of ``library.graphs``."""

COMPLAINTS = {
    "reachable": "the places that one can get to are not told right",
    "shortest": "the route that is found is not the one it should be",
    "ordered": "things that depend on others do not come in the right sequence",
    "degrees": "the number of connections of a place is wrong",
}

CASES = r"""
reachable({"a": ["b"], "b": ["c"], "d": ["a"]}, "a")
reachable({"a": ["b", "c"], "b": ["d"], "c": ["d"]}, "a")
reachable({"a": ["b"], "b": ["a"]}, "a")
reachable({}, "x")
reachable({"a": ["b"]}, "a"); reachable({"c": ["d"]}, "c")
reachable({"a": ["b"]}, "a", ["b"])
shortest({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["e"]}, "a", "e")
shortest({"a": ["b", "e"], "b": ["c"], "c": ["e"]}, "a", "e")
shortest({"a": ["b"], "b": ["a"]}, "a", "z")
shortest({"a": ["b"]}, "a", "a")
shortest({}, "a", "a")
shortest({"a": ["b"], "b": ["c"]}, "a", "c")
ordered({"shirt": ["tie"], "tie": ["jacket"], "belt": ["jacket"]})
ordered({"a": [], "b": [], "c": ["a"]})
ordered({"b": ["a"], "c": ["a", "b"]})
ordered({"a": ["b"], "b": ["a"]})
ordered({})
ordered({"x": ["y", "z"], "z": ["y"]})
reachable({"x": ["y"]}, "x"); reachable({"p": []}, "p"); reachable({"x": []}, "x")
degrees({"a": ["b", "c"], "b": ["c"]})
degrees({"a": []})
degrees({"a": ["a"]})
degrees({"p": ["q"], "r": ["q"], "s": ["q", "p"]})
"""
