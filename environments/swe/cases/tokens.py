"""Cases and complaints of ``library.tokens``."""

COMPLAINTS = {
    "tokenize": "formulas are not taken apart as they should be",
    "postfix": "formulas are rearranged in the wrong way",
    "evaluate": "formulas come to the wrong result",
}

CASES = r"""
tokenize("12 + a_1*3")
tokenize("(x1-22)/7")
tokenize("")
tokenize("a b 1c")
tokenize("2 ? 3")
tokenize("foo_bar9")
tokenize("10")
postfix("1 + 2 * 3")
postfix("(1 + 2) * 3")
postfix("8 - 3 - 2")
postfix("2 * 3 + 4")
postfix("a / b * c")
postfix("1 + 2)")
postfix("((7))")
evaluate("1 + 2 * 3")
evaluate("(1 + 2) * 3")
evaluate("8 - 3 - 2")
evaluate("7 / 2")
evaluate("20 / 2 / 5")
evaluate("2 * (3 + 4) - 10 / 5")
evaluate("x * y + 1", {"x": 6, "y": 7})
evaluate("x", {})
evaluate("42")
evaluate("1 2")
evaluate("")
evaluate("100 - (30 + 20) * 2")
"""
