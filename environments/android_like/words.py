"""What stands on phones: names, labels, messages, notes."""

from __future__ import annotations

__all__ = [
    "CHATTER",
    "CHOICES",
    "FIRST",
    "LABELS",
    "LAST",
    "MEETINGS",
    "NOTES",
    "NUMBERS",
    "SECTIONS",
    "TEXTS",
    "THINGS",
    "TODOS",
]

FIRST = ("ada", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ivo", "june", "kim", "leo", "mia", "nora", "omar")
LAST = ("moss", "reed", "stone", "vale", "wood", "frost", "lane", "hill", "marsh", "brook")

SECTIONS = {
    "network": ("wi-fi", "bluetooth", "airplane mode", "hotspot"),
    "sound": ("do not disturb", "vibration", "ringtone"),
    "display": ("dark mode", "auto-rotate", "text size"),
    "privacy": ("location", "camera access", "screen lock"),
}
"""Section of the settings → what is set there."""
CHOICES = {
    "ringtone": ("bells", "birds", "piano", "waves"),
    "text size": ("small", "medium", "large"),
    "screen lock": ("none", "pin", "pattern"),
}
"""Setting → its values; all others are switches."""

LABELS = ("gym", "work", "school", "bus", "walk", "medicine", "swim", "market", "yoga", "train")
TODOS = (
    *("buy milk", "pay rent", "call the bank", "water the plants", "feed the cat", "wash the car", "fix the bike"),
    *("book a flight", "clean the oven", "send the parcel", "print the tickets", "return the books"),
)
TEXTS = (
    "on my way",
    "see you soon",
    "happy birthday",
    "i am late",
    "good luck",
    "call me back",
    "well done",
    "not today",
)
CHATTER = (
    "hello",
    "how are you?",
    "thanks a lot",
    "nice to hear from you",
    "talk later",
    "sure",
    "good night",
    "bye now",
)

MEETINGS = ("let us meet at {time}", "can you come at {time}?", "i am there at {time}")
NUMBERS = ("{name} has a new number: {phone}", "write this down, {name} is at {phone}")
"""What a message may say beside chatter."""

NOTES = {
    "locker": ("the code is {code}", "what is the code of the locker?", "{code}"),
    "parking": ("the car is on level {digit}", "on which level is the car parked?", "{digit}"),
    "dentist": ("the appointment is at {time}", "at what time is the appointment with the dentist?", "{time}"),
    "gift": ("a {thing} for {name}", "for whom is the gift in the notes?", "{name}"),
    "guest wi-fi": ("the password is {thing}{digit}", "what is the password of the guest wi-fi?", "{thing}{digit}"),
    "hotel": ("the room is {code}", "what is the number of the hotel room?", "{code}"),
    "recipe": ("bake for {minutes} minutes", "for how many minutes does the recipe bake?", "{minutes}"),
    "library": ("the card is {code}", "what is the number of the library card?", "{code}"),
}
"""Title → what a note says, what can be asked about it, and the answer."""
THINGS = ("scarf", "lamp", "kite", "mug", "book", "drum", "clock", "plant")
"""For notes."""
