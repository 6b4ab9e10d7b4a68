"""Icons by what they do: strokes in a square of 24."""

from __future__ import annotations

from collections.abc import Mapping

from agentgym.browser.markup import Markup, tag

__all__ = ["ICONS", "icon"]

ICONS: Mapping[str, tuple[str, str]] = {
    "search": ("search for something", "M10 4a6 6 0 1 1-.1 0Z M14.5 14.5 20 20"),
    "save": ("save the document", "M5 4h11l3 3v13H5Z M8 4v5h7V4 M8 20v-6h8v6"),
    "open": ("open a folder", "M3 6h6l2 2h10v11H3Z M3 11h18"),
    "print": ("print the page", "M7 9V4h10v5 M5 9h14v8h-2 M7 17H5V9 M7 14h10v6H7Z"),
    "delete": ("throw it in the bin", "M4 7h16 M9 7V4h6v3 M6 7l1 13h10l1-13 M10 11v5 M14 11v5"),
    "edit": ("edit the text", "M4 20l1-5L16 4l4 4L9 19Z M13 7l4 4"),
    "share": (
        "share it with others",
        "M17 4a2 2 0 1 1-.1 0Z M6 10a2 2 0 1 1-.1 0Z M17 16a2 2 0 1 1-.1 0Z M8 11l7-4 M8 13l7 4",
    ),
    "download": ("download it", "M12 4v10 M8 10l4 4 4-4 M5 19h14"),
    "upload": ("upload a file", "M12 14V4 M8 8l4-4 4 4 M5 19h14"),
    "like": ("mark it as a favorite", "M12 20C2 13 4 5 9 5q2 0 3 3 1-3 3-3c5 0 7 8-3 15Z"),
    "bell": ("see the notifications", "M6 17V11a6 6 0 0 1 12 0v6l2 1H4Z M10 20h4"),
    "lock": ("lock the screen", "M6 11h12v9H6Z M8 11V8a4 4 0 0 1 8 0v3 M12 14v3"),
    "user": ("open the profile", "M12 4a4 4 0 1 1-.1 0Z M4 20q1-7 8-7t8 7"),
    "home": ("go to the start page", "M4 11l8-7 8 7 M6 10v10h12V10 M10 20v-6h4v6"),
    "calendar": ("choose a date", "M4 6h16v14H4Z M4 10h16 M8 3v4 M16 3v4 M8 14h2 M13 14h2"),
    "mail": ("write a message", "M3 6h18v13H3Z M3 7l9 6 9-6"),
    "phone": ("call somebody", "M5 4h4l2 5-2 1q1 4 5 5l1-2 5 2v4q-1 1-3 1C9 19 5 13 4 6q0-2 1-2Z"),
    "camera": ("take a photo", "M3 8h4l2-3h6l2 3h4v11H3Z M12 10a3 3 0 1 1-.1 0Z"),
    "play": ("play the music", "M7 4l13 8-13 8Z"),
    "refresh": ("load it again", "M19 8A8 8 0 1 0 20 13 M20 4v5h-5"),
    "undo": ("undo the last change", "M8 5L4 9l4 4 M4 9h10a5 5 0 0 1 0 10h-4"),
    "add": ("add a new one", "M12 5v14 M5 12h14"),
    "menu": ("show the menu", "M4 6h16 M4 12h16 M4 18h16"),
    "filter": ("filter the list", "M4 5h16l-6 8v6l-4 1v-7Z"),
    "settings": (
        "change the settings",
        "M4 7h10 M18 7h2 M16 5a2 2 0 1 1-.1 0Z M4 16h2 M10 16h10 M8 14a2 2 0 1 1-.1 0Z",
    ),
    "attach": ("attach a file", "M18 10l-7 7a3 3 0 0 1-5-4l8-8a2 2 0 0 1 3 3l-8 8"),
    "chart": ("see the statistics", "M4 4v16h16 M8 16v-4 M12 16V8 M16 16v-6"),
    "map": ("show it on the map", "M12 21C6 14 6 12 6 10a6 6 0 0 1 12 0c0 2 0 4-6 11Z M12 8a2 2 0 1 1-.1 0Z"),
}
"""Name → what to say for it, and its strokes."""


def icon(name: str) -> Markup:
    """The icon, as wide as its surroundings say."""
    line = {"fill": "none", "stroke": "currentColor", "stroke_width": 1.8}
    path = tag("path", d=ICONS[name][1], **line, stroke_linecap="round", stroke_linejoin="round")
    return tag("svg", path, viewBox="0 0 24 24", aria_hidden="true", class_="icon")
