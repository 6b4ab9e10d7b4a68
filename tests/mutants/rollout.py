"""Episodes as they are played: turns, deadlines, branches, contexts."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/rollout/play.py",
        ("tests/unit/rollout/test_play.py",),
        (
            Mutation(
                "the end is always shown",
                "        if not self.spec.shows_end:\n            return\n",
                "",
            ),
            Mutation("every end is shown", "        elif self.trajectory.truncated:\n", "        elif self.is_over:\n"),
            Mutation(
                "an end beyond the context", "if extension.num_tokens <= min(", "if extension.num_tokens <= 99 + min("
            ),
            Mutation(
                "taken before there is room",
                "        if room < 1:  #",
                "        self._take(extension)\n        if room < 1:  #",
            ),
            Mutation("one turn too many", ">= self._max_turns:", "> self._max_turns:"),
            Mutation(
                "limit before the reset", "self.limits.max_turns or self.host.max_turns", "self.limits.max_turns or 99"
            ),
            Mutation(
                "success by the last reward", "succeeded(info, self.trajectory.reward)", "succeeded(info, reward)"
            ),
            Mutation(
                "overflow one too late", "if extension.num_tokens >= budget:", "if extension.num_tokens > budget:"
            ),
            Mutation(
                "keep-last fills the budget", "if extension.num_tokens < budget:", "if extension.num_tokens <= budget:"
            ),
            Mutation("replies need two tokens", "if room < 1:  # nothing", "if room < 2:  # nothing"),
            Mutation(
                "the user's context alone",
                "budget = min(self.limits.context_tokens or self.max_context, self.max_context)",
                "budget = self.limits.context_tokens or self.max_context",
            ),
            Mutation(
                "the reply fills the whole budget",
                "self.episode.max_tokens = min(self.limits.max_reply_tokens, room)",
                "self.episode.max_tokens = min(self.limits.max_reply_tokens, budget)",
            ),
            Mutation(
                "summaries need two tokens",
                "        if room < 1:\n            return False\n        self._take(extension)\n        episode",
                "        if room < 2:\n            return False\n        self._take(extension)\n        episode",
            ),
            Mutation("a summary has no limit", "min(self.limits.max_reply_tokens, room), True", "room, True"),
            Mutation("sums up for ever", "        episode.wants_summary = False\n", ""),
            Mutation("a summary is an action", "self._recorded(reply, is_summary=True)", "self._recorded(reply)"),
            Mutation("one observation is never tried", "keep_observations, 0, -1):", "keep_observations, 1, -1):"),
            Mutation(
                "an end is a cut", "StopReason.TERMINATED if terminated", "StopReason.TERMINATED if not truncated"
            ),
            Mutation("one invalid action fewer", "self.num_invalid <= limit", "self.num_invalid < limit"),
            Mutation("an expert's turn too many", "< self.spec.shown_turns", "<= self.spec.shown_turns"),
            Mutation(
                "images of the next turn",
                "self.trajectory.turns.append(turn)\n",
                "self.trajectory.turns.append(turn)\n        turn.media = []\n",
            ),
            Mutation(
                "void episodes show something", '"" if reason.is_void else str', '"" if reason.is_truncated else str'
            ),
            Mutation(
                "a deadline is the environment's fault",
                "self._stop(StopReason.DEADLINE)",
                "self._stop(StopReason.ENV_ERROR)",
            ),
            Mutation(
                "others' timeouts void the episode",
                "            if not deadline.expired():\n                raise\n",
                "",
            ),
            Mutation("steps without a deadline", "in_time(call, self.limits.step_seconds,", "in_time(call, None,"),
            Mutation(
                "episodes without a deadline", "asyncio.timeout(self.limits.episode_seconds)", "asyncio.timeout(None)"
            ),
            Mutation(
                "forks share their turns",
                "[turn.model_copy(deep=True) for turn in self.trajectory.turns]",
                "self.trajectory.turns",
            ),
            Mutation(
                "forks share their messages", "messages=list(self.episode.messages)", "messages=self.episode.messages"
            ),
            Mutation(
                "a fork begins at the reset",
                "twin.has_begun, twin.mark = mark is None, mark",
                "twin.has_begun, twin.mark = mark is None, None",
            ),
            Mutation(
                "saving without a deadline",
                'await self._within_deadline(self.host.save(), "saving")',
                "await self.host.save()",
            ),
            Mutation("steps are no sign of life", "await step\n        self.beat()\n", "await step\n"),
            Mutation(
                "an expert's replies are an engine's",
                "if (completion.policy_versions or [-1])[0] >= 0:",
                "if True:",
            ),
            Mutation("what was sampled is lost", "        self.trajectory.samples = self.stream.samples\n", ""),
            Mutation(
                "no complaint",
                "self.episode.messages.append(self.protocol.refused(str(error), self.episode.observation))",
                "pass",
            ),
        ),
    ),
    Module(
        "agentgym/rollout/runner.py",
        ("tests/unit/rollout/test_runner.py",),
        (
            Mutation("a retry on a used environment", "self._lent(fresh=attempt > 0)", "self._lent()"),
            Mutation("always fresh environments", "self._opened() if fresh else self._taken()", "self._opened()"),
            Mutation(
                "a late host is kept",
                "seat.is_spoiled = play.trajectory.stop_reason.is_void",
                "seat.is_spoiled = play.trajectory.stop_reason is StopReason.ENV_ERROR",
            ),
            Mutation(
                "a broken host is kept",
                "        if seat.is_spoiled:\n            seat.host.kill()\n        else:\n            self",
                "        if True:\n            self",
            ),
            Mutation(
                "a host is left alone in an interruption",
                "        except BaseException:\n            seat.host.kill()",
                "        except BaseException:\n            pass",
            ),
            Mutation("others play on", "                task.cancel()\n", "                pass\n"),
            Mutation("nobody waits for the others", "            await _ended(tasks)\n", ""),
            Mutation(
                "one attempt more",
                "for attempt in range(limits.max_attempts):",
                "for attempt in range(limits.max_attempts + 1):",
            ),
            Mutation(
                "late ones are tried again",
                "if trajectory.stop_reason is not StopReason.ENV_ERROR:",
                "if not trajectory.stop_reason.is_void:",
            ),
            Mutation(
                "the last session is kept",
                "                finally:\n                    release(play.session)",
                "                finally:\n                    pass",
            ),
            Mutation(
                "idle hosts of a closed run",
                "        for host in idle:\n            with",
                "        for host in ():\n            with",
            ),
            Mutation("hosts are kept where they are", "if await self.hosts.keeps(host)", "if True"),
            Mutation("closed hosts are lent", "idle, self._idle = self._idle, []", "idle = self._idle"),
            Mutation("what hosts share stays", "        await self.hosts.close()\n", ""),
            Mutation(
                "limits of a call are dropped",
                "limits = limits or self.limits\n        finish",
                "limits = self.limits\n        finish",
            ),
            Mutation("measured with rewards", "self.shapers if shaped else []", "self.shapers"),
            Mutation("two of one name", "if count > 1:", "if count > 2:"),
            Mutation("places are kept", "                self.num_running -= 1\n", "                pass\n"),
            Mutation(
                "a seat is no place",
                "async with self._place(), self._lent(fresh=fresh) as seat:",
                "async with self._lent(fresh=fresh) as seat:",
            ),
            Mutation("shaped one by one", "together(trajectory), [])", "trajectory.episode_id, [])"),
            Mutation("the level is not on record", "            level=spec.level,\n", ""),
            Mutation("who played is not on record", "            role=spec.role,\n", ""),
        ),
    ),
    Module(
        "agentgym/rollout/actors.py",
        ("tests/unit/rollout/test_actors.py",),
        (
            Mutation(
                "leads one reply more", "num_turns < episode.spec.shown_turns", "num_turns <= episode.spec.shown_turns"
            ),
            Mutation("an expert's version is 0", "policy_versions=[-1] * len(ids)", "policy_versions=[0] * len(ids)"),
            Mutation(
                "members sample alike",
                "seed_of(spec.seed, spec.member, stream.num_turns)",
                "seed_of(spec.seed, stream.num_turns)",
            ),
            Mutation("turns sample alike", "spec.member, stream.num_turns)", "spec.member)"),
            Mutation("the expert sums up", "if episode.wants_summary:", "if False:"),
            Mutation("tools are not told", ", tools=episode.observation.tools)", ")"),
            Mutation("top_k is dropped", "            top_k=top_k,\n", ""),
            Mutation("an expert's reply has no end", ", tokenizer.stop_token_ids[0]]", "]"),
            Mutation("forks share a session", "{stream.num_forks}", "0"),
        ),
    ),
    Module(
        "agentgym/rollout/specs.py",
        ("tests/unit/rollout/test_specs.py",),
        (
            Mutation("task 0 is none", "{} if self.task is None else", "{} if not self.task else"),
            Mutation(
                "options win over the task",
                "{**self.options, **task, ",
                "{**task, **self.options, ",
            ),
            Mutation("options are dropped", "return {**self.options, ", "return {"),
            Mutation("seeds of 64 bits", '"big") >> 1', '"big")'),
        ),
    ),
    Module(
        "agentgym/conversation.py",
        ("tests/unit/test_conversation.py",),
        (
            Mutation("one observation fewer", "max(0, len(shown) - num)", "max(0, len(shown) - num + 1)"),
            Mutation("the last are left out", "shown[: max(0, len(shown) - num)]", "shown[num:]"),
            Mutation("the opening is left out", "i >= num_opening and", "i >= 0 and"),
            Mutation("replies are left out", ' and message["role"] != "assistant"', ""),
        ),
    ),
    Module(
        "agentgym/rollout/context.py",
        ("tests/unit/rollout/test_play.py", "tests/unit/rollout/test_context.py"),
        (
            Mutation("clipped at the limit", "if missing <= 0:", "if missing < 0:"),
            Mutation("the summary is forgotten", "{_SUMMARY}\\n{summary}\\n\\n", "{_SUMMARY}\\n\\n"),
            Mutation("images are clipped", "        images=observation.images,\n", ""),
        ),
    ),
    Module(
        "agentgym/rollout/shaping.py",
        ("tests/unit/rollout/test_shaping.py",),
        (
            Mutation("without its weight", "[weight * value for value", "[value for value"),
            Mutation("void ones are judged", "if not trajectory.stop_reason.is_void]", "]"),
            Mutation("the first ended is enough", "if any(name not in", "if all(name not in"),
            Mutation(
                "as they ended",
                "[self._ended.pop(name) for name in members]",
                "[t for t in self._ended.values() if self._group(t) == self._group(trajectory)]",
            ),
            Mutation(
                "what was given is judged",
                "        trajectory.turns = _with(trajectory.turns, {})\n    asked",
                "        pass\n    asked",
            ),
            Mutation(
                "a failure is forgotten",
                "trajectory.shaping_error = errors.get(index)",
                "trajectory.shaping_error = None",
            ),
            Mutation(
                "an old failure stays",
                "trajectory.shaping_error = errors.get(index)",
                "trajectory.shaping_error = errors.get(index, trajectory.shaping_error)",
            ),
            Mutation("the last failure is told", "errors.setdefault(index, answer)", "errors[index] = answer"),
            Mutation("failed ones are paid in part", "{} if index in errors else given[index]", "given[index]"),
            Mutation("one failure is everybody's", "return [[index] for index in everyone] if", "return [everyone] if"),
            Mutation("judges have for ever", "asyncio.timeout(seconds)", "asyncio.timeout(None)"),
            Mutation("an infinite reward", "and math.isfinite(value)", ""),
        ),
    ),
    Module(
        "agentgym/rollout/deadline.py",
        ("tests/unit/rollout/test_deadlines.py", "tests/unit/rollout/test_runner.py"),
        (
            Mutation("the episode's deadline is a step's", "if not deadline.expired():", "if False:"),
            Mutation("an import has a step's time", "max(seconds, _IMPORT_SECONDS)", "seconds"),
            Mutation("making takes for ever", "in_time(hosts.open(), seconds,", "in_time(hosts.open(), None,"),
        ),
    ),
)
