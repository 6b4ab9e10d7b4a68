"""A phone with six apps in a real browser: settings, clock, contacts, messages, notes and a to-do list.

Tasks of several steps in three buckets of difficulty, after what CRAFT-GUI trains on (arXiv 2508.11360). The phone is
a simulator of our own, whose screens the browser shows; reward and end are read off the simulator:

- ``env`` is the environment, ``site`` answers the browser's requests by the phone, ``pages`` are its screens as HTML,
  ``style.css`` their looks, ``icons`` what is drawn on them, ``fields.js`` tells the phone of typing;
- ``phone`` is one phone in use, ``state`` all there is to it, ``screens`` what a screen consists of, ``apps`` the apps,
  and ``handset`` what they can do;
- ``contents`` draws what is on a phone, from ``words``; ``tasks`` draws what is asked for, of the sorts in ``sorts``,
  made of ``parts``, as many as ``levels`` says;
- ``expert`` does what is asked for from wherever the phone stands.
"""

from agentgym.environments.android_like.env import AndroidLike

__all__ = ["AndroidLike"]
