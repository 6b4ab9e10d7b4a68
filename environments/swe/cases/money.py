"""Cases and complaints of ``library.money``."""

COMPLAINTS = {
    "parse": "prices that people type are misread",
    "shown": "prices are not written as they should be",
    "shares": "a bill is split wrongly among friends",
    "discounted": "reduced prices are wrong",
    "change": "what is handed back at the till is wrong",
}

CASES = r"""
parse("12.50")
parse("7")
parse("-0.05")
parse("3.5")
parse("  8.01 ")
parse("1.234")
parse("abc")
parse("")
parse("-12.5")
shown(123456)
shown(5)
shown(-250)
shown(100000000)
shown(1234567, False)
shown(0)
shown(-7, False)
shares(100, 3)
shares(101, 3)
shares(9, 3)
shares(2, 4)
shares(5, 0)
shares(7, 1)
discounted(1000, 25)
discounted(999, 10)
discounted(1000, 100)
discounted(1000, 0)
discounted(1000, 101)
discounted(1000, -1)
discounted(1000, 90, 500)
discounted(333, 50, 10)
change(87, [1, 5, 10, 25, 50])
change(30, [20, 10])
change(3, [2])
change(0, [1])
change(40, [5, 20, 10])
"""
