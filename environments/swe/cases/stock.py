"""Cases and complaints of ``library.stock``."""

COMPLAINTS = {
    "Store": "a new warehouse is not as it should be",
    "receive": "goods that come in are miscounted",
    "free": "what can still be sold is miscounted",
    "promise": "reserving goods for a customer goes wrong",
    "ship": "sending goods to a customer goes wrong",
    "to_order": "the list of goods that run out is wrong",
    "report": "the overview of the warehouse is wrong",
}

CASES = r"""
Store(); receive("nut", 5); free("nut"); to_order()
Store(); receive("nut", 3); to_order()
Store(); receive("nut"); receive("nut", 3); report()
Store(1); receive("nut", 2); receive("bolt", 1); to_order()
Store(); receive("nut", 0)
Store(); free("nut"); report()
Store(); receive("nut", 5); promise("nut", 4); free("nut"); report()
Store(); receive("nut", 5); promise("nut", 5); free("nut"); to_order()
Store(); receive("nut", 5); promise("nut", 6); report()
Store(); receive("nut", 9); promise("nut", 4); promise("nut", 4); promise("nut", 4); report()
Store(); receive("nut", 9); promise("nut", 4); ship("nut", 3); report()
Store(); receive("nut", 9); promise("nut", 2); ship("nut", 5); report()
Store(); receive("nut", 9); ship("nut", 1); report()
Store(0); receive("b", 2); receive("a", 2); promise("a", 2); promise("b", 2); to_order(); report()
Store(); receive("z", 4); receive("y", 4); receive("x", 3); to_order()
Store(); receive("nut", 8); promise("nut", 3); ship("nut", 3); promise("nut", 5); ship("nut", 2); report()
"""
