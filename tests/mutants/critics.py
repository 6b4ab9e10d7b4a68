"""Critics, what they learn from, and what is paid by them."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TRAINER = "tests/unit/trainers/test_reward_model.py"

MODULES = (
    Module(
        "agentgym/critic.py",
        ("tests/unit/test_critic.py",),
        (
            Mutation("the other way round", "difference = one - other", "difference = other - one"),
            Mutation("winners lose", "won[other].append(1 - share)", "won[other].append(share)"),
            Mutation("any number is a score", "if not math.isfinite(score):", "if False:"),
        ),
    ),
    Module(
        "agentgym/critics/anchor.py",
        ("tests/unit/critics/test_anchor.py",),
        (
            Mutation("the last is the anchor", "for episode in reversed(trajectories)", "for episode in trajectories"),
            Mutation("the worst of a file", "episode.reward > best.reward", "episode.reward < best.reward"),
            Mutation("void anchors", "not episode.stop_reason.is_void and", ""),
        ),
    ),
    Module(
        "agentgym/critics/aspects.py",
        ("tests/unit/critics/test_aspects.py",),
        (
            Mutation("all count alike", "weights[name] * grade", "grade"),
            Mutation("read once", "for _ in range(self.rounds):", "for _ in range(min(1, self.rounds)):"),
        ),
    ),
    Module(
        "agentgym/critics/implicit.py",
        ("tests/unit/critics/test_implicit.py",),
        (
            Mutation("without beta", "self.beta * math.fsum", "math.fsum"),
            Mutation("the reference is better", "- theirs for mine", "+ theirs for mine"),
            Mutation("any tokens", "if trajectory.tokenizer != fingerprint:", "if False:"),
        ),
    ),
    Module(
        "agentgym/moments.py",
        ("tests/unit/test_moments.py",),
        (
            Mutation("seldom is enough", "turn.visits >= min_visits", "True"),
            Mutation("seen again and again", "            taken.add(key)\n", ""),
            Mutation("seeds are one", "trajectory.task, trajectory.seed, prefix", "trajectory.task, 0, prefix"),
            Mutation("the least visited", "(turn.visits or 0) > (known", "(turn.visits or 0) < (known"),
            Mutation("unfit ones too", "    if trajectory.unfit:\n        return\n", ""),
            Mutation("the first turn", "return max(found, key", "return min(found, key"),
        ),
    ),
    Module(
        "agentgym/hard_pairs.py",
        ("tests/unit/test_hard_pairs.py",),
        (Mutation("easy pairs", "] > of[", "] < of["),),
    ),
    Module(
        "agentgym/judged_pairs.py",
        ("tests/unit/test_judged_pairs.py",),
        (
            Mutation("the small one decides", "if chance > 0.5:", "if chance >= 0:"),
            Mutation("all are asked about", "if scores[one] - scores[other] > least", "if True"),
            Mutation("no revision at all", "if np.array_equal(chosen.token_ids, original.token_ids):", "if False:"),
        ),
    ),
    Module(
        "agentgym/learn/reward_model.py",
        ("tests/unit/learn/test_reward_model.py", _TRAINER),
        (
            Mutation("a token too early", "mask[place + 1], returns[place + 1]", "mask[place], returns[place]"),
            Mutation("what follows counts", "        end = place + 1\n", "        end = len(row.token_ids)\n"),
            Mutation("any vocabulary", "if trajectory.tokenizer != self.tokenizer:", "if False:"),
            Mutation("untrained", "        tensors.read_weights(place / _WEIGHTS, critic)()\n", ""),
        ),
    ),
    Module(
        "trainers/reward_model.py",
        (_TRAINER,),
        (
            Mutation(
                "nothing is held out", "            self.tasks = [self.tasks[place] for place in places[num:]]\n", ""
            ),
            Mutation(
                "the worse side",
                "((pair.chosen, 1.0), (pair.rejected, -1.0))",
                "((pair.chosen, -1.0), (pair.rejected, 1.0))",
            ),
            Mutation("pairs of one unit", '{"unit": index // 2}', '{"unit": 0}'),
            Mutation("one may be enough", "        if len(cards) > 1:\n            return\n", "        return\n"),
        ),
    ),
    Module(
        "rewards/critic.py",
        ("tests/unit/rewards/test_critic.py",),
        (
            Mutation("nobody opens it", "        await self.critic.open()\n", "        pass\n"),
            Mutation("nobody closes it", "        await self.critic.close()\n", "        pass\n"),
        ),
    ),
)
