"""Booking a table: search, compare, choose a time, fill in a form, on pages like those of a real site.

After the live task of Agent Q (arXiv 2408.07199, OpenTable): its commands and its four conditions of success. The site,
its texts and its restaurants are our own and generated, so that nothing is fetched and every moment can be come back
to:

- ``env`` is the environment, ``session`` one guest's way through the site, ``state`` what they have done so far;
- ``commands`` and ``urls`` are what can be said, ``values`` what can be typed;
- ``pages`` are the pages as a model, ``render`` shows it as text or as HTML;
- ``site`` has the restaurants and what is sold out, ``words`` their vocabulary, ``dates`` the calendar;
- ``wish`` draws what is asked for and speaks for the user, ``levels`` says how hard all of it is;
- ``expert`` books the right table from wherever it stands.
"""

from agentgym.environments.booking.env import Booking

__all__ = ["Booking"]
