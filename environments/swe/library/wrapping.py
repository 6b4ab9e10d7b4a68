"""Plain text brought into lines of limited width."""

from __future__ import annotations


def wrap(text: str, width: int = 20) -> list[str]:
    """Lines of whole words, none wider than the width unless a single word is."""
    if width < 1:
        raise ValueError("the width is 1 at least")
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        lines.append(line)
    return lines


def indent(text: str, depth: int = 2) -> str:
    """Every line that is not blank moved to the right by so many spaces."""
    moved = []
    for line in text.split("\n"):
        moved.append(" " * depth + line if line.strip() else line)
    return "\n".join(moved)


def shorten(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits the width together with three dots."""
    if len(text) <= width:
        return text
    if width < 3:
        return "." * width
    return text[: width - 3] + "..."


def center(text: str, width: int, fill: str = " ") -> str:
    """The text in the middle; where the room is odd, one more stands to the right."""
    room = max(width - len(text), 0)
    left = room // 2
    return fill * left + text + fill * (room - left)


def count(text: str) -> dict[str, int]:
    """How often each word occurs, small and capital letters alike."""
    found: dict[str, int] = {}
    for word in text.lower().split():
        word = word.strip(".,;!?")
        if word:
            found[word] = found.get(word, 0) + 1
    return found
