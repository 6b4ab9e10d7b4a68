"""The loop of every trainer, who plays in it, and whether the engine has the weights."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/learn/loop.py",
        ("tests/unit/learn/test_loop.py",),
        (
            Mutation("one refusal more", "if self.num_refused >= MAX_REFUSED", "if self.num_refused > MAX_REFUSED"),
            Mutation("refusals are never forgiven", "        self.num_refused = 0\n        return", "        return"),
            Mutation("refused and not told", 'return {"refused": 1.0}', "return {}"),
            Mutation("published every time", "if self._published == version:", "if False:"),
            Mutation("published once for all", "if self._published == version:", "if self._published is not None:"),
            Mutation("the gap stays", "        self._gap = {}\n        metrics |= grades", "        metrics |= grades"),
            Mutation("the gap is not told", "version=number) | self._gap | learned", "version=number) | learned"),
            Mutation(
                "stale weights play ahead",
                "        await self.publish(number)\n        self.scheduler.admit",
                "        self.scheduler.admit",
            ),
            Mutation(
                "admitted before publishing",
                "        await self.publish(number)\n        self.scheduler.admit(number)",
                "        self.scheduler.admit(number)\n        await self.publish(number)",
            ),
            Mutation("admitted a version ahead", "self.scheduler.admit(number)", "self.scheduler.admit(number + 1)"),
            Mutation("never settled", "            self.scheduler.settle()", "            pass"),
            Mutation("the curriculum hears nothing", "        self.players.draws.learn(outcomes)\n", ""),
            Mutation("whole in the middle", "        self.is_whole = False  # nothing", "        # nothing"),
            Mutation("whole while it learns", "        self.is_whole = False\n        try:", "        try:"),
            Mutation("an expert's tokens compared", "if trajectory.sampled(sample).any():", "if sample.token_ids:"),
            Mutation("half an image", "None if sample.media else num", "num"),
            Mutation("more tokens compared", "num: int = 64", "num: int = 65"),
            Mutation("compared on nothing", "        if lesson.rows:\n", "        if True:\n"),
            Mutation("learned from nothing", "if teaches(lesson.rows) else {}", ""),
            Mutation("the ledger a number behind", "lesson.rejected, number + 1", "lesson.rejected, number"),
            Mutation("entries as they ended", "in sorted(played.items())", "in played.items()"),
            Mutation("all say non-finite", "rejected.get(ordinal, refused)", "refused or rejected.get(ordinal, '')"),
            Mutation("non-finite is trained", '"non-finite update" if "refused" in learned else ""', '""'),
            Mutation(
                "void episodes count",
                "[trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]",
                "list(trajectories)",
            ),
            Mutation("shaped rewards told", "sum(t.environment_reward for t", "sum(t.reward for t"),
            Mutation(
                "steps of those that count",
                "Lineage(trajectories).num_turns",
                "Lineage(counted).num_turns",
            ),
            Mutation("an expert's tokens age", "sample.policy_versions[t.sampled(sample)]", "sample.policy_versions"),
            Mutation("the youngest for the oldest", "float(max(ages", "float(min(ages"),
            Mutation("all reply tokens", "sum(sample.num_trained for", "sum(len(sample.token_ids) for"),
            Mutation("refusals forgotten", '"num_refused": self.num_refused', '"num_refused": 0'),
            Mutation(
                "refusals not taken up", 'state["num_refused"], state["canary"]', 'self.num_refused, state["canary"]'
            ),
            Mutation("images not taken up", '        self._canary_media = state["canary_media"]\n', ""),
            Mutation("a curriculum anew", '        self.players.draws.load_state(state["curriculum"])\n', ""),
            Mutation(
                "a scheduler anew", '            self.scheduler.load_state(state["scheduler"])', "            pass"
            ),
            Mutation("played on after the end", "            await self.scheduler.close()", "            pass"),
            Mutation("the trainer not closed", "        await self.trainer.close()\n", "        pass\n"),
            Mutation("interruptions swallowed", "            task.cancel()", "            pass"),
            Mutation(
                "an interruption leaves the thread alone",
                "                    interrupted = True",
                "                    raise",
            ),
            Mutation(
                "interrupted twice over", "                    task.uncancel()", "                    task.cancelling()"
            ),
            Mutation("no sign of life", "        self.beat()\n        played =", "        played ="),
        ),
    ),
    Module(
        "agentgym/learn/players.py",
        ("tests/unit/learn/test_players.py",),
        (
            Mutation(
                "an expert waits for weights",
                "        limits = Limits(",
                "        await self.before_policy()\n        limits = Limits(",
            ),
            Mutation("experts without deadlines", "            episode_seconds=self.limits.episode_seconds,\n", ""),
            Mutation("experts' steps without deadlines", "            step_seconds=self.limits.step_seconds,\n", ""),
            Mutation(
                "an expert called a policy",
                'dataclasses.replace(spec, role="expert", max_turns=None)',
                "dataclasses.replace(spec, max_turns=None)",
            ),
            Mutation("an expert under a horizon", 'role="expert", max_turns=None)', 'role="expert")'),
            Mutation("the wrong engine", "engine = engine or self.engine", "engine = self.engine"),
            Mutation(
                "at another temperature",
                "engine_actor(engine, temperature=self.temperature)",
                "engine_actor(engine, temperature=1.0)",
            ),
            Mutation("nobody leads", "if any(spec.shown_turns for spec in specs):", "if False:"),
            Mutation("demonstrations always shaped", "self.engine, limits, shaped=shaped)", "self.engine, limits)"),
            Mutation(
                "stale weights play",
                "        await self.before_policy()\n        engine =",
                "        engine =",
            ),
            Mutation("records without this run's rewards", "        await self.rollout.shape(recorded)\n", ""),
            Mutation("sessions of another engine released", "release=engine.release", "release=self.engine.release"),
        ),
    ),
    Module(
        "agentgym/learn/players.py",
        ("tests/unit/launch/test_searching.py",),
        (
            Mutation("nothing is searched", "if self.search is None:", "if True:"),
            Mutation("one tree for all", "groups.setdefault(alike(spec), [])", 'groups.setdefault("", [])'),
            Mutation(
                "one tree however augmented",
                "groups.setdefault(alike(spec), [])",
                "groups.setdefault(spec.group_id, [])",
            ),
            Mutation(
                "lines without this run's rewards",
                "        await self.rollout.shape(found.lines, factors=specs[0].rewards)\n",
                "",
            ),
            Mutation("every reward at its full weight", ", factors=specs[0].rewards", ""),
            Mutation("costs of the last tree", "self._costs.get(name, 0.0) + value", "value"),
            Mutation("costs are told twice", "costs, self._costs = self._costs, {}", "costs = self._costs"),
        ),
    ),
    Module(
        "agentgym/learn/aggregation.py",
        ("tests/unit/learn/test_batch.py",),
        (
            Mutation(
                "rows weigh the same against a constant",
                "row.weight / (total * max_tokens)",
                "1 / (total * max_tokens)",
            ),
            Mutation("rows weigh the same by tokens", "[row.weight / total if", "[1 / total if"),
        ),
    ),
    Module(
        "agentgym/learn/canary.py",
        ("tests/unit/learn/test_canary.py",),
        (
            Mutation("the last for the largest", "[1:][said].max(initial=0.0)", "[1:][said][-1]"),
            Mutation(
                "negative gaps unseen", "np.abs(np.asarray(sampled) - learned)", "(np.asarray(sampled) - learned)"
            ),
            Mutation("image tokens compared", "[1:][said].max", "[1:].max"),
            Mutation("the first token compared", "learned)[1:][said]", "learned)[:-1][said]"),
            Mutation("nothing asked of nobody", "if ids else []", "if True else []"),
            Mutation("at another temperature", "learner.score([row])", "learner.score([row], temperature=0.5)"),
            Mutation("images are not shown", "        media=shown,\n", ""),
        ),
    ),
)
