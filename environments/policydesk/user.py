"""Who speaks for the customer: a script, or a function of the caller's.

The script opens with the request, says what it holds back when it is asked for it, and takes any message that is no
question for the desk's last word. Its answers depend on the question alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from agentgym.environments.policydesk.cases import Case
from agentgym.types import Message

__all__ = ["User", "brief", "opening", "scripted"]

User: TypeAlias = Callable[[str, Sequence[Message]], str | None]
"""(brief, conversation so far) → what the customer says now, or None: the customer leaves. The brief says who the
customer is and wants; in the conversation the desk's messages have the role "user", the customer's own "assistant"."""

_ASKED_BY = {
    "order": ("order", "which", "number"),
    "reason": ("why", "reason", "broken", "wrong", "condition"),
    "zip": ("zip", "live", "address"),
    "name": ("name", "who"),
}
"""What is asked for → words that ask for it."""


def opening(case: Case) -> str:
    """What the customer comes with."""
    order = "my order" if "order" in case.withheld else f"order {case.order}"
    reason = "" if "reason" in case.withheld else f", {_reason(case)}"
    match case.request:
        case "cancel":
            wish = f"please cancel {order}."
        case "address":
            wish = f"please send {order} to zip {case.target}."
        case "return":
            wish = f"please take back {order}{reason}."
        case "exchange":
            wish = f"please exchange {order} for {case.target}{reason}."
        case _:
            wish = f"{order} came late and i want a voucher."
    return f"i am {case.name}, zip {case.zip}. {wish}"


def scripted(case: Case, words: str) -> str | None:
    """The customer's answer to a question; None to any other message."""
    if "?" not in words:
        return None
    facts = {"order": f"it is order {case.order}.", "reason": f"{_reason(case)}.", "zip": f"zip {case.zip}."}
    facts["name"] = f"i am {case.name}."
    question = words.lower()
    asked = [fact for what, fact in facts.items() if any(word in question for word in _ASKED_BY[what])]
    return " ".join(asked) or "i do not know."


def brief(case: Case) -> str:
    """The case in words, for a user that is a model."""
    hidden = f" Unless you are asked, do not say: {', '.join(case.withheld)}." if case.withheld else ""
    return (
        f"You are {case.name}, a customer at a service desk. Your zip code is {case.zip}, your order is {case.order}; "
        f"{_reason(case)}. You came with these words: {opening(case)!r}{hidden} Accept what the desk decides."
    )


def _reason(case: Case) -> str:
    return "it arrived broken" if case.broken else "it is not what i wanted"
