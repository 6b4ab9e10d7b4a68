"""What judges an episode: potentials, formulas, points, judges, and who may learn from them."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "rewards/potential.py",
        ("tests/unit/rewards/test_potential.py", "tests/properties/test_shaping.py"),
        (
            Mutation("kept at the end", "            potentials[-1] = 0.0\n", "            pass\n"),
            Mutation(
                "cuts go on",
                "if potentials and not (continues and _goes_on(trajectory)):",
                "if potentials and not trajectory.truncated:",
            ),
            Mutation("always goes on", "return trajectory.truncated and not spoke_last", "return trajectory.truncated"),
            Mutation("not discounted", "gamma * after - _times", "after - _times"),
            Mutation("one token more", "_times(now, gamma, 1 - length)", "_times(now, gamma, -length)"),
            Mutation("turns and tokens are one", 'if per == "token" else', "if False else"),
            Mutation("tokens of the prompt count", "sample.turn_index[sample.loss_mask]", "sample.turn_index"),
            Mutation("unreported is 0", "report.get(self.channel, now)", "report.get(self.channel, 0.0)"),
            Mutation("begins at 0", "[trajectory.channels, *(turn.channels for turn", "[{}, *(turn.channels for turn"),
            Mutation("the end is known", "turns=turns[:num_turns], final", "turns=turns, final"),
            Mutation("what is seen is old", "turns[num_turns].observation", "turns[num_turns - 1].observation"),
            Mutation("endless numbers", " or not math.isfinite(value)", ""),
            Mutation("one of two counts", "if (channel is None) == (file is None):", "if channel is file is None:"),
        ),
    ),
    Module(
        "rewards/_channels.py",
        ("tests/unit/rewards/test_potential.py", "tests/unit/rewards/test_specification.py"),
        (
            Mutation("an empty reply misses them", "and (known or has_acted)", ""),
            Mutation("those at the reset", "[trajectory.channels, *(turn", "[*(turn"),
        ),
    ),
    Module(
        "agentgym/launch/combinations.py",
        ("tests/unit/rewards/test_potential.py", "tests/unit/launch/test_combinations.py"),
        (
            Mutation("two are alone", "default=0) < 2:", "default=0) < 3:"),
            Mutation("nobody compares", '"needs_group", False)', '"needs_group", False) and False'),
            Mutation("any discount", "or not own.fits(theirs)", "or False"),
            Mutation("more than one way", "(theirs is None or not", "(theirs is not None and not"),
            Mutation("others are asked too", '"is_invariant", False)', '"is_invariant", True) or True'),
        ),
    ),
    Module(
        "agentgym/reward.py",
        ("tests/unit/rewards/test_potential.py",),
        (
            Mutation("turns are not tokens", "self.gamma == 1 or self.per", "self.per"),
            Mutation("ends and cuts are one", "return alike and self.continues == other.continues", "return alike"),
        ),
    ),
    Module(
        "trainers/grpo.py",
        ("tests/unit/rewards/test_potential.py",),
        (
            Mutation("anchors discount nothing", "settings.anchor_discount != 1", "False"),
            Mutation("sets add up", "if has_two or settings.set_size is not None else", "if has_two else"),
        ),
    ),
    Module(
        "agentgym/launch/places.py",
        ("tests/unit/launch/test_places.py",),
        (
            Mutation("functions have no place", "{_plugin(id): _reward(value) for", "{_plugin(id): value for"),
            Mutation("functions are no code", "[*ids, *given]", "ids"),
        ),
    ),
    Module(
        "agentgym/pointing.py",
        ("tests/unit/test_pointing.py",),
        (
            Mutation("linear", "/ farthest) ** 2", "/ farthest)"),
            Mutation("from the nearest corner", "farthest = max(", "farthest = min("),
            Mutation("outside the picture", "if not all(0 <= part <= 1 for part in point):", "if False:"),
            Mutation("the edge is outside", "box.left <= x <= box.right", "box.left < x < box.right"),
            Mutation("one axis", " and box.top <= y <= box.bottom)\n\n\ndef", ")\n\n\ndef"),
        ),
    ),
    Module(
        "rewards/point.py",
        ("tests/unit/rewards/test_point.py",),
        (
            Mutation("a box is forgotten", "box |= _edges", "box = _edges"),
            Mutation("not from the reset", "_edges(trajectory.channels), list", "_edges({}), list"),
            Mutation("boxes of pixels", "<= box.bottom <= 1)", "<= box.bottom)"),
        ),
    ),
    Module(
        "agentgym/temporal.py",
        ("tests/unit/test_temporal.py",),
        (
            Mutation("once is now", "return first or was", "return first"),
            Mutation("since without end", "return last or (first and was)", "return last or was"),
            Mutation("a law is broken at first", '"historically": True', '"historically": False'),
            Mutation("previous is now", "            return was\n", "            return first\n"),
            Mutation("keeps itself", 'if part.name == "previous" else part]', "if False else part]"),
            Mutation("equal parts are two", "list(dict.fromkeys(_parts(formula)))", "list(_parts(formula))"),
            Mutation(
                "from the right",
                "formula = Operator(name, (formula, operand()))",
                "formula = Operator(name, (operand(), formula))",
            ),
            Mutation("what is left over", 'if self._now.kind != "end":', "if False:"),
            Mutation("any depth", "if self._reader._depth > _MAX_DEPTH:", "if False:"),
            Mutation("any length", "if len(self._tokens) > _MAX_TOKENS:", "if False:"),
            Mutation("any expression", "            self._refuse_pattern(value, token)\n", "            pass\n"),
            Mutation("open parentheses", 'if not self._take(")"):', 'if not self._take(")") and False:'),
        ),
    ),
    Module(
        "rewards/_watched.py",
        ("tests/unit/rewards/test_specification.py",),
        (
            Mutation("channels are forgotten", "channels |= turn.channels", "channels = turn.channels"),
            Mutation("those at the reset", "dict(trajectory.channels)", "dict[str, float]()"),
            Mutation("unreported ones compare", "atom.channel in channels and ", ""),
            Mutation("all calls", "return True in found", "return all(found)"),
            Mutation("what is not told is not so", "if None in found:", "if False:"),
            Mutation("unequal is equal", 'is (atom.relation == "==")', "is True"),
        ),
    ),
    Module(
        "rewards/specification.py",
        ("tests/unit/rewards/test_specification.py",),
        (
            Mutation("paid", "else -self.penalty", "else self.penalty"),
            Mutation("always a prize", "if kept and kept[-1]:", "if kept:"),
            Mutation("nothing at all", "if penalty == prize == 0:", "if False:"),
        ),
    ),
    Module(
        "agentgym/verdict.py",
        ("tests/unit/test_verdict.py",),
        (
            Mutation("any mark", r'rf"verdict {self.mark} \[', r'rf"verdict \\w+ \['),
            Mutation("anywhere", "found = re.fullmatch(rf", "found = re.search(rf"),
            Mutation("any line", r'rpartition("\n")[2].strip()', "strip()"),
            Mutation("the mark of the rubric alone", "asked = json.dumps([rubric, form, episodes])", "asked = rubric"),
            Mutation("control tokens", 'sign in "<["', 'sign in "["'),
            Mutation("unseen signs", "or unicodedata.category(sign) in _NO_TEXT", ""),
            Mutation(
                "not escaped",
                '\\n".join(_escaped(json.dumps(line, ensure_ascii=False)) for',
                '\\n".join(json.dumps(line, ensure_ascii=False) for',
            ),
            Mutation("out of bounds", "or not lowest <= value <= highest", ""),
            Mutation("any word", "if verdict not in known:", "if False:"),
        ),
    ),
    Module(
        "agentgym/judge.py",
        ("tests/unit/test_judge.py",),
        (
            Mutation("asked again", "if key not in self._replies:", "if True:"),
            Mutation("other weights", "_key(self._judge.version, ", "_key(0, "),
            Mutation("two at once", "async with lock:", "if True:"),
            Mutation("locks stay", "self._asked_now.pop(key, None)", "pass"),
            Mutation("kept for ever", "while len(self._replies) > _MAX_KEPT:", "while False:"),
            Mutation("the newest is forgotten", "popitem(last=False)", "popitem()"),
            Mutation("calls are free", '        self._spend("max_calls", settings.max_calls, self.num_calls, 1)\n', ""),
            Mutation(
                "tokens are free",
                '        self._spend("max_tokens", settings.max_tokens, self.num_tokens, set_aside)\n',
                "",
            ),
            Mutation(
                "nothing is set aside",
                "self.num_calls + 1, self.num_tokens + set_aside",
                "self.num_calls + 1, self.num_tokens",
            ),
            Mutation("what is set aside is spent", "answer.num_tokens - set_aside", "answer.num_tokens"),
            Mutation("one more", "spent + more > limit", "spent > limit"),
            Mutation("no time", "asyncio.timeout(settings.seconds)", "asyncio.timeout(None)"),
        ),
    ),
    Module(
        "agentgym/loops.py",
        ("tests/unit/test_judge.py",),
        (Mutation("others go on", "            task.cancel()\n", "            pass\n"),),
    ),
    Module(
        "agentgym/judge.py",
        ("tests/unit/rewards/test_pairwise_judge.py", "tests/unit/critics/test_judge.py"),
        (
            Mutation("one order", "return (first + 1 - second) / 2", "return first"),
            Mutation("the same order twice", "self._wins(rubric, other, one)]", "self._wins(rubric, one, other)]"),
        ),
    ),
    Module(
        "agentgym/verdict.py",
        ("tests/unit/rewards/test_rubric_judge.py", "tests/unit/critics/test_judge.py"),
        (
            Mutation("from 0", "self.highest) - self.lowest) /", "self.highest)) /"),
            Mutation("to the highest", "/ (self.highest - self.lowest)", "/ self.highest"),
            Mutation("a scale without room", "if not lowest < highest:", "if not lowest <= highest:"),
        ),
    ),
    Module(
        "rewards/rubric_judge.py",
        ("tests/unit/rewards/test_rubric_judge.py",),
        (
            Mutation("always asked", "if self._watched(trajectory)[-1] else 0.0", "if True else 0.0"),
            Mutation("at the beginning", "self._watched(trajectory)[-1]", "self._watched(trajectory)[0]"),
        ),
    ),
    Module(
        "rewards/pairwise_judge.py",
        ("tests/unit/rewards/test_pairwise_judge.py",),
        (
            Mutation("losers win", "won[other].append(1 - share)", "won[other].append(share)"),
            Mutation("the sum", "sum(shares) / len(shares)", "sum(shares)"),
            Mutation("everybody always", "if num <= round_robin else", "if True else"),
            Mutation("nobody alone", "    if num == 1:\n        return [(0, 0)]\n", ""),
        ),
    ),
    Module(
        "agentgym/launch/judging.py",
        ("tests/unit/launch/test_judging.py",),
        (
            Mutation("one judge each", "if name not in judges:", "if True:"),
            Mutation("sessions are kept", "            self.engine.release(session)\n", "            pass\n"),
            Mutation("one session", 'f"judge/{next(self._count)}"', '"judge"'),
            Mutation("any length", "Sampling(temperature=0.0, max_tokens=max_tokens))", "Sampling(temperature=0.0))"),
            Mutation("weights never change", "return self.engine.policy_version", "return 0"),
            Mutation("any answer", "if not isinstance(text, str):", "if False:"),
            Mutation("any model", '**({"model": model} if model else {})', ""),
        ),
    ),
)
