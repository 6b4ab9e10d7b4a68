"""What is behind a call that the desk refuses."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint(
        "", "nobody of that name", "A customer is found by the whole name and the zip code, as the customer said them."
    ),
    Hint("", r"^there is no order", "Which orders a customer has is told where the customer is found; or ask for it."),
    Hint(
        "",
        r"^there is no product",
        "The product of an order stands in the order; another one is named by the customer.",
    ),
    Hint("", r"^there is no tool", "Only the listed tools can be called; all else is said to the customer in words."),
    Hint("", r"^this is empty", "A turn is a call or a message to the customer."),
    Hint("", r"a call in the form|words or marks around|cannot be read", "A call stands alone in the reply."),
    Hint("", r"there is no argument", "A call has the arguments of its usage and no others, each by its name."),
    Hint(
        "",
        r"the argument .*usage: ",
        "Every argument of the usage is given by its name, in the form that stands there.",
    ),
)
