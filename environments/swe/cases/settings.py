"""Cases and complaints of ``library.settings``."""

COMPLAINTS = {
    "merged": "a user's options laid over the defaults give the wrong outcome",
    "looked_up": "an option that is asked for is not found as it should be",
    "placed": "an option that is written goes wrong",
    "flat": "the overview of all options is wrong",
    "read": "a file of options is misread",
}

CASES = r"""
merged({"a": 1}, {"b": 2})
merged({"a": 1}, {"a": 2})
merged({"s": {"x": 1, "y": 2}}, {"s": {"y": 3}})
merged({"s": {"x": {"k": 1}}}, {"s": {"x": {"m": 2}}})
merged({"a": 1, "b": 2}, {"a": None})
merged({"s": {"x": 1}}, {"s": 5})
merged({"s": 5}, {"s": {"x": 1}})
merged({}, {"z": None})
merged({"s": {"x": 1, "y": 2}}, {"s": {"x": None}})
looked_up({"server": {"port": 80}}, "server.port")
looked_up({"server": {"port": 80}}, "server.host", "local")
looked_up({"server": 1}, "server.port", 0)
looked_up({"a": {"b": {"c": 3}}}, "a.b.c")
looked_up({"a": 1}, "b")
placed("a.b", 1)
placed("a", 1); placed("b", 2)
placed("a.c", 2, {"a": {"b": 1}})
placed("x.y.z", 0, {"k": 1})
placed("k", 1); placed("m.n", 2)
flat({"a": {"b": 1, "c": {"d": 2}}, "e": 3})
flat({})
flat({"a": {}})
flat({"a": {"b": {}}, "c": 1})
read("a = 1\n\n# note\nb=two words")
read("a = x = y")
read("just words")
read("port = 80 # usual")
read("a = 1 ; b", ";")
read("")
"""
