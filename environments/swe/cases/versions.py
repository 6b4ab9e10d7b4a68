"""Cases and complaints of ``library.versions``."""

COMPLAINTS = {
    "parse": "the name of a release is misread",
    "compare": "it is mistaken which of two releases came first",
    "newest": "the wrong release is picked",
    "bumped": "the name of the next release is wrong",
    "fits": "a release is taken for good enough and is not, or the other way round",
}

CASES = r"""
parse("1.4.2")
parse("v2.0")
parse("3-beta")
parse("1.2.3.4")
parse(" 1.0.0-rc1 ")
compare("1.4.2", "1.4.10")
compare("2.0.0", "1.9.9")
compare("1.0", "1.0.0")
compare("1.0.0-rc1", "1.0.0")
compare("1.0.0", "1.0.0-rc1")
compare("1.0.0-a", "1.0.0-b")
compare("1.0.0-b", "1.0.0-a")
compare("1.0.0-a", "1.0.0-a")
compare("1.0.1-a", "1.0.0")
newest(["1.0", "1.2", "1.1"])
newest(["1.0", "2.0-rc1"])
newest(["1.0", "2.0-rc1"], True)
newest([])
newest(["3.0-a"])
newest(["0.9", "0.10", "0.2"])
bumped("1.2.3")
bumped("1.2.3", 1)
bumped("1.2.3", 0)
bumped("1.2.3-rc1")
bumped("1.2", 3)
bumped("0.0.9", -1)
bumped("1.9")
fits("1.3", ">=1.2")
fits("1.2", ">=1.2")
fits("1.1.9", ">=1.2")
fits("2.0", "<2")
fits("1.9.9", "<2")
fits("1.5", "~1.4")
fits("2.5", "~1.4")
fits("1.3", "~1.4")
fits("1.4.0", "1.4")
fits("1.4.1", "1.4")
"""
