"""Doing what is asked for from wherever a phone stands: the next command, from its screens and the task alone."""

from __future__ import annotations

from agentgym.environments.android_like.parts import Part
from agentgym.environments.android_like.phone import Command, Phone
from agentgym.environments.android_like.tasks import Task

__all__ = ["next_command"]


def next_command(phone: Phone, task: Task) -> Command:
    """What to do now: go on with the first part that is not done, or say the end.

    Where something is gone that a part needs, nothing helps any more, and the end is said too.
    """
    part = next((part for part in task.wanted.parts if not part.is_done(phone)), None)
    command = Command("end", text=task.wanted.answer) if part is None else _toward(phone, part)
    is_lost = command.verb in ("tap", "fill") and phone.screen.find(command.target) is None
    return Command("end", text=task.wanted.answer) if is_lost else command


def _toward(phone: Phone, part: Part) -> Command:
    stack = phone.state.stack
    if len(stack) > len(part.stops) or any(
        frame.key != stop.key for frame, stop in zip(stack, part.stops, strict=False)
    ):
        return Command("home" if stack[0].app != part.stops[0].app and len(stack) > 1 else "back")
    if len(stack) < len(part.stops):
        return Command("tap", part.stops[len(stack)].tap)
    for id, text in part.fills:
        node = phone.screen.find(id)
        if node is not None and node.value != text:
            return Command("fill", id, text)
    return Command("tap", part.tap)
