"""What stands on screens, and how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["APPS", "BUTTONS", "COLORS", "FIELDS", "PAGES", "PEOPLE", "QUESTIONS", "SENTENCES", "SETTINGS", "TITLES"]

COLORS: Mapping[str, str] = {
    "red": "#cf3f3a",
    "green": "#2f9e58",
    "blue": "#2f63c9",
    "yellow": "#e0b62c",
    "purple": "#7d4cb5",
    "orange": "#e27f2b",
}
BUTTONS: Mapping[str, str] = {
    "Submit": "hand it in",
    "Cancel": "go on without a change",
    "Send": "send it off",
    "Apply": "put the changes into effect",
    "Help": "get help",
    "Next": "go one page further",
    "Back": "go one page back",
    "Sign in": "log in",
    "Sign up": "make a new account",
    "Retry": "try it once more",
    "Preview": "see how it will look",
    "Export": "write it to a file",
    "Copy": "make a copy",
    "Rename": "give it another name",
    "Archive": "put it in the archive",
    "Log out": "leave the account",
}
"""Label → what it does."""
FIELDS: Mapping[str, str] = {
    "First name": "the given name",
    "Last name": "the family name",
    "E-mail": "the e-mail address",
    "Phone": "the telephone number",
    "Street": "the street and house number",
    "City": "the town",
    "Company": "the employer",
    "Password": "the secret word",
    "Title": "the heading",
    "Notes": "a remark",
}
SETTINGS: Mapping[str, str] = {
    "Wi-Fi": "Connected to Lakeside",
    "Bluetooth": "Two devices",
    "Dark mode": "From sunset to sunrise",
    "Location": "While in use",
    "Backup": "Every night",
    "Sounds": "Keys and notices",
    "Airplane mode": "Off the grid",
    "Auto-lock": "After two minutes",
    "Data saver": "On mobile networks",
    "Updates": "Install by themselves",
    "Captions": "In all videos",
    "Sharing": "With the family",
}
"""Label → what stands under it."""
PEOPLE = (
    "Ada Moss",
    "Ben Adler",
    "Cleo Diaz",
    "Dora Frost",
    "Emil Gold",
    "Fay Hall",
    "Gus Iyer",
    "Hana Jung",
    "Ivo Klein",
    "Jana Lopez",
    "Kai Berg",
    "Lena Cole",
)
PAGES = ("Inbox", "Drafts", "Sent", "Orders", "Reports", "Projects", "Invoices", "Team", "Tasks", "Files", "Billing")
APPS = ("Harbor", "Meadow", "Quill", "Lantern", "Orbit", "Juniper", "Pebble", "Summit")
TITLES = ("Discard this draft?", "Leave the page?", "New version found", "Storage is full", "Invite your team")
QUESTIONS = (
    "What is not saved will be gone.",
    "You can come back to it later.",
    "It takes about two minutes.",
    "Nobody else will see it.",
)
SENTENCES = (
    "The harbor opens at six, and the first boats leave soon after.",
    "We met on Tuesday to go through the plan for the spring.",
    "Please look at the numbers of the last quarter before noon.",
    "The new tent is lighter than the old one, and as dry.",
    "A letter came from the town hall about the bridge.",
    "Lunch is at one; the soup is better than it looks.",
)
