from __future__ import annotations

from agentgym.reference import reference


def test_the_reference_names_everything_that_can_be_chosen() -> None:
    page = reference()
    for part in (
        "### agentgym train",
        "--updates",
        "### Trainer `grpo`",
        "### `webshop`",
        "- `react`: ",
        "- `:undo [n]`: ",
    ):
        assert part in page
