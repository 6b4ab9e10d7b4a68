"""What is drawn on the phone: apps' tiles, and the signs of its buttons; strokes in a square of 24."""

from __future__ import annotations

from collections.abc import Mapping

from agentgym.browser.markup import Markup, tag

__all__ = ["icon"]

_ICONS: Mapping[str, str] = {
    "clock": "M12 3.5a8.5 8.5 0 1 1-.1 0Z M12 7.5V12l3.2 2",
    "contacts": "M12 4.5a3.8 3.8 0 1 1-.1 0Z M4.5 20q.8-6.2 7.5-6.2t7.5 6.2",
    "messages": "M4 5.5h16v11H11l-4.5 3.5v-3.5H4Z M8 9.5h8 M8 12.8h5",
    "notes": "M6 3.5h9l3.5 3.5v13.5H6Z M14.5 3.5V7.5h4 M9 11.5h6.5 M9 15.5h6.5",
    "to-do": "M4 6.5l1.6 1.6L8.5 5 M4 12.5l1.6 1.6 2.9-3.1 M4 18.5l1.6 1.6 2.9-3.1 M12 6.8h8 M12 12.8h8 M12 18.8h8",
    "settings": "M4 7h9 M18 7h2 M15.5 4.8a2.2 2.2 0 1 1-.1 0Z M4 17h2 M11 17h9 M8.5 14.8a2.2 2.2 0 1 1-.1 0Z",
    "network": "M3.5 9.5q8.5-8 17 0 M6.5 13q5.5-5 11 0 M9.5 16.4q2.5-2.2 5 0 M12 19.2v.1",
    "sound": "M4 9.5v5h3.5l5 4v-13l-5 4Z M16 9q2 3 0 6 M18.5 6.5q4 5.5 0 11",
    "display": "M12 8a4 4 0 1 1-.1 0Z M12 2.5v2 M12 19.5v2 M2.5 12h2 M19.5 12h2 M5.3 5.3l1.4 1.4 M17.3 17.3l1.4 1.4 "
    "M18.7 5.3l-1.4 1.4 M6.7 17.3l-1.4 1.4",
    "privacy": "M6 11h12v9H6Z M8.5 11V8a3.5 3.5 0 0 1 7 0v3",
    "edit": "M4.5 19.5l1-4.5L15.5 5l3.5 3.5L9 18.5Z M13 7.5l3.5 3.5",
    "delete": "M5 7h14 M9.5 7V4.5h5V7 M7 7l.8 12.5h8.4L17 7 M10.5 10.5v5.5 M13.5 10.5v5.5",
    "add": "M12 5v14 M5 12h14",
    "send": "M4 12l16-7.5-6 15.5-2.5-6Z M11.5 14l4-5",
    "remove": "M7 7l10 10 M17 7L7 17",
    "check": "M5.5 12.5l4.2 4.2 8.8-9.2",
    "favorite": "M12 4l2.4 5.2 5.6.6-4.2 3.8 1.2 5.6L12 16.3l-5 2.9 1.2-5.6L4 9.8l5.6-.6Z",
    "back": "M15.5 5v14L6.5 12Z",
    "home": "M12 5.5a6.5 6.5 0 1 1-.1 0Z",
    "wi-fi": "M3 8.5q9-8 18 0L12 19Z",
    "battery": "M4 8h14v9H4Z M18 11h2.2v3H18 M6 10h8v5H6Z",
}


def icon(name: str) -> Markup | None:
    """The sign of that name, as wide as its surroundings say; None where there is none."""
    if name not in _ICONS:
        return None
    line = {"fill": "none", "stroke": "currentColor", "stroke_width": 1.8}
    path = tag("path", d=_ICONS[name], **line, stroke_linecap="round", stroke_linejoin="round")
    return tag("svg", path, viewBox="0 0 24 24", aria_hidden="true", class_="icon")
