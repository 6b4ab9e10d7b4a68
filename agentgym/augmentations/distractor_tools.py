"""Tools are shown that are none of the environment's: which ones serve a task is then for the policy to find.

Their schemas stand among the real ones, at places that the episode's seed draws, the same ones all episode. Who calls
one is told what the environment says to any tool that it does not have. The strength is the share of ``count`` that is
shown. Schemas are seen by policies that are shown schemas (``--protocol tools``); the usages in an environment's own
instructions have no more than before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from agentgym.augmentation import Augmentation
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["DISTRACTORS", "DistractorTools"]

_EPISODE = (0, 1)
"""What an episode's tools are drawn by, at every turn."""


def _tool(name: str, description: str, **arguments: str) -> dict[str, Any]:
    """A tool's schema; ``arguments`` are texts, each with what it is for."""
    properties = {key: {"type": "string", "description": text} for key, text in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


DISTRACTORS = (
    _tool("brew_coffee", "Make a coffee.", strength="Mild or strong.", cup="Size of the cup."),
    _tool("book_haircut", "Make an appointment with a hairdresser.", day="Which day.", salon="Name of the salon."),
    _tool("water_plants", "Water the plants of a room.", room="Name of the room."),
    _tool("tune_piano", "Order somebody who tunes a piano.", address="Where the piano stands."),
    _tool("get_tide_table", "When the tide is high and low.", harbor="Name of the harbor."),
    _tool("identify_bird", "The bird that sings in a recording.", recording="Path of the recording."),
    _tool("roast_chicken", "Set the oven to a program for chicken.", weight="Weight of the chicken."),
    _tool("reserve_court", "Reserve a tennis court.", court="Number of the court.", hour="At what time."),
    _tool("get_moon_phase", "The phase of the moon.", date="Of which day."),
    _tool("fold_laundry", "Have the robot fold the laundry.", basket="Which basket."),
    _tool("print_label", "Print a label.", text="What it says.", size="Its size."),
    _tool("feed_cat", "Fill the cat's bowl.", portion="How much."),
    _tool("rent_bicycle", "Rent a bicycle at a station.", station="Name of the station."),
    _tool("get_pollen_count", "How much pollen is in the air.", region="Name of the region."),
    _tool("dim_lights", "Dim the lights of a room.", room="Name of the room.", level="How bright."),
    _tool("read_horoscope", "Today's horoscope.", sign="Sign of the zodiac."),
)
"""Schemas to choose from."""


@register
class DistractorTools(Augmentation):
    """Tools that do not exist are shown among those that do."""

    def __init__(self, env: Any, *, count: Annotated[int, Field(ge=1, le=len(DISTRACTORS))] = 4) -> None:
        """Choose how many.

        Args:
            count: tools that are added at strength 1.
        """
        super().__init__(env)
        self.count = count

    def misfit(self, seen: Observation) -> str:
        return "" if seen.tools else "its first observation has no schemas of tools"

    def observation(self, seen: Observation) -> str:
        rng = self.rng(*_EPISODE)
        order, places = rng.permutation(len(DISTRACTORS)), rng.random(len(DISTRACTORS))
        taken, shown = {_name(tool) for tool in seen.tools}, list(seen.tools)
        for index in order[: round(self.count * self.strength)]:
            if _name(DISTRACTORS[index]) not in taken:
                shown.insert(int(places[index] * (len(shown) + 1)), DISTRACTORS[index])
        return Observation(str(seen), admissible=seen.admissible, tools=shown, images=seen.images)


def _name(tool: Mapping[str, Any]) -> Any:
    about = tool.get("function")
    return (about if isinstance(about, Mapping) else tool).get("name")
