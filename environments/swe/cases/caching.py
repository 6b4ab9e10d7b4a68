"""Cases and complaints of ``library.caching``."""

COMPLAINTS = {
    "Cache": "a new store of recent things is not of the size it should be",
    "put": "the wrong thing is thrown out when there is no more room, or too early",
    "get": "asking for something that was kept does not do what it should",
    "drop": "forgetting something that was kept goes wrong",
    "keys": "the list of what is kept is in the wrong order",
    "rate": "the share of successful lookups is wrong",
}

CASES = r"""
Cache(2); put("a", 1); put("b", 2); put("c", 3); keys()
Cache(2); put("a", 1); put("b", 2); get("a"); put("c", 3); keys()
Cache(2); put("a", 1); put("b", 2); put("a", 9); put("c", 3); get("a")
Cache(1); put("a", 1); put("b", 2); get("a"); get("b")
Cache(); put("a", 1); put("b", 2); put("c", 3)
Cache(3); put("a", 1); put("b", 2); put("c", 3); put("d", 4); keys()
Cache(0)
Cache(2); get("x")
Cache(2); get("x", 7)
Cache(2); put("a", 1); drop("a"); get("a"); drop("a")
Cache(2); drop("a")
Cache(2); rate(); put("a", 1); get("a"); rate()
Cache(2); put("a", 1); get("a"); get("b"); get("c"); rate()
Cache(2); put("a", 5); get("a"); get("a"); get("z"); rate()
Cache(3); put("a", 1); put("b", 2); put("c", 3); get("b"); get("a"); keys()
Cache(2); put("a", 1); put("b", 2); get("a"); put("c", 3); get("b", 8); get("a")
"""
