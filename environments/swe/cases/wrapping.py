"""Cases and complaints of ``library.wrapping``."""

COMPLAINTS = {
    "wrap": "paragraphs are broken at the wrong places",
    "indent": "paragraphs that are moved in do not look right",
    "shorten": "long titles are cut in the wrong way",
    "center": "headings are not put in the middle as they should be",
    "count": "the tally of what occurs in a text is wrong",
}

CASES = r"""
wrap("the quick brown fox jumps", 10)
wrap("the quick", 9)
wrap("the quick", 8)
wrap("extraordinary is long", 5)
wrap("", 5)
wrap("a b", 0)
wrap("a b c", 1)
wrap("now we see that twenty letters are the usual width")
wrap("four four four four x")
indent("a\n\nb")
indent("a\n  b", 4)
indent("", 3)
indent("x", 0)
shorten("hello world", 8)
shorten("hello", 5)
shorten("hello!", 5)
shorten("hello", 2)
shorten("hello", 3)
shorten("", 0)
center("ab", 6)
center("ab", 7, "*")
center("abc", 2)
center("x", 4, ".")
count("The cat, the dog.")
count("a ! a b b a")
count("")
count("one two, One; TWO!")
"""
