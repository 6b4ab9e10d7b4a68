"""The closed vocabulary of the site and of its guests.

Small on purpose: every word recurs in many tasks, so that a policy with half a million parameters can learn to copy
it. Nothing here can be guessed from anything else.
"""

from __future__ import annotations

__all__ = [
    "CUISINES",
    "FIRST",
    "HOSTS",
    "LAST",
    "NAMES",
    "OCCASIONS",
    "PHONES",
    "PLACES",
    "REQUESTS",
    "SURNAMES",
    "TEMPLATES",
]

PLACES = ("rome", "paris", "oslo", "lima", "cairo", "delhi", "tokyo", "boston")

_NAMES_TEXT = """
amber anchor arbor aspen basil birch cedar cherry clover coral crane daisy ember falcon fern fig ginger harbor hazel
heron iris ivy jasper juniper lantern laurel lemon lotus maple mint myrtle olive orchid osprey pearl pepper pine plum
quince raven rowan saffron sage spruce thyme tulip walnut willow
"""
NAMES = tuple(_NAMES_TEXT.split())
"""A restaurant's name, or the first half of it: six for each place."""
SURNAMES = ("tree", "house", "garden", "table", "corner")
"""The second half."""
CUISINES = ("italian", "thai", "greek", "indian", "french", "mexican", "japanese", "turkish")

_FIRST_TEXT = "ada ben cleo dora emil fay gus hana ivo jana kai lena max nora otto"
FIRST = tuple(_FIRST_TEXT.split())
_LAST_TEXT = "adler berg cole diaz engel frost gold hall iyer jung klein lopez moss ng"
LAST = tuple(_LAST_TEXT.split())
PHONES = tuple(str(5550107 + 149 * number) for number in range(60))
HOSTS = ("mail.net", "post.org", "letters.com")
OCCASIONS = ("birthday", "anniversary", "business")
REQUESTS = ("window seat", "high chair", "quiet corner", "no nuts")

TEMPLATES = (
    "please book a table{people} at {restaurant} in {place} on {date}{time}.",
    "i need a table{people} on {date}{time}, at {restaurant} in {place}.",
    "we want to eat at {restaurant} in {place}: {date}{time}{people}.",
    "can you get us a table at {restaurant}, {place}, on {date}{time}{people}?",
)
"""``people`` and ``time`` are empty where the user left them out."""
