"""Augmentations: nothing at strength 0, the environment unaware, groups of one strength, no hint that is none."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_OF_EACH = "tests/unit/augmentations/test_"

MODULES = (
    Module(
        "agentgym/augmentation.py",
        ("tests/unit/test_augmentation.py",),
        (
            Mutation("the environment sees it", "if not is_augmented(self.env):", "if False:"),
            Mutation("the innermost alone sees it", "if not is_augmented(self.env):", "if True:"),
            Mutation("any strength", "if not is_strength(strength):", "if False:"),
            Mutation("seen at 0", "        if not self.strength:\n            return result\n", ""),
            Mutation(
                "changed at 0", "super()._gone_on(result) if self.strength else result", "super()._gone_on(result)"
            ),
            Mutation("told at 0", "super()._told(action) if self.strength else action", "super()._told(action)"),
            Mutation("the expert at 0", "self.said if self.strength else _as_it_is", "self.said"),
            Mutation("the expert as ever", "self.said if self.strength else _as_it_is", "_as_it_is"),
            Mutation("all fit", "if why := self.misfit(result[0]):", "if (why := self.misfit(result[0])) and False:"),
            Mutation("its own name", "        return self.env.name\n", "        return type(self).__name__\n"),
            Mutation("each turn alike", "*(of or (self.turn,))]", "*of]"),
            Mutation("each depth alike", "[self.seed, depth, 1, ", "[self.seed, 1, "),
            Mutation("each seed alike", "[self.seed, depth, 1, ", "[depth, 1, "),
        ),
    ),
    Module(
        "agentgym/strength.py",
        ("tests/unit/test_strength.py",),
        (
            Mutation("1 is too much", "0 <= float(value) <= 1", "0 <= float(value) < 1"),
            Mutation("0 is too little", "0 <= float(value) <= 1", "0 < float(value) <= 1"),
            Mutation("numbers without end", "except OverflowError:", "except KeyError:"),
        ),
    ),
    Module(
        "agentgym/hint.py",
        ("tests/unit/test_hint.py",),
        (
            Mutation("whatever was said", " and re.search(self.action, action, re.IGNORECASE)", ""),
            Mutation(
                "capitals count", "bool(re.search(self.error, line, re.IGNORECASE)", "bool(re.search(self.error, line)"
            ),
            Mutation("again and again", "list(dict.fromkeys(filter(None, found)))", "list(filter(None, found))"),
            Mutation("all of it is a line", "told.splitlines()", "[told]"),
        ),
    ),
    Module(
        "agentgym/augmentations/error_hints.py",
        (f"{_OF_EACH}error_hints.py",),
        (
            Mutation("always", "self.np_random.random() < self.probability * self.strength", "True"),
            Mutation("the strength is nothing", "self.probability * self.strength", "self.probability"),
            Mutation("the probability is nothing", "self.probability * self.strength", "self.strength"),
            Mutation("what was wrong is not looked at", "self.env._info.get('invalid_action', '')", "''"),
            Mutation("no actions are listed", "admissible=seen.admissible, ", ""),
            Mutation("fits all", 'return "" if self.env.hints else', 'return "" if True else'),
        ),
    ),
    Module(
        "agentgym/augmentations/noise.py",
        (f"{_OF_EACH}noise.py",),
        (
            Mutation("the strength is nothing", "< self.rate * self.strength", "< self.rate"),
            Mutation("words of actions", "or word[0] in kept ", ""),
            Mutation("quotations", " or any(low <= word.start() < high for low, high in quoted)", ""),
            Mutation("the first letter", "rng.integers(1, len(word) - 2)", "rng.integers(0, len(word) - 2)"),
            Mutation("words of tools", "for tool in seen.tools:", "for tool in ():"),
        ),
    ),
    Module(
        "agentgym/augmentations/truncation.py",
        (f"{_OF_EACH}truncation.py",),
        (
            Mutation("all of it", "len(seen) - self.strength * (len(seen) - self.keep)", "self.keep"),
            Mutation("one too many", "if keep >= len(text):", "if keep > len(text):"),
            Mutation("of the tail one more", "len(text) - (keep - head) :", "len(text) - head :"),
        ),
    ),
    Module(
        "agentgym/augmentations/shuffled_layout.py",
        (f"{_OF_EACH}shuffled_layout.py", "agentgym/augmentations/shuffled_layout.py"),
        (
            Mutation("always", "or rng.random() >= self.strength:", "or False:"),
            Mutation("two are a list", "_LEAST = 3", "_LEAST = 2"),
            Mutation("half an item", "end > len(is_name) or ", ""),
            Mutation("what follows is torn off", " or (size == 1 and end < len(is_name))", ""),
            Mutation("lists overlap", "num >= _LEAST and taken.isdisjoint(parts)", "num >= _LEAST"),
            Mutation("marks are names", '_MARKS.sub("", part).strip()', "part.strip()"),
        ),
    ),
    Module(
        "agentgym/augmentations/distractor_tools.py",
        (f"{_OF_EACH}distractor_tools.py",),
        (
            Mutation("all of them", "round(self.count * self.strength)", "self.count"),
            Mutation("twice", "if _name(DISTRACTORS[index]) not in taken:", "if True:"),
            Mutation("others each turn", "rng = self.rng(*_EPISODE)", "rng = self.rng()"),
        ),
    ),
    Module(
        "agentgym/augmentations/renamed_tools.py",
        (f"{_OF_EACH}renamed_tools.py", "agentgym/augmentations/renamed_tools.py"),
        (
            Mutation("letters stay", '"".join([*order[1:], order[0]])', '"".join([*order[1:][::-1], order[0]])'),
            Mutation(
                "real names are known",
                "return back if is_call or back in self.known else word",
                "return back if back in self.known else word",
            ),
            Mutation("what is needed", "needed = [self.cipher(name) for name", "needed = [name for name"),
            Mutation(
                "descriptions",
                '"description": self.in_text(schema["description"])',
                '"description": schema["description"]',
            ),
            Mutation("always", "or rng.random() >= self.strength:", "or False:"),
            Mutation("the instructions", "inner if names is None else names.in_text(inner)", "inner"),
            Mutation(
                "JSON",
                "return json.dumps(made_of if isinstance(value, list) else made_of[0])",
                "return text(str(said))",
            ),
            Mutation(
                "tool calls alone", "Action(text(str(said)), tool_calls=made)", "Action(str(said), tool_calls=made)"
            ),
        ),
    ),
    Module(
        "agentgym/groups.py",
        ("tests/unit/test_groups.py", "tests/unit/trainers/test_strengths.py"),
        (
            Mutation(
                "strengths are mixed", "strength = None if mix_strengths else trajectory.strength", "strength = None"
            ),
            Mutation(
                "never mixed",
                "strength = None if mix_strengths else trajectory.strength",
                "strength = trajectory.strength",
            ),
            Mutation("nobody is clean", "if member < group_size - num_clean else 0.0", "if True else 0.0"),
            Mutation("one may be alone", "min(num, size - num) < 2", "min(num, size - num) < 1"),
            Mutation(
                "a quarter may be one",
                "max(2, round(_CLEAN_SHARE * self.group_size))",
                "round(_CLEAN_SHARE * self.group_size)",
            ),
            Mutation("any part that does not teach", "and group.ordinal not in taught:", "and reason:"),
        ),
    ),
)
