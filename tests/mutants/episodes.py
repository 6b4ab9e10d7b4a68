"""What episodes are made of and what is made of them: streams, records, order, groups, rewards, curricula, patience."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/stream.py",
        ("tests/unit/test_stream.py",),
        (
            Mutation(
                "versions of what was seen", "np.full(len(mask), -1, np.int32)", "np.full(len(mask), 0, np.int32)"
            ),
            Mutation(
                "log-probs of what was seen", "logprobs[mask], versions[mask] =", "logprobs[~mask], versions[mask] ="
            ),
            Mutation("twins write on together", "[columns.copy() for columns in self._written]", "list(self._written)"),
            Mutation("another image is the same", " or media[: len(shown)] != shown", ""),
            Mutation(
                "a sample is never closed",
                "        if extension.is_fork:\n            self._written.append(_Columns())\n",
                "",
            ),
            Mutation(
                "what is left of the fork",
                "self.tokenizer.encode(self._anew(rendered, messages, tools), media)",
                "self.tokenizer.encode(rendered[len(self._text) :], media)",
            ),
            Mutation("the length of the new alone", "len(ids) + (0 if is_fork else len(self.token_ids))", "len(ids)"),
            Mutation("images of before are shown again", "media[len(shown) :], after", "media, after"),
            Mutation("broken log-probs are taken", "if not all(map(math.isfinite, logprobs)):", "if False:"),
            Mutation(
                "columns of unequal length",
                "if not len(ids) == len(logprobs) == len(versions):",
                "if len(ids) != len(logprobs):",
            ),
            Mutation("all in the first turn", "        self.num_turns += 1\n", ""),
            Mutation("what was said is forgotten", "        self._text += self.tokenizer.decode(ids)\n", ""),
            Mutation(
                "what was seen is trained on",
                "self._write(extension.token_ids, sampled=False)",
                "self._write(extension.token_ids, sampled=True)",
            ),
            Mutation(
                "the images of the first prompt",
                "        self._written[-1].media = extension.media\n",
                "        self._written[-1].media = self._written[-1].media or extension.media\n",
            ),
        ),
    ),
    Module(
        "agentgym/types.py",
        ("tests/unit/test_types.py",),
        (
            Mutation(
                "the environment's reward is the shaped one",
                'sum(turn.breakdown.get("environment", 0.0) for turn in self.turns)',
                "self.reward",
            ),
            Mutation(
                "the reward is the last one",
                "return sum(turn.reward for turn in self.turns)",
                "return self.turns[-1].reward if self.turns else 0",
            ),
            Mutation("success above one", "total >= 1))", "total > 1))"),
            Mutation(
                "the environment's word does not count", 'bool(info.get("success", total >= 1))', "bool(total >= 1)"
            ),
            Mutation("deadlines are the policy's", "StopReason.ABORTED, StopReason.DEADLINE)", "StopReason.ABORTED)"),
            Mutation(
                "the context is an end", "StopReason.TURN_LIMIT, StopReason.CONTEXT_LIMIT})", "StopReason.TURN_LIMIT})"
            ),
            Mutation(
                "an empty complaint is none", "if self.shaping_error is None else", "if not self.shaping_error else"
            ),
            Mutation("void ones are learned from", '            return "void"\n', '            return ""\n'),
            Mutation("who plays says it all", "(turn.role or self.role)", "self.role"),
            Mutation("an expert is a partner", '== "expert"}', '!= "policy"}'),
            Mutation("what was seen was said", "sample.loss_mask & np.isin(", "np.isin("),
            Mutation("the expert's was sampled", "sample.loss_mask & ~self.said_by_expert(sample)", "sample.loss_mask"),
            Mutation(
                "images of turns alone",
                "[turn.media for turn in self.turns] + [sample.media for sample in self.samples]",
                "[turn.media for turn in self.turns]",
            ),
            Mutation(
                "tokens of the first sample",
                "len(sample.token_ids) for sample in self.samples)",
                "len(sample.token_ids) for sample in self.samples[:1])",
            ),
            Mutation(
                "nothing admissible is unknown",
                "None if admissible is None else tuple(admissible)",
                "tuple(admissible) if admissible else None",
            ),
            Mutation("channels need not be numbers", ", **self.breakdown, **self.channels}", ", **self.breakdown}"),
        ),
    ),
    Module(
        "agentgym/scheduler.py",
        ("tests/unit/test_scheduler.py",),
        (
            Mutation(
                "one update too far ahead",
                "min(num_updates, version + max_staleness + 1)",
                "min(num_updates, version + max_staleness + 2)",
            ),
            Mutation(
                "more updates than there are",
                "return min(num_updates, version + max_staleness + 1)",
                "return version + max_staleness + 1",
            ),
            Mutation(
                "due one later",
                "_Group(index, version + self.max_staleness, specs",
                "_Group(index, version + self.max_staleness + 1, specs",
            ),
            Mutation(
                "what was cut off is lost",
                "beginning = sorted(self._again.items())",
                "beginning = list[tuple[int, list[EpisodeSpec]]]()",
            ),
            Mutation("waits for all", "return_when=asyncio.FIRST_COMPLETED", "return_when=asyncio.ALL_COMPLETED"),
            Mutation(
                "errors are swallowed", "                ready.task.result()  # raises what went wrong in it\n", ""
            ),
            Mutation(
                "as they were finished",
                "taken = sorted(self._taken, key=lambda group: group.index)",
                "taken = self._taken",
            ),
            Mutation(
                "the order does not matter",
                "return 1 if in_order else reach(",
                "return reach(",
            ),
            Mutation("groups play on", "            group.task.cancel()\n", "            pass\n"),
            Mutation(
                "nobody waits for them to stop",
                "        await asyncio.gather(*(group.task for group in self._groups), return_exceptions=True)\n",
                "",
            ),
            Mutation("taken is trained", "for group in (*self._taken, *self._groups)}", "for group in self._groups}"),
            Mutation("trained twice", "        self._taken = []\n\n    def _within", "        pass\n\n    def _within"),
            Mutation("how many began is forgotten", '        self.num_begun = state["num_begun"]\n', ""),
            Mutation("one place too few", "if num + count >= places:", "if num + count > places:"),
            Mutation("those that are due alone", "return max(num + 1, places)", "return num + count"),
            Mutation(
                "this update's places twice",
                "max(0, last - update) * per_update",
                "max(0, last - update + 1) * per_update",
            ),
        ),
    ),
    Module(
        "agentgym/groups.py",
        ("tests/unit/test_groups.py",),
        (
            Mutation(
                "compared by the environment's", "[member.reward for member", "[member.environment_reward for member"
            ),
            Mutation("void ones count", "if not trajectory.unfit and", "if"),
            Mutation("what is cut always counts", "(keep_truncated or not trajectory.truncated)", "True"),
            Mutation(
                "the update before",
                "    first = update * groups\n",
                "    first = (update - 1) * groups\n",
            ),
            Mutation(
                "starts of an update are alike",
                'seed_of(draws.seed, "train", ordinal)',
                'seed_of(draws.seed, "train", update)',
            ),
            Mutation("starts of a run are alike", 'seed_of(draws.seed, "train", ordinal)', 'seed_of("train", ordinal)'),
            Mutation("members are alike", "            member=member,\n", ""),
            Mutation("options are dropped", "            options=draw.options,\n", ""),
            Mutation("a group of one", "if len(self.members) < 2:", "if len(self.members) < 1:"),
            Mutation("the tolerance is a difference", "> tolerance", ">= tolerance"),
        ),
    ),
    Module(
        "agentgym/curriculum.py",
        ("tests/unit/test_curriculum.py",),
        (
            Mutation("one order for all epochs", "[self.seed, epoch, block]", "[self.seed, 0, block]"),
            Mutation("one order for all blocks", "[self.seed, epoch, block]", "[self.seed, epoch, 0]"),
            Mutation(
                "outcomes are shaped",
                "[episode.environment_reward for episode in counted]",
                "[episode.reward for episode in counted]",
            ),
            Mutation(
                "the expert's are the policy's",
                'return episode.role == "policy" and (',
                "return (",
            ),
            Mutation("led ones are the policy's", "if led else not episode.shown)", "if led else True)"),
            Mutation("what a draw begins is nobody's", "episode.shown_turns == led if led else ", ""),
            Mutation("backward", "draw.shown_turns < 0", "False"),
            Mutation("void ones failed", "if not episode.stop_reason.is_void]", "]"),
            Mutation("void ones are not counted", "num_void=len(own) - len(counted)", "num_void=0"),
            Mutation("out of order", "in sorted(played.items())]", "in played.items()]"),
            Mutation("any strength", "if not 0 <= strength <= 1:", "if strength < 0:"),
            Mutation("options as they were", "dataclasses.replace(draw, options=options,", "dataclasses.replace(draw,"),
        ),
    ),
    Module(
        "agentgym/curricula/frontier.py",
        ("tests/unit/curricula/test_frontier.py",),
        (
            Mutation("the level is what succeeds", "level=1 - _share", "level=_share"),
            Mutation("nothing is forgotten", "_KEPT = 0.5", "_KEPT = 1.0"),
            Mutation(
                "the easiest are kept",
                "key=lambda task: _worth(*memory[task]))[-self.capacity :]",
                "key=lambda task: _worth(*memory[task]))[: self.capacity]",
            ),
            Mutation("new ones alone", "rng.random() < self.replay", "rng.random() > self.replay"),
            Mutation(
                "the memory is not kept",
                '        self._take({task: (successes, episodes) for task, successes, episodes in state["memory"]})',
                "        pass",
            ),
            Mutation("all ordinals alike", 'seed_of(self.seed, "frontier", ordinal)', 'seed_of(self.seed, "frontier")'),
            Mutation("all seeds alike", 'seed_of(self.seed, "frontier", ordinal)', 'seed_of("frontier", ordinal)'),
            Mutation("void ones teach", "            if outcome.successes:\n", "            if True:\n"),
        ),
    ),
    Module(
        "agentgym/reward.py",
        ("tests/unit/test_reward.py",),
        (
            Mutation("nothing is awaited", "[await settled(self(trajectory)) for", "[self(trajectory) for"),
            Mutation("anything is a reward", "    if not callable(reward):", "    if False:"),
            Mutation("shapers are functions", "    if isinstance(reward, Shaper):\n        return reward\n", ""),
            Mutation(
                "paid first",
                "[0.0] * (len(trajectory.turns) - 1) + [value]",
                "[value] + [0.0] * (len(trajectory.turns) - 1)",
            ),
            Mutation("what was cut lacks channels too", "if has_acted and not may_lack and", "if has_acted and"),
            Mutation("a look lacks channels too", "if has_acted and not may_lack and", "if not may_lack and"),
        ),
    ),
    Module(
        "rewards/success.py",
        ("tests/unit/rewards/test_success.py",),
        (
            Mutation(
                "paid each turn",
                "on_last_turn(trajectory, float(trajectory.success))",
                "[float(trajectory.success)] * len(trajectory.turns)",
            ),
            Mutation("paid for reward", "float(trajectory.success)", "float(trajectory.reward >= 1)"),
        ),
    ),
    Module(
        "rewards/turn_cost.py",
        ("tests/unit/rewards/test_turn_cost.py",),
        (Mutation("one more is free", "number < self.free_turns", "number <= self.free_turns"),),
    ),
    Module(
        "rewards/overlong_penalty.py",
        ("tests/unit/rewards/test_overlong_penalty.py",),
        (
            Mutation("from the end of the buffer", "self.max_tokens - self.overlong_buffer)", "self.max_tokens)"),
            Mutation("no bound", "min(1.0, max(", "max(0.0, max("),
            Mutation("short ones are paid", "max(0, excess)", "excess"),
            Mutation("paid", "trajectory, -cost", "trajectory, cost"),
            Mutation("all tokens", "length_of(trajectory) -", "trajectory.num_tokens -"),
        ),
    ),
    Module(
        "agentgym/recorded.py",
        ("tests/unit/test_recorded.py",),
        (
            Mutation("void ones are learned from", " if not card.stop_reason.is_void]", "]"),
            Mutation("what it is measured by", " if not _measures(card)]", "]"),
            Mutation("a recording is left out", 'card.stage != "" and ', ""),
            Mutation("tests are learned from", '_HELD_OUT = ("validation", "test")', '_HELD_OUT = ("validation",)'),
            Mutation(
                "a recording of tests", "self._refuse([card for card in self.cards", "([card for card in self.cards"
            ),
            Mutation("those of train too", "if not card.split and card.env", "if card.env"),
            Mutation("of any environment", " and card.env == env.name", ""),
            Mutation("tempered ones are a reference", "and sampling.is_plain", "and True"),
            Mutation(
                "unknown ones are a reference", "(sampling is not None and sampling.is_plain)", "sampling is None"
            ),
            Mutation("experts have none", 'episode.role == "expert" or ', ""),
            Mutation("one is looked at", "cards[::step]", "cards[:1]"),
            Mutation("any tokenizer", "if card.tokenizer != tokenizer.fingerprint:", "if not card.tokenizer:"),
            Mutation("the group it had", '{} if group_id is None else {"group_id": group_id}', "{}"),
            Mutation(
                "images stay behind",
                "            self._media.bring(sample.media, self.source.media)\n",
                "            pass\n",
            ),
            Mutation("seeds are alike", "(card.env, card.task, card.seed)", "(card.env, card.task)"),
            Mutation("groups of one", "if len(group) > 1]", "if len(group) > 0]"),
        ),
    ),
    Module(
        "agentgym/visit.py",
        ("tests/unit/test_visit.py",),
        (Mutation("the total is the last", "total=self.total + result.reward", "total=result.reward"),),
    ),
)
