"""What is left out of a conversation, and what never is."""

from __future__ import annotations

from agentgym.conversation import LEFT_OUT, keep_last


def test_the_opening_is_never_left_out() -> None:
    messages = [
        {"role": "system", "content": "rules"},
        *({"role": role, "content": f"{role} {i}"} for i in range(3) for role in ("user", "assistant")),
        {"role": "user", "content": "user 3"},
    ]
    kept = keep_last(messages, 1, 1)
    assert [m["content"] for m in kept] == [
        "rules",
        LEFT_OUT,
        "assistant 0",
        LEFT_OUT,
        "assistant 1",
        LEFT_OUT,
        "assistant 2",
        "user 3",
    ]
    assert keep_last(messages, 1, 4) == messages
