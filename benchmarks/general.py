"""What a chat model of 135 M parameters knows, asked in words: has training made it forget?

Sixty short questions, each with the words of which one must stand in the reply. ``pretrained.py`` asks them before and
after; the first test task is the first question.

    agentgym eval --env benchmarks/general.py --protocol plain --model MODEL --episodes 60
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import agentgym

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "Paris"),
    ("What is the capital of Italy?", "Rome"),
    ("What is the capital of Japan?", "Tokyo"),
    ("What is the capital of Germany?", "Berlin"),
    ("What is the capital of Spain?", "Madrid"),
    ("What is the capital of Egypt?", "Cairo"),
    ("What is the capital of Canada?", "Ottawa"),
    ("What is the capital of China?", "Beijing"),
    ("In which country is the city of Barcelona?", "Spain"),
    ("In which country is the Taj Mahal?", "India"),
    ("On which continent is Kenya?", "Africa"),
    ("On which continent is Brazil?", "South America"),
    ("Which ocean lies between Europe and America?", "Atlantic"),
    ("What is the highest mountain on Earth?", "Everest"),
    ("Which planet is closest to the Sun?", "Mercury"),
    ("Which planet is known as the Red Planet?", "Mars"),
    ("Which is the largest planet of the solar system?", "Jupiter"),
    ("Around which star does the Earth move?", "Sun"),
    ("What is the chemical formula of water?", "H2O"),
    ("What is the chemical symbol of gold?", "Au"),
    ("Which gas do people need to breathe?", "oxygen"),
    ("Which gas do plants take in from the air?", "carbon dioxide|CO2"),
    ("What is frozen water called?", "ice"),
    ("At how many degrees Celsius does water boil?", "100"),
    ("How many days are in a week?", "7|seven"),
    ("How many months are in a year?", "12|twelve"),
    ("How many hours are in a day?", "24"),
    ("How many legs does a spider have?", "8|eight"),
    ("How many sides does a triangle have?", "3|three"),
    ("How many continents are there?", "7|seven"),
    ("What is 2 plus 2?", "4|four"),
    ("What is 5 plus 3?", "8|eight"),
    ("What is 10 minus 4?", "6|six"),
    ("What is 3 times 3?", "9|nine"),
    ("Which day comes after Monday?", "Tuesday"),
    ("Which month comes after January?", "February"),
    ("What is the opposite of hot?", "cold"),
    ("What is the opposite of up?", "down"),
    ("What is the plural of child?", "children"),
    ("What is the past tense of go?", "went"),
    ("Which color is the sky on a clear day?", "blue"),
    ("Which color is grass?", "green"),
    ("Which color do you get if you mix blue and yellow?", "green"),
    ("Which animal says meow?", "cat|cats"),
    ("Which animal is known as the king of the jungle?", "lion|lions"),
    ("Which insect makes honey?", "bee|bees|honeybee|honeybees"),
    ("What do cows give us to drink?", "milk"),
    ("Which organ pumps blood through the body?", "heart"),
    ("Which sense do we use our ears for?", "hearing|hear|sound|sounds"),
    ("Who wrote Romeo and Juliet?", "Shakespeare"),
    ("Who painted the Mona Lisa?", "Leonardo|Vinci"),
    ("Who developed the theory of relativity?", "Einstein"),
    ("Who was the first president of the United States?", "Washington"),
    ("Which language is spoken in Brazil?", "Portuguese"),
    ("Which language is spoken in Mexico?", "Spanish"),
    ("What is the currency of Japan?", "yen"),
    ("What is the currency of the United States?", "dollar|dollars"),
    ("Which instrument has black and white keys?", "piano"),
    ("What do we call a baby dog?", "puppy|puppies"),
    ("What do bees collect from flowers?", "nectar|pollen"),
)


@agentgym.register
class General(agentgym.Env):
    """A question of general knowledge, and one reply."""

    instructions = "Answer in one short sentence."
    max_turns = 1

    def tasks(self, split: str) -> Sequence[int]:
        """The questions; none of them is learned from."""
        return range(len(QUESTIONS)) if split == "test" else range(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        question, self.answers = QUESTIONS[int((options or {}).get("task", 0))]
        return question, {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """1 where one of the answers stands in the reply, as words of its own."""
        found = re.search(rf"\b(?:{self.answers})\b", action, re.IGNORECASE)
        return "", float(found is not None), True, False, {}
