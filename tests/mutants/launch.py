"""What a run chooses, measures, keeps and goes on from."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/launch"

MODULES = (
    Module(
        "agentgym/launch/comparing.py",
        ("tests/unit/launch/test_comparing.py",),
        (
            Mutation("void ones failed", "        if not card.stop_reason.is_void:\n", "        if True:\n"),
            Mutation("what was before", '{"stage": "after"}', '{"stage": "before"}'),
            Mutation("seeds out of order", "    if by_seed := _are_paired(", "    if False and _are_paired("),
            Mutation("always apart", "new = old if by_seed else _drawn", "new = _drawn"),
            Mutation("tasks are sure", " * _drawn(rng, was.shape[1])).sum(1)", ").mean(1)"),
            Mutation("seeds of one side", " and {*second} == seeds", ""),
        ),
    ),
    Module(
        "agentgym/launch/overlay.py",
        ("tests/unit/launch/test_overlay.py",),
        (
            Mutation("a seed is a setting", 'frozenset({"seed", ', "frozenset({"),
            Mutation("two settings of one name", "order.index(kind) + 1", "1"),
            Mutation("updates of any", "set.intersection(", "set.union("),
            Mutation("steps of other updates", "bisect.bisect_right(known, update) - 1", "0"),
        ),
    ),
    Module(
        "agentgym/launch/paying.py",
        ("tests/unit/launch/test_paying.py",),
        (
            Mutation("the usual rewards stay", "{**off, **named, **own}", "{**named, **own}"),
            Mutation("nothing is withheld", "if kept_back else {}", "if False else {}"),
            Mutation("both ways", '    if rest.get("rewards"):\n', "    if False:\n"),
            Mutation("the last of two", " or name in weights:", ":"),
        ),
    ),
    Module(
        "agentgym/launch/warming.py",
        (f"{UNIT}/test_learning.py",),
        (
            Mutation(
                "the imitator is not started",
                '        await self.trainer.open()\n        bench.reporter.begin("warm',
                '        bench.reporter.begin("warm',
            ),
            Mutation(
                "a warm start beyond its limit",
                "return self.at >= self.max_updates",
                "return self.at > self.max_updates",
            ),
            Mutation(
                "what was left is in the way",
                "        if directory.exists():  # from before an interruption\n"
                "            sealed.discard(directory)\n",
                "",
            ),
            Mutation("the warm policy is not kept", "        sealed.seal(directory, bench.parts.policy.save)\n", ""),
            Mutation("looked at again", "self.at not in (0, self.checked)", "self.at not in (0,)"),
            Mutation("looked at before anything", "self.at not in (0, self.checked)", "self.at != self.checked"),
            Mutation("looked at every time", " and self.at % self.bench.settings.warm_start.check_every == 0", ""),
            Mutation("a warm start without limits", "self.validate(self.bench.parts.limits)", "self.validate()"),
            Mutation("the look does not count", "        self.checked = self.at\n", ""),
            Mutation("more than enough", "seen.success >= settings.until", "seen.success > settings.until"),
            Mutation("without patience", "settings.patience * settings.check_every", "settings.check_every"),
            Mutation("one update of patience more", "< settings.patience *", "<= settings.patience *"),
            Mutation(
                "success alone rises",
                "seen.success > self.best_success or seen.reward > self.best_reward",
                "seen.success > self.best_success",
            ),
            Mutation(
                "reward alone rises",
                "seen.success > self.best_success or seen.reward > self.best_reward",
                "seen.reward > self.best_reward",
            ),
            Mutation("equal is more", "or seen.reward > self.best_reward", "or seen.reward >= self.best_reward"),
            Mutation("patience anew", '        self.risen_at = state["risen_at"]\n', ""),
            Mutation(
                "the best is forgotten", "self.best_success, self.best_reward = state", "_, self.best_reward = state"
            ),
            Mutation("nobody hears why", '["ended"] = self.ended', '["ended"] = ""'),
        ),
    ),
    Module(
        "agentgym/launch/learning.py",
        (f"{UNIT}/test_learning.py",),
        (
            Mutation("the last of equals", "if merit > self.best:", "if merit >= self.best:"),
            Mutation("stale weights measured", "        await self.loop.publish(self.at)\n", ""),
            Mutation(
                "time of the run",
                "self.bench.settings, self.bench.clock.elapsed - self.began",
                "self.bench.settings, self.bench.clock.elapsed",
            ),
            Mutation(
                "a step more",
                "self.at < self.max_updates and self.progress < 1",
                "self.at < self.max_updates and self.progress <= 1",
            ),
            Mutation("in order for all", 'in_order=settings.mode == "async"', "in_order=True"),
            Mutation("in order for none", 'in_order=settings.mode == "async"', "in_order=False"),
            Mutation("never idle", "self.idle >= self.bench.settings.idle_updates", "False"),
            Mutation("idle one update too soon", "self.idle >= self.bench", "self.idle + 1 >= self.bench"),
            Mutation("idle in all", 'self.idle = 0 if "loss" in outcome.metrics else', "self.idle ="),
            Mutation("idle anew", '"has_learned", "idle")', '"has_learned")'),
            Mutation("the stage has no beginning", "        self.began = bench.clock.elapsed\n", ""),
            Mutation("learned at another temperature", "Terms(self.name, self.temperature,", "Terms(self.name, 0.5,"),
            Mutation(
                "one order for all stages",
                "seed_of(self.bench.settings.seed, self.name)",
                "seed_of(self.bench.settings.seed)",
            ),
            Mutation("one order for all runs", "seed_of(self.bench.settings.seed, self.name)", "seed_of(self.name)"),
            Mutation("no sign of life", ", beat=bench.watchdog.beat", ""),
            Mutation("nothing is dumped", ", engine, dump_dir=bench.run.directory)", ", engine)"),
            Mutation("trained on what measures", 'parts.env.tasks("train")', 'parts.env.tasks("validation")'),
            Mutation("players without limits", "limits=parts.limits, temp", "limits=Limits(), temp"),
            Mutation(
                "training episodes at 1",
                "temperature=self.temperature)\n        players.search",
                "temperature=1.0)\n        players.search",
            ),
            Mutation("the look is forgotten", '"checked": self.checked, ', '"checked": -1, '),
            Mutation("the beginning is forgotten", '"began": self.began', '"began": 0.0'),
            Mutation("the look is not taken up", 'state["checked"], state["began"]', 'self.checked, state["began"]'),
            Mutation(
                "the beginning is not taken up", 'state["checked"], state["began"]', 'state["checked"], self.began'
            ),
            Mutation("the loop anew", '        self.loop.load_state(state["loop"])\n', ""),
            Mutation("no account", "        self.account(outcome)\n", ""),
            Mutation("records kept again", "        if self.trainer.plays:\n", "        if True:\n"),
            Mutation(
                "kept a number behind",
                "self.keep(outcome.trajectories, update=self.at)",
                "self.keep(outcome.trajectories, update=self.at - 1)",
            ),
            Mutation("never whole", "        self.loop.is_whole = True\n", ""),
            Mutation(
                "whole before it is counted",
                "        self.at += 1\n",
                "        self.at += 1\n        pause()\n",
            ),
            Mutation("never paused", "        pause()\n", ""),
            Mutation("choices on test tasks", 'tasks("validation")[:', 'tasks("test")[:'),
            Mutation("all tasks at every look", "[: settings.eval.validation_episodes]", ""),
            Mutation("looks of any seed", 'seed_of(settings.seed, "validation")', 'seed_of("validation")'),
            Mutation("looks of another seed", 'seed_of(settings.seed, "validation")', "seed_of(self.at)"),
            Mutation("looks at the temperature of training", "settings.measuring_temperature", "self.temperature"),
            Mutation("greedy looks", "settings.measuring_temperature", "0.0"),
            Mutation("training limits in validation", "limits=limits\n", "limits=parts.limits\n"),
            Mutation("the first look in part", "all_of_them=self.at == 0", "all_of_them=False"),
            Mutation("all looks whole", "all_of_them=self.at == 0", "all_of_them=True"),
            Mutation(
                "seconds of the run",
                "round(self.bench.clock.elapsed - self.began, 1)",
                "round(self.bench.clock.elapsed, 1)",
            ),
            Mutation(
                "the trainer is not started",
                '        await self.trainer.open()\n        bench.reporter.begin("training',
                '        bench.reporter.begin("training',
            ),
            Mutation(
                "at the default temperature", "        self.temperature = bench.settings.rollout.temperature\n", ""
            ),
            Mutation("the default curriculum", "        self.curriculum = bench.settings.curriculum\n", ""),
            Mutation(
                "another staleness",
                "max_staleness=settings.max_staleness,",
                "max_staleness=settings.max_staleness + 1,",
            ),
            Mutation("played without end", "num_updates=settings.updates", "num_updates=settings.updates + 1"),
            Mutation("the best is forgotten", '("best", "steps", ', '("steps", '),
            Mutation("steps are forgotten", '("best", "steps", ', '("best", '),
            Mutation("learning is forgotten", '"has_learned", "idle")', '"idle")'),
            Mutation("a lost best stays the bound", "self.best, self.checked = -1.0, -1  #", "self.checked = -1  #"),
            Mutation("no new look for a lost best", "self.best, self.checked = -1.0, -1  #", "self.best = -1.0  #"),
            Mutation("looks after every update", "if self.at % bench.settings.eval.every == 0:", "if True:"),
            Mutation(
                "no look before training",
                "if self.at % bench.settings.eval.every == 0:",
                "if self.at and self.at % bench.settings.eval.every == 0:",
            ),
            Mutation(
                "no look at the end",
                "        await self._keep_if_best()\n        self.trainer.leave",
                "        self.trainer.leave",
            ),
            Mutation("nothing is left", "        self.trainer.leave(bench.run.directory)\n", ""),
            Mutation("what does not change is looked at", "if not self.trainer.trains_policy:", "if False:"),
            Mutation("the last for the best", "        bench.kept.restore(bench.parts.policy)\n", ""),
            Mutation(
                "nothing learned, nothing said", "if self.at and (self._is_idle or not self.has_learned):", "if False:"
            ),
            Mutation(
                "said of no update",
                "if self.at and (self._is_idle or not self.has_learned):",
                "if self._is_idle or not self.has_learned:",
            ),
            Mutation("not in the ledger", "        run.account(outcome.entries)\n", ""),
            Mutation("counts the updates", "tally.begun += len(outcome.entries)", "tally.begun += 1"),
            Mutation("pending is forgotten", "scheduler.num_begun, scheduler.pending", "scheduler.num_begun, []"),
            Mutation("the last update's steps", "self.steps += outcome", "self.steps = outcome"),
            Mutation("learned in the last", "self.has_learned |=", "self.has_learned ="),
            Mutation("looked at twice", "        if self.checked == self.at:\n            return\n", ""),
            Mutation("reward for success", "seen.success + 1e-3 * seen.reward", "seen.reward"),
            Mutation("reward beside success", "seen.success + 1e-3 * seen.reward", "seen.success + seen.reward"),
            Mutation("success alone", "seen.success + 1e-3 * seen.reward", "seen.success"),
            Mutation("a bound that stays", "            self.best = merit\n", ""),
            Mutation(
                "best of another number",
                'bench.report["best_update"] = self.at',
                'bench.report["best_update"] = self.at + 1',
            ),
            Mutation("no drift", "        bench.monitor.validated(self.at, seen, episodes, self.loop.learner)\n", ""),
        ),
    ),
    Module(
        "agentgym/launch/sampling.py",
        (f"{UNIT}/test_evaluation.py",),
        (Mutation("filters of nothing", "if filters and temperature == 0:", "if False:"),),
    ),
    Module(
        "agentgym/launch/evaluation.py",
        (f"{UNIT}/test_evaluation.py",),
        (
            Mutation(
                "an interruption is silent",
                "                reporter.note(_interrupted(",
                "                (_interrupted(",
            ),
            Mutation("means of void ones", "if not episode.stop_reason.is_void:", "if True:"),
            Mutation("nobody is told how it went", "        reporter.note(line)\n", "        pass\n"),
            Mutation("one seed for all tasks", 'seed_of(seed, "evaluate", task)', 'seed_of(seed, "evaluate")'),
            Mutation("seeds by place", 'seed_of(seed, "evaluate", task)', 'seed_of(seed, "evaluate", index)'),
            Mutation("seeds of any run", 'seed_of(seed, "evaluate", task)', 'seed_of("evaluate", task)'),
            Mutation("limits dropped", "limits=limits, on_episode", "on_episode"),
            Mutation("shaped episodes", "shaped=False)", "shaped=True)"),
            Mutation("nobody is told", "on_episode=on_episode, ", ""),
            Mutation("sessions stay", "release=engine.release, ", ""),
            Mutation("filters forgotten", "                **filters,\n", ""),
            Mutation(
                "another disk problem hidden", "        if sealed.disk_problem(error) is None:\n            raise\n", ""
            ),
        ),
    ),
    Module(
        "agentgym/launch/score.py",
        (f"{UNIT}/test_score.py", f"{UNIT}/test_evaluation.py"),
        (
            Mutation("shaped rewards", "sum(trajectory.environment_reward for", "sum(trajectory.reward for"),
            Mutation("void episodes count", "if not trajectory.stop_reason.is_void]", "]"),
            Mutation("success is a reward", "sum(trajectory.success for", "sum(trajectory.reward > 0 for"),
            Mutation(
                "what cannot be read had no effect",
                "turn.error is not None and not _is_unread(turn)",
                "turn.error is not None",
            ),
            Mutation(
                "what had no effect is unread",
                "turn.error is not None and turn.action is None\n",
                "turn.error is not None\n",
            ),
            Mutation(
                "void reasons are left out",
                "trajectory.stop_reason.value for trajectory in trajectories",
                "trajectory.stop_reason.value for trajectory in counted",
            ),
            Mutation("one temperature of two", "if len(temperatures) == 1 else None", "if temperatures else None"),
            Mutation("a reply may be as long", "each >= max_reply_tokens", "each > max_reply_tokens"),
            Mutation("prompts are cut off", "sample.turn_index[sample.loss_mask]", "sample.turn_index"),
            Mutation("a success is shown", "if not each.success), counted[0]", "if each.success), counted[0]"),
            Mutation("advice for a few", "_MANY = 0.1", "_MANY = 0.0"),
        ),
    ),
    Module(
        "agentgym/launch/prompting.py",
        (f"{UNIT}/test_prompting.py",),
        (
            Mutation("nothing is kept", "if protocol.prompt.kept is not None:", "if False:"),
            Mutation("made again", "if prompt.kept is not None or not", "if not"),
            Mutation("failures are shown", "return messages if visit.now.success else []", "return messages"),
            Mutation("what was said is told anew", "if protocol.parse(turn.reply) == done:", "if False:"),
            Mutation("mistakes are shown", "if turn.action is not None and not", "if not"),
            Mutation(
                "held-out episodes are shown", "if episode.split in _HELD_OUT and not episode.stage:", "if False:"
            ),
            Mutation("failed episodes of a file", "episodes.episodes(success=True)", "episodes.episodes()"),
            Mutation("actions with blanks", 'if "<" not in each', "if each"),
        ),
    ),
    Module(
        "agentgym/launch/measure.py",
        (f"{UNIT}/test_measure.py",),
        (
            Mutation("sampled is greedy", 'play("sampled", temperature)', 'play("sampled", 0.0)'),
            Mutation("stale weights tested", "        await bench.parts.publish(update)", "        pass"),
            Mutation("tested on what chose", 'bench.parts.env.tasks("test")', 'bench.parts.env.tasks("validation")'),
            Mutation("greedy is sampled", 'play("greedy", 0.0)', 'play("greedy", 1.0)'),
            Mutation("tests of any seed", 'seed=seed_of("test")', "seed=seed_of(bench.settings.seed)"),
            Mutation("greedy for sampled", "sampled, greedy = map(", "greedy, sampled = map("),
            Mutation(
                "greedy is not kept", "self.keep([*teacher, *played[0], *played[1]]", "self.keep([*teacher, *played[0]]"
            ),
            Mutation("the expert plays twice", 'self.has_teacher and self.name == "before"', "self.has_teacher"),
            Mutation("the expert is not kept", "self.keep([*teacher, ", "self.keep(["),
            Mutation("the engine for the expert", "                actor=actor,\n", ""),
            Mutation(
                "the gain of the expert",
                "(teacher, teacher), (sampled, greedy)",
                "(sampled, greedy), (teacher, teacher)",
            ),
            Mutation("kept without a number", "*played[1]], update=update)", "*played[1]], update=0)"),
        ),
    ),
    Module(
        "agentgym/launch/kept.py",
        (f"{UNIT}/test_kept.py",),
        (
            Mutation("the link outlives the policy", "            sealed.remove(link)\n", "            pass\n"),
            Mutation("a broken link is in the way", "        sealed.remove(aside)\n", ""),
            Mutation(
                "a needed policy goes", '{self.name, *(str(state.get("kept")) for state in states)}', "{self.name}"
            ),
            Mutation(
                "the best goes",
                '{self.name, *(str(state.get("kept")) for state in states)}',
                '{*(str(state.get("kept")) for state in states)}',
            ),
            Mutation(
                "nothing goes",
                "        self._point_to(name)\n        self.discard_unused()\n",
                "        self._point_to(name)\n",
            ),
            Mutation(
                "the same is not replaced",
                "        if directory.exists():\n            sealed.discard(directory)\n",
                "        if directory.exists():\n            return\n",
            ),
            Mutation(
                "written where it stands",
                "        sealed.seal(directory, policy.save)\n",
                "        policy.save(directory)\n",
            ),
            Mutation(
                "pointed to before it is there",
                "        sealed.seal(directory, policy.save)\n        self._point_to(name)\n",
                "        self._point_to(name)\n        sealed.seal(directory, policy.save)\n",
            ),
            Mutation("restored unseen", "        sealed.check(self.run.policies / str(self.name))\n", ""),
            Mutation(
                "the best of now",
                "        self._point_to(name)\n        if name is None:\n",
                "        if name is None:\n",
            ),
            Mutation("corrupt and pointed to", "            self._point_to(None)\n", ""),
            Mutation(
                "corrupt and left",
                'moved = _move(self.run.policies / name, self.run.corrupt / f"policy-{name}")',
                'moved = self.run.corrupt / f"policy-{name}"',
            ),
            Mutation("corrupt is fine", "            return False\n", "            return True\n"),
            Mutation(
                "one link after the other",
                "            os.replace(aside, link)\n",
                "            link.unlink(missing_ok=True)\n            aside.rename(link)\n",
            ),
            Mutation("no name", "        self.name = name\n", ""),
            Mutation("moved over another", "    while target.exists():\n", "    while False:\n"),
        ),
    ),
    Module(
        "agentgym/launch/training.py",
        (f"{UNIT}/test_training.py",),
        (
            Mutation("Python draws by chance", "    random.seed(seed)\n", ""),
            Mutation("NumPy draws by chance", "    np.random.seed(seed % 2**32)\n", ""),
            Mutation("torch draws by chance", "    torch.manual_seed(seed)\n", ""),
            Mutation("seeds up to 32 bits", "np.random.seed(seed % 2**32)", "np.random.seed(seed)"),
            Mutation("not seeded", "        seed_all(bench.settings.seed)\n", ""),
            Mutation("goes on from what was there", "        bench.run.forget_after({})\n", ""),
            Mutation("the best of before", "        bench.kept.go_back(None, bench.reporter.note)\n", ""),
            Mutation("begun unopened", "        self.stages[0].open()\n", ""),
            Mutation("never closed", "            await self.stage.close()\n", "            pass\n"),
            Mutation("the stage before", "names.index(state.stage)", "0"),
            Mutation(
                "gone on unopened",
                "        if self.stage is not None:\n            self.stage.open()\n        with _fitting",
                "        with _fitting",
            ),
            Mutation("a trainer anew", "checkpoint.load(at, learner, trainer=trainer)", "checkpoint.load(at, learner)"),
            Mutation("a report anew", "        bench.report.update(state.report)\n", ""),
            Mutation("a clock anew", "        bench.clock.go_on_from(state.seconds)\n", ""),
            Mutation("a tally anew", "state.begun, state.pending\n", "0, []\n"),
            Mutation("pending is not taken up", "state.begun, state.pending\n", "state.begun, []\n"),
            Mutation("a stage anew", "                self.stage.load_state(state.state)\n", "                pass\n"),
            Mutation("what came after stays", "        bench.run.forget_after(state.position)\n", ""),
            Mutation(
                "everything is forgotten",
                "        bench.run.forget_after(state.position)\n",
                "        bench.run.forget_after({})\n",
            ),
            Mutation("alarms anew", "        bench.monitor.replay(bench.run.metrics())\n", ""),
            Mutation(
                "alarms of what is forgotten",
                "        bench.run.forget_after(state.position)\n        bench.monitor.replay(bench.run.metrics())\n",
                "        bench.monitor.replay(bench.run.metrics())\n        bench.run.forget_after(state.position)\n",
            ),
            Mutation("the ledger is not added up", "        self._audit()\n        if not", "        if not"),
            Mutation("the best of now", "bench.kept.go_back(state.kept, ", "bench.kept.go_back(bench.kept.name, "),
            Mutation(
                "a lost best is not replaced",
                "            (self.stage or self.stages[-1]).lose_best()\n",
                "            pass\n",
            ),
            Mutation(
                "saved at every pause",
                "        self._saved_at = time.monotonic()\n        bench, stage, (",
                "        bench, stage, (",
            ),
            Mutation(
                "due from the start of time",
                '        """Of the stage under way; their number when all are done."""\n'
                "        self._saved_at = time.monotonic()\n",
                "        self._saved_at = 0.0\n",
            ),
            Mutation("names that do not sort", "{stage.at:06d}", "{stage.at}"),
            Mutation("no trainer in it", "self._state(), trainer=trainer)", "self._state())"),
            Mutation(
                "no learner in it",
                "bench.parts.policy, learner, self._state()",
                "bench.parts.policy, None, self._state()",
            ),
            Mutation(
                "all checkpoints stay",
                "            checkpoint.prune(checkpoints, keep=bench.settings.keep_checkpoints)\n",
                "",
            ),
            Mutation(
                "one more stays", "keep=bench.settings.keep_checkpoints)", "keep=bench.settings.keep_checkpoints + 1)"
            ),
            Mutation("old policies stay", "            bench.kept.discard_unused()\n", ""),
            Mutation(
                "a full disk ends it",
                "        except OSError as error:\n            finished",
                "        except FileExistsError as error:\n            finished",
            ),
            Mutation(
                "saved by another name", '"stage": stage.name if stage else _DONE,', '"stage": self.stages[0].name,'
            ),
            Mutation("a stage without state", '"state": stage.state() if stage else {},', '"state": {},'),
            Mutation("an empty report", '"report": bench.report,', '"report": {},'),
            Mutation("no best", '"kept": bench.kept.name,', '"kept": None,'),
            Mutation("nothing begun", '"begun": bench.tally.begun,', '"begun": 0,'),
            Mutation("nothing pending", '"pending": bench.tally.pending,', '"pending": [],'),
            Mutation("no time", '"seconds": bench.clock.elapsed,', '"seconds": 0.0,'),
            Mutation("no position", '"position": bench.run.position(),', '"position": {},'),
            Mutation("tasks under way are missing", ", pending=tally.pending))", "))"),
            Mutation("added up to the end", "until=tally.begun, ", "until=0, "),
            Mutation(
                "images stay elsewhere",
                "        self.bench.parts.policy.tokenizer.store.move_to(self.bench.run.directory / MEDIA)\n",
                "",
            ),
            Mutation("not watched", "self.bench.watchdog.watching(self._status), frozen_heap()", "frozen_heap()"),
            Mutation(
                "collected all the time",
                "self.bench.watchdog.watching(self._status), frozen_heap()",
                "self.bench.watchdog.watching(self._status)",
            ),
            Mutation(
                "any error is the disk's",
                "            if sealed.disk_problem(error) is None:\n                raise\n",
                "",
            ),
            Mutation("stages stay open", "                await stage.close()\n", ""),
            Mutation("a stage left out", "self._enter(self.index + 1)", "self._enter(self.index + 2)"),
            Mutation(
                "saved in the middle", "self.stage is not None and self.stage.is_whole:", "self.stage is not None:"
            ),
            Mutation(
                "an interruption is lost",
                "            if self.stage is not None and self.stage.is_whole:\n                self.save()\n",
                "",
            ),
            Mutation(
                "an interruption is swallowed",
                '--resume {self.bench.run.directory}")\n            raise\n',
                '--resume {self.bench.run.directory}")\n',
            ),
            Mutation(
                "a cancelled task is not saved",
                "except (asyncio.CancelledError, KeyboardInterrupt):",
                "except KeyboardInterrupt:",
            ),
            Mutation(
                "Ctrl-C is not saved",
                "except (asyncio.CancelledError, KeyboardInterrupt):",
                "except asyncio.CancelledError:",
            ),
            Mutation("files stay open", "            self.bench.run.close()\n", "            pass\n"),
            Mutation(
                "the next is not opened",
                "        else:\n            self.stage.open()\n",
                "        else:\n            pass\n",
            ),
            Mutation(
                "a stage's end is not saved",
                "            self.stage.open()\n        self.save()\n",
                "            self.stage.open()\n",
            ),
            Mutation(
                "saved before the next is open",
                "        self.index = index\n        if",
                "        self.index = index\n        self.save()\n        if",
            ),
            Mutation("due a moment later", "self._saved_at >= self", "self._saved_at > self"),
            Mutation(
                "never due",
                "if time.monotonic() - self._saved_at >= self.bench.settings.checkpoint_seconds:",
                "if False:",
            ),
            Mutation("an unadded ledger", '        report["ledger"] = self._audit()\n', ""),
            Mutation("alarms are not told", "        bench.monitor.conclude(report, metrics)\n", ""),
            Mutation(
                "a report without parameters",
                '        report["num_parameters"] = bench.parts.policy.num_parameters\n',
                "",
            ),
            Mutation(
                "no page",
                '        (directory / "report.md").write_text(summary_page(bench.run.config,'
                " report, metrics, directory))\n",
                "",
            ),
            Mutation("no curves", '        draw_curves(metrics, report, directory / "curves.png")\n', ""),
        ),
    ),
    Module(
        "agentgym/launch/stage.py",
        (f"{UNIT}/test_stage.py",),
        (
            Mutation(
                "interruptions count", "self._began = time.monotonic() - seconds", "self._began = time.monotonic()"
            ),
            Mutation("time runs back", "time.monotonic() - self._began", "self._began - time.monotonic()"),
            Mutation("where it stands is forgotten", 'return {"at": self.at}', 'return {"at": 0}'),
            Mutation("where it stands is not taken up", 'self.at = state["at"]', "pass"),
            Mutation("all are kept", "1.0 if all_of_them else self.bench.settings.archive.keep", "1.0"),
            Mutation(
                "all are not all",
                "1.0 if all_of_them else self.bench.settings.archive.keep",
                "self.bench.settings.archive.keep",
            ),
            Mutation("chosen is not asked", " if chosen(each, share)", ""),
            Mutation("kept without a stage", '{"stage": self.name, "update": update}', '{"update": update}'),
            Mutation("a lost best of another number", 'self.bench.report.get("best_update", 0))', "self.at)"),
            Mutation(
                "a lost best is not replaced",
                '        self.bench.kept.keep(self.bench.parts.policy, self.bench.report.get("best_update", 0))\n',
                "        pass\n",
            ),
            Mutation("whole in any case", "self.loop is None or self.loop.is_whole", "True"),
            Mutation(
                "never whole without a loop",
                "self.loop is None or self.loop.is_whole",
                "self.loop is not None and self.loop.is_whole",
            ),
            Mutation("the loop stays open", "            await self.loop.close()\n", "            pass\n"),
        ),
    ),
    Module(
        "agentgym/launch/combinations.py",
        (f"{UNIT}/test_combinations.py",),
        (
            Mutation(
                "half an update",
                "int(rest // (own + shown * recipe.demonstration_cost))",
                "math.ceil(rest / (own + shown * recipe.demonstration_cost))",
            ),
            Mutation("none is allowed", 'if options["correction"] == "none":', "if False:"),
            Mutation(
                "a mask is refused", 'if options["correction"] == "none":', 'if options["correction"] != "truncate":'
            ),
            Mutation(
                "own corrections are lost",
                '{"correction": "truncate", **settings.trainer.options}',
                '{**settings.trainer.options, "correction": "truncate"}',
            ),
            Mutation("no correction", "    settings.trainer = settings.trainer.model_copy(update=options)\n", ""),
            Mutation(
                "staleness is overruled",
                "    if settings.max_staleness is None:\n        settings.max_staleness =",
                "    if True:\n        settings.max_staleness =",
            ),
            Mutation("as stale as the other", '{"async": 1, "fully-async": 2}', '{"async": 2, "fully-async": 1}'),
            Mutation(
                "staleness in turns",
                "        if settings.max_staleness is not None:\n            raise",
                "        if False:\n            raise",
            ),
            Mutation("whoever plays ahead", "    if not trainer.plays_ahead:\n", "    if False:\n"),
            Mutation(
                "a demonstration for free",
                "recipe.budget - recipe.demonstrations * recipe.demonstration_cost",
                "recipe.budget - recipe.demonstrations",
            ),
            Mutation("all of it is too much", "    if rest < 0:\n", "    if rest <= 0:\n"),
            Mutation("more than there is", "    if rest < 0:\n", "    if False:\n"),
            Mutation(
                "a pass too few",
                "math.ceil(recipe.passes * recipe.demonstrations / settings.warm_start.batch_size)",
                "int(recipe.passes * recipe.demonstrations // settings.warm_start.batch_size)",
            ),
            Mutation("warm without demonstrations", '{"enabled": recipe.demonstrations > 0}', '{"enabled": True}'),
            Mutation("stopped before", '"until": 1.0, ', ""),
            Mutation("looked at in between", ', "check_every": steps}', "}"),
            Mutation("what a recipe decides is given", "    _refuse_decided(given)\n", ""),
            Mutation("a recipe without a budget", "        if recipe.model_fields_set:\n", "        if False:\n"),
        ),
    ),
    Module(
        "agentgym/launch/sampling.py",
        (f"{UNIT}/test_combinations.py",),
        (
            Mutation(
                "trained on a part",
                "    for key, value in sampling_filters(rollout).items():\n",
                "    for key, value in ():\n",
            ),
            Mutation("a filter is forgotten", '("top_p", "top_k", "min_p") if', '("top_p", "top_k") if'),
            Mutation("filters that filter nothing", "if rollout.changed(key)}", "if key in rollout.model_fields_set}"),
        ),
    ),
    Module(
        "agentgym/launch/searching.py",
        (f"{UNIT}/test_searching.py",),
        (
            Mutation("a trainer's search is left out", "settings.search = Choice(id=trainer.search)", "pass"),
            Mutation("trees from no tree", 'chosen.id == "flat" and trainer.search != "flat"', "False"),
            Mutation("a search of nothing", "(why := trainer.why_no_search)", "(why := '')"),
        ),
    ),
    Module(
        "agentgym/launch/combinations.py",
        (f"{UNIT}/test_settings.py",),
        (
            Mutation("records follow a curriculum", 'settings.changed("curriculum") and not trainer.plays', "False"),
            Mutation(
                "taught by experts", "factory.learn is not Curriculum.learn and not trainer.plays_policy", "False"
            ),
            Mutation(
                "no curriculum without a policy",
                "factory.learn is not Curriculum.learn and not trainer.plays_policy",
                "not trainer.plays_policy",
            ),
        ),
    ),
    Module(
        "agentgym/launch/monitor.py",
        (f"{UNIT}/test_looks.py", f"{UNIT}/test_monitor.py"),
        (
            Mutation("other types are the same", "        mismatch = 0.5\n", "        pass\n"),
            Mutation("coarse is fine", "5e-2 if is_coarse else 1e-3", "1e-3"),
            Mutation("a coarse model is fine", "in (own, settings.trainer", "in (settings.trainer"),
            Mutation("nano drifts", 'None if settings.model.id == "nano" else 0.5', "0.5"),
            Mutation(
                "own bounds are overruled",
                "for key, value in defaults.items() if getattr(chosen, key) is None}",
                "for key, value in defaults.items()}",
            ),
            Mutation(
                "replies of another length",
                "max_reply_tokens=settings.rollout.max_reply_tokens)",
                "max_reply_tokens=1)",
            ),
            Mutation("nothing seen before", "        for line in metrics:\n            self.watch.see(line)\n", ""),
            Mutation("not in the metrics", "        self.run.log(stage, update, **values)\n", ""),
            Mutation("ends as it began", "float(begins)", "1.0"),
            Mutation("told at its end", "            if begins:\n", "            if True:\n"),
            Mutation("not told", '                self.reporter.note(f"alarm: {alarm}")\n', "                pass\n"),
            Mutation("what was played is not looked at", "**metrics, **played(episodes))", "**metrics)"),
            Mutation("drift from the last look", "        if update == 0:\n", "        if True:\n"),
            Mutation("the interval upside down", "low, high = seen.ci95", "high, low = seen.ci95"),
            Mutation("alarms are not reported", "[alarm.as_dict() for alarm in self.watch.alarms]", "[]"),
            Mutation(
                "drift from any look",
                'stage="train", split="validation", update=0)',
                'stage="train", split="validation")',
            ),
            Mutation("drift from training", 'stage="train", split="validation", update=0)', 'stage="train", update=0)'),
            Mutation("drift of nothing", "        if not teaches(self._base):\n            return {}\n", ""),
            Mutation("infinite drift", "if math.isfinite(value)}", "}"),
            Mutation("void episodes are a base", "if not episode.stop_reason.is_void)\n", ")\n"),
            Mutation("a base of all", "itertools.islice(counted, MAX_BASE_EPISODES)", "counted"),
            Mutation("void episodes vary", "if not episode.stop_reason.is_void]\n", "]\n"),
            Mutation("shaped rewards vary", "episode.environment_reward for", "episode.reward for"),
            Mutation(
                "a deviation for an error",
                "statistics.stdev(rewards) / math.sqrt(len(rewards))",
                "statistics.stdev(rewards)",
            ),
            Mutation("of the population", "statistics.stdev(", "statistics.pstdev("),
        ),
    ),
    Module(
        "agentgym/launch/resuming.py",
        (f"{UNIT}/test_resuming.py",),
        (
            Mutation("any difference is taken", "    if not force:\n", "    if False:\n"),
            Mutation(
                "force changes all",
                "{key: told for key, told in differing.items() if not _may_change(settings)(key)}",
                "{}",
            ),
            Mutation("trained on without an optimizer", "    if is_trained:\n", "    if False:\n"),
            Mutation("looks after training", ', "trainer", "eval.every", "eval.validation_episodes")', ', "trainer")'),
            Mutation("another machine is another run", '    "model.device",\n', ""),
            Mutation("a longer run is another run", '    "updates",\n', ""),
            Mutation("another seed is the same run", '    "threads",\n', '    "threads",\n    "seed",\n'),
            Mutation("its own directory is another", 'Path(str(normal["output"])).resolve() == run.resolve()', "False"),
            Mutation("any directory is its own", 'Path(str(normal["output"])).resolve() == run.resolve()', "True"),
            Mutation(
                "plug-ins' defaults are unknown",
                "dict(flattened(each.complete()))",
                'dict(flattened(each.model_dump(mode="json")))',
            ),
            Mutation(
                "dropped keys are no difference",
                "keys = [*new, *(key for key in old if key not in new)]",
                "keys = [*new]",
            ),
            Mutation("shapes may change", "<= {float, type(None)}", "<= {float, int, type(None)}"),
            Mutation("what may be none may not change", "<= {float, type(None)}", "<= {float}"),
            Mutation("what begins alike may change", 'key.startswith(f"{name}.")', "key.startswith(name)"),
            Mutation("everything of rollout may change", '"rollout.concurrency",', '"rollout",'),
            Mutation("the run is not locked", "    with run.locked():\n", "    with contextlib.nullcontext():\n"),
            Mutation("another model", "        fingerprint.check(run, settings.model.id, reporter.note)\n", ""),
            Mutation("the weights of before", "policy_dir=policy, ", ""),
            Mutation("nothing seeded", "    seed_all(settings.seed)\n", ""),
            Mutation("a run hangs for ever", ", beat=watchdog.beat)", ")"),
            Mutation("trained after all", 'is_trained=stage in ("after", "done")', 'is_trained=stage == "done"'),
            Mutation("new settings are not kept", "            if settings != has:\n", "            if False:\n"),
            Mutation("kept where nothing changed", "            if settings != has:\n", "            if True:\n"),
            Mutation(
                "newer ones stay",
                "    for path in checkpoint.clean(bench.run.checkpoints, at, corrupt=bench.run.corrupt):\n",
                "    for path in ():\n",
            ),
            Mutation("policies stay", "    bench.kept.discard_unused()\n", ""),
            Mutation("erased", "            run.refuse_erasing()\n", "            pass\n"),
            Mutation("any state", ", check=standing.check)", ")"),
            Mutation(
                "code is not told",
                "            reporter.note(places.told_code(directory, code))\n",
                "            pass\n",
            ),
            Mutation("TensorBoard shows it twice", "    bench.run.draw_tensorboard_anew()\n", ""),
            Mutation(
                "the oldest settings are replaced", "    if not (run.directory / old).exists():\n", "    if True:\n"
            ),
            Mutation("old settings are lost", "        run.write_json(old, run.config)\n", "        pass\n"),
        ),
    ),
    Module(
        "agentgym/launch/resolving.py",
        (f"{UNIT}/test_settings.py",),
        (
            Mutation("training forgets how its run talks", "given = merged(_spoken_by(given), given)\n", "pass\n"),
            Mutation("examples of another environment", 'if own["env"]["id"] != chosen_id(given, "env"):', "if False:"),
            Mutation("a trainer without wishes", '{"id": trainer, **wishes}', '{"id": trainer}'),
            Mutation("wishes overrule the user", "else {}, given]", "else {}, given][::-1]"),
            Mutation("wishes for all", 'if chosen_id(given, "model") == "nano" else {}', "if True else {}"),
            Mutation("filters are trained with", "    refuse_filters(settings.rollout)\n", ""),
            Mutation("modes decide nothing", "    play_ahead(settings)\n", ""),
            Mutation("idle curricula", "    refuse_idle_curriculum(settings)\n", ""),
            Mutation(
                "unknown options",
                "        settings = decided(given)\n        settings.complete()\n",
                "        settings = decided(given)\n",
            ),
            Mutation(
                "defaults count as set",
                '    settings.warm_start.__pydantic_fields_set__ = set(given.get("warm_start", {}))\n',
                "",
            ),
            Mutation(
                "lora is lost",
                'merged(full, {"model": {"lora": full.pop("lora")}}) if "lora" in full else full',
                "full",
            ),
            Mutation(
                "a warm start without wishes",
                '        {"warm_start": _nano("trainers", "sft")},  # which the warm start is\n',
                "",
            ),
            Mutation(
                "an engine's wishes for the model", '{"id": "nano", **_nano("engines", engine)}', '{"id": "nano"}'
            ),
            Mutation("nano is not finished", '    if model == "nano":\n        raise', "    if False:\n        raise"),
            Mutation("keys of any kind", "        checked(kind, chosen)\n", ""),
            Mutation("measured by another seed", '"seed": seed}', '"seed": 0}'),
            Mutation(
                "the run overrules the user",
                "merged(of_run, _anew(in_full(given)), own)",
                "merged(_anew(in_full(given)), of_run, own)",
            ),
            Mutation("without its policy", '    if not (Path(model) / "policy").is_dir():\n', "    if False:\n"),
            Mutation(
                "training limits when measured",
                "            shared[key] = _shared(value, group)\n",
                "            pass\n",
            ),
        ),
    ),
    Module(
        "agentgym/launch/starting.py",
        (f"{UNIT}/test_starting.py",),
        (
            Mutation("a taken directory", "    refuse_taken(output)\n", ""),
            Mutation("initial weights by chance", "    seed_all(settings.seed)\n", ""),
            Mutation("a run hangs for ever", "assembled(settings, beat=watchdog.beat)", "assembled(settings)"),
            Mutation("nothing is refused", "            await _refuse(bench, stages)\n", ""),
            Mutation("no fingerprint", "                    model=fingerprint.of_model(settings.model.id),\n", ""),
            Mutation("no places", "                    places=places.relative(config, run.directory),\n", ""),
            Mutation("not begun", "                training.begin()\n", ""),
            Mutation("an engine that cannot learn", "    if parts.engine.why_untrainable:\n", "    if False:\n"),
            Mutation(
                "a warm start that is none",
                "    if keys and not isinstance(stages[0], WarmStart):\n",
                "    if False:\n",
            ),
            Mutation("switched off is a key", '{"enabled"}', "set()"),
            Mutation(
                "too large is fine",
                "refuse_too_large(settings, parts, train.trainer.settings, episodes=episodes)",
                '""',
            ),
            Mutation(
                "refused after the warm start",
                "    train.open()  # what the trainer refuses is refused now, not after the warm start\n",
                "    train.open() if len(stages) == 3 else None\n",
            ),
            Mutation(
                "tried out and left open", "    finally:\n        await train.close()\n", "    finally:\n        pass\n"
            ),
            Mutation(
                "time is no bound",
                "min(stage.max_updates, math.ceil(settings.max_seconds / _SHORTEST_UPDATE))",
                "stage.max_updates",
            ),
            Mutation("a full disk is fine", "    refuse_full_disk(bench.run.directory, needed)\n", ""),
            Mutation("one checkpoint counts", "keep=settings.keep_checkpoints,", "keep=1,"),
            Mutation(
                "the trainer's lines alone",
                "updates=sum(learning.values())",
                "updates=train.max_updates",
            ),
            Mutation(
                "updates for episodes",
                "sum(updates * played[stage] for stage, updates in learning.items())",
                "sum(learning.values())",
            ),
            Mutation("no look at the end", "looks=1 + learning", "looks=learning"),
            Mutation("looks are not kept", "num_trained + looks * settings.eval.validation_episodes", "num_trained"),
            Mutation("tests are not kept", " + 4 * settings.eval.episodes", ""),
            Mutation("all are kept", "return settings.archive.keep * num", "return num"),
            Mutation(
                "context of the engine",
                "(settings.rollout.context_tokens or parts.engine.max_context)",
                "parts.engine.max_context",
            ),
            Mutation("nobody is watched", "Watchdog(settings.watchdog_seconds, ", "Watchdog(None, "),
            Mutation("warnings are not told", "        reporter.note(parts.warning)\n", "        pass\n"),
            Mutation("the trainer is not asked", "    trainer.check(tokenizer)\n", ""),
            Mutation("the imitator is not asked", "        imitator.check(tokenizer)\n", ""),
            Mutation("warm at the end", "[*warm, before, train, Measure", "[before, *warm, train, Measure"),
            Mutation("what does not change is measured", "if not trainer.trains_policy:", "if False:"),
            Mutation("tested once", 'train, Measure(bench, "after")]', "train]"),
            Mutation(
                "nobody was imitated", 'Measure(bench, "before", has_teacher=has_teacher)', 'Measure(bench, "before")'
            ),
            Mutation("nobody to imitate", "    if needs_expert and not has_expert:\n", "    if False:\n"),
            Mutation("the imitator needs nobody", "has_teacher = imitator.needs_expert", "pass"),
            Mutation(
                "a choice is overruled",
                "    if settings.warm_start.enabled is not None:\n        return settings.warm_start.enabled\n",
                "",
            ),
            Mutation("all are warmed", 'settings.model.id == "nano" and has_expert', "has_expert"),
            Mutation("imitation before imitation", "has_expert and not issubclass(trainer, SFT)", "has_expert"),
            Mutation("warmed by nobody", "has_expert and not issubclass(trainer, SFT)", "not issubclass(trainer, SFT)"),
        ),
    ),
    Module(
        "agentgym/launch/scout.py",
        (f"{UNIT}/test_scout.py",),
        (
            Mutation("asked before it is reset", "        await self.reset(seed=0)\n", ""),
            Mutation("asked again and again", "            if split not in self._tasks:\n", "            if split:\n"),
            Mutation("a look at another task", 'next(iter(self.tasks("train")), None)', "None"),
            Mutation("no turn is taken", "        await self.step((seen", "        ((seen"),
            Mutation("what hangs goes on", "            self._host.kill()\n", ""),
            Mutation("it stays open", "        await scout.close()\n", "        pass\n"),
            Mutation("turns without end", " and self.now.num_turns < self._host.max_turns", ""),
        ),
    ),
    Module(
        "agentgym/launch/speech.py",
        ("tests/unit/test_cli.py",),
        (
            Mutation(
                "always single bytes",
                "        if model is None:\n            return ChatTokenizer(byte_tokenizer())",
                "        if True:\n            return ChatTokenizer(byte_tokenizer())",
            ),
            Mutation(
                "always the same protocol", "build(settings.protocol.id, settings.protocol.options)", 'build("plain")'
            ),
        ),
    ),
    Module(
        "agentgym/launch/merging.py",
        (f"{UNIT}/test_merging.py",),
        (
            Mutation("the adapter is lost", "policy.module.merge_and_unload()", "policy.module.unload()"),
            Mutation("whatever comes out", "if not merged < _CLOSE:", "if False:"),
            Mutation("always float32", "    policy.module.to(dtype)\n", "    pass\n"),
            Mutation("a run of no policy is a model", "if is_run and place == source:", "if False:"),
            Mutation("full directories", "if output.is_dir() and not any(output.iterdir()):", "if output.is_dir():"),
            Mutation("no directory is new", "if os.path.lexists(output):", "if output.is_dir():"),
            Mutation("a byte more", "if needed > free:", "if needed >= free:"),
            Mutation("in four bytes", "return dtype.itemsize *", "return 4 *"),
            Mutation("the base stays whole", "tensor.mul_(1 - math.fsum(weights))", "tensor.mul_(1)"),
            Mutation("models weigh alike", "add_(tensor, alpha=weight)", "add_(tensor)"),
            Mutation("sum for the mean", "return [1 / num] * num", "return [1.0] * num"),
            Mutation("other words are taken", "if one.tokenizer.fingerprint != other", "if False and other"),
            Mutation("other architectures are taken", "if types[0] != types[1]:", "if False:"),
            Mutation("too many weights", "if len(given) != num:", "if len(given) < num:"),
            Mutation("adapters beside", "        _merged(policy, place, torch.float32)\n", "        pass\n"),
        ),
    ),
    Module(
        "agentgym/launch/room.py",
        (f"{UNIT}/test_room.py",),
        (
            Mutation(
                "frozen weights are trained",
                "parameter for parameter in module.parameters() if parameter.requires_grad]",
                "parameter for parameter in module.parameters()]",
            ),
            Mutation("one optimizer", "for each in (learner, *further))", "for each in (learner,))"),
            Mutation(
                "no critic",
                "[*(each.module for each in further), *trainer.modules().values()]",
                "[*trainer.modules().values()]",
            ),
            Mutation(
                "no reference",
                "[*(each.module for each in further), *trainer.modules().values()]",
                "[*(each.module for each in further)]",
            ),
            Mutation("no tokenizer", "policy=_saved(policy) + _tokenizer(policy)", "policy=_saved(policy)"),
            Mutation("a byte a token", "int(episode_tokens * _TOKEN)", "int(episode_tokens)"),
            Mutation("one is gone before", "(self.keep + 1) * self.checkpoint", "self.keep * self.checkpoint"),
            Mutation("no second best", "(self.keep + 3) * self.policy", "(self.keep + 1) * self.policy"),
            Mutation("no episodes", " + self.lines + self.episodes", " + self.lines"),
            Mutation("no metrics", " + self.lines + self.episodes", " + self.episodes"),
            Mutation("just as much is too little", "    if needed.total <= free:\n", "    if needed.total < free:\n"),
            Mutation("nothing is refused", "    if needed.total <= free:\n", "    if True:\n"),
            Mutation("of another disk", "if path.is_dir())", 'if path == Path("/"))'),
            Mutation("shared tensors twice", "{id(tensor): tensor for tensor in tensors}.values()", "list(tensors)"),
            Mutation("the base of an adapter", "if p.requires_grad or not is_adapter)", ")"),
            Mutation("frozen weights are not saved", "if p.requires_grad or not is_adapter)", "if p.requires_grad)"),
            Mutation("lines of one update", "lines=updates * _LINES", "lines=_LINES"),
            Mutation("one session", "sessions=episodes,", "sessions=1,"),
            Mutation("as many as may be", "return min(settings.rollout.concurrency, most)", "return most"),
            Mutation("looks are not counted", "most = max(an_update, *(", "most = max(an_update, *() or ("),
            Mutation("more than there are tasks", "(min(num, len(parts.env.tasks(split)))", "(num"),
            Mutation("nobody plays ahead", 'if settings.mode != "sync":', "if False:"),
            Mutation("a context that was given", "max_context=given or min(", "max_context=min("),
            Mutation(
                "caches of any length",
                "min(parts.engine.max_context, trainer.max_microbatch_tokens)",
                "parts.engine.max_context",
            ),
            Mutation(
                "activations anyway",
                "gradient_checkpointing=trainer.gradient_checkpointing",
                "gradient_checkpointing=False",
            ),
            Mutation("fine arithmetic", 'autocast=trainer.precision == "bfloat16"', "autocast=False"),
            Mutation("weights twice", '    del needed["weights"]\n', ""),
            Mutation("too large is fine", "    footprint.check_fits(needed, module.device)\n", ""),
        ),
    ),
    Module(
        "agentgym/launch/settings.py",
        (f"{UNIT}/test_settings.py", f"{UNIT}/test_written.py"),
        (
            Mutation(
                "patience without rewards",
                'if self.rollout.changed("shaping_seconds") and not self.rewards:',
                "if False:",
            ),
            Mutation("rewards without weights", '{"weight": reward.weight, **', "{**"),
            Mutation(
                "a model without its own", 'written["model"] = {"id": model.id, **_dumped(_of_model(model))}', "pass"
            ),
            Mutation("weights change under it", '{"own_copy": True} if ahead else {}', "{}"),
            Mutation("a copy for all", '{"own_copy": True} if ahead else {}', '{"own_copy": True}'),
            Mutation("sessions of any number", '{"max_sessions": sessions, **', "{**"),
            Mutation("plug-ins without their own", "**_dumped(plugins(kind).checked(id, options))}", "**options}"),
        ),
    ),
    Module(
        "agentgym/launch/sections.py",
        (f"{UNIT}/test_settings.py",),
        (
            Mutation(
                "observations kept for nothing",
                'if self.changed("keep_observations") and self.on_overflow != "keep-last":',
                "if False:",
            ),
            Mutation(
                "no observation is kept",
                "keep_observations: int = Field(2, ge=1)",
                "keep_observations: int = Field(2, ge=0)",
            ),
            Mutation(
                "greedy training", "temperature: float = Field(1.0, gt=0)", "temperature: float = Field(1.0, ge=0)"
            ),
            Mutation(
                "one invalid action",
                "max_invalid_actions: int | None = Field(None, ge=0)",
                "max_invalid_actions: int | None = Field(None, ge=1)",
            ),
            Mutation(
                "looks at nothing",
                "validation_episodes: int = Field(100, ge=1)",
                "validation_episodes: int = Field(100, ge=0)",
            ),
            Mutation("a look every 0", "every: int = Field(10, ge=1)", "every: int = Field(10, ge=0)"),
            Mutation(
                "more than all are kept", "keep: float = Field(1.0, ge=0, le=1)", "keep: float = Field(1.0, ge=0)"
            ),
        ),
    ),
    Module(
        "agentgym/launch/parts.py",
        (f"{UNIT}/test_parts.py",),
        (
            Mutation("threads of before", "        torch.set_num_threads(settings.threads)\n", "        pass\n"),
            Mutation("closed after what it runs on", "        closing.push_async_callback(env.close)  #", "        #"),
            Mutation("the engine stays", "        closing.push_async_callback(engine.close)\n", ""),
            Mutation("the rollout stays", "        closing.push_async_callback(rollout.close)\n", ""),
            Mutation("the engine is not started", "        await engine.start()\n", ""),
            Mutation(
                "an engine that does not start stays",
                "        closing.push_async_callback(engine.close)\n        await engine.start()\n",
                "        await engine.start()\n        closing.push_async_callback(engine.close)\n",
            ),
            Mutation(
                "invalid actions when measured",
                "limits=dataclasses.replace(limits, max_invalid_actions=None)",
                "limits=limits",
            ),
            Mutation("a weight of one", "settings.rewards[name].weight, shaper", "1.0, shaper"),
            Mutation("any number at once", "            concurrency=settings.rollout.concurrency,\n", ""),
            Mutation("in the loop", "            where=settings.rollout.hosts,\n", ""),
            Mutation("no sign of life", "            beat=beat,\n", ""),
            Mutation(
                "tokens for bytes",
                "engine.max_context * (_BYTES_A_TOKEN if engine.speaks_text else 1)",
                "engine.max_context",
            ),
            Mutation(
                "bytes for tokens",
                "engine.max_context * (_BYTES_A_TOKEN if engine.speaks_text else 1)",
                "engine.max_context * _BYTES_A_TOKEN",
            ),
            Mutation("not tried out", "tried = await _try_out(parts)", "tried = _Tried()"),
            Mutation("what breaks is tried out", "        if played.stop_reason.is_void:\n", "        if False:\n"),
            Mutation(
                "what cannot judge is tried out",
                "        if played.shaping_error is not None:\n",
                "        if False:\n",
            ),
            Mutation(
                "a whole episode",
                "limits = dataclasses.replace(parts.limits, max_turns=1)",
                "limits = parts.limits",
            ),
            Mutation(
                "pictures that nobody sees",
                "    if parts.policy.tokenizer.sees_images:\n        raise",
                "    if False:\n        raise",
            ),
            Mutation("another version", "self.engine.take(version, self", "self.engine.take(0, self"),
            Mutation("limits: turns", "        max_turns=rollout.max_turns,\n", ""),
            Mutation("limits: tokens", "        max_reply_tokens=rollout.max_reply_tokens,\n", ""),
            Mutation("limits: invalid actions", "        max_invalid_actions=rollout.max_invalid_actions,\n", ""),
            Mutation("limits: steps", "        step_seconds=rollout.step_seconds,\n", ""),
            Mutation("limits: episodes", "        episode_seconds=rollout.episode_seconds,\n", ""),
            Mutation("limits: judges", "        shaping_seconds=rollout.shaping_seconds,\n", ""),
            Mutation("limits: context", "        context_tokens=rollout.context_tokens,\n", ""),
            Mutation("limits: overflow", "        on_overflow=rollout.on_overflow,\n", ""),
            Mutation("limits: observations", "        keep_observations=rollout.keep_observations,\n", ""),
        ),
    ),
    Module(
        "agentgym/launch/models.py",
        (f"{UNIT}/test_models.py",),
        (
            Mutation(
                "from the beginning again",
                "source = policy_dir or policy_source(model.id)",
                "source = policy_source(model.id)",
            ),
            Mutation("adapters for all", "wants_new = hf.lora and policy_dir", "wants_new = policy_dir"),
            Mutation(
                "adapters on adapters", "wants_new = hf.lora and policy_dir is None and (", "wants_new = hf.lora and ("
            ),
            Mutation(
                "nano anew",
                '    if policy_dir is not None:\n        return load_policy(policy_dir, device="cpu")\n',
                "",
            ),
            Mutation(
                "nano of one seed",
                "build_model(len(tokenizer), nano, seed=seed)",
                "build_model(len(tokenizer), nano, seed=0)",
            ),
            Mutation("idle keys of pictures", "    if idle := nano.model_fields_set & {", "    if idle := set() & {"),
            Mutation(
                "no step size", '        "learning_rate": settings.learning_rate,\n', '        "learning_rate": 1e-5,\n'
            ),
            Mutation("no warm-up", '        "warmup_updates": settings.warmup_updates,\n', ""),
            Mutation("no schedule", '        "schedule": settings.schedule,\n', ""),
            Mutation("no precision", '        "precision": settings.precision,\n', ""),
            Mutation("no checkpointing", '        "gradient_checkpointing": settings.gradient_checkpointing,\n', ""),
            Mutation("no decay", '        "weight_decay": settings.weight_decay,\n', ""),
            Mutation("no clipping", '        "max_grad_norm": settings.max_grad_norm,\n', ""),
            Mutation("no bound of memory", '        "max_microbatch_tokens": settings.max_microbatch_tokens,\n', ""),
            Mutation("no aggregation", '        "aggregation": settings.aggregation,\n', ""),
            Mutation("no constant", '        "max_tokens_constant": settings.aggregation_tokens,\n', ""),
            Mutation("changes are overruled", "{**given, **changes}", "{**changes, **given}"),
            Mutation(
                "the user's sessions are overruled",
                "{**engine_defaults(choice.id, sessions=sessions, ahead=ahead), **choice.options}",
                "{**choice.options, **engine_defaults(choice.id, sessions=sessions, ahead=ahead)}",
            ),
            Mutation("the engine plays ahead in turns", 'ahead=settings.mode != "sync" or is_spread)', "ahead=True)"),
            Mutation(
                "a server's model here", "bool(factory.has_own_model) and not is_ours", "bool(factory.has_own_model)"
            ),
            Mutation(
                "a model without a name",
                'choice.model_copy(update={"model": settings.model.id, **choice.options})',
                "choice",
            ),
        ),
    ),
    Module(
        "agentgym/launch/fingerprint.py",
        (f"{UNIT}/test_fingerprint.py",),
        (
            Mutation("templates do not count", '".json", ".txt", ".jinja", ".model"', '".json", ".txt", ".model"'),
            Mutation("tokens do not count", '".json", ".txt", ".jinja", ".model"', '".txt", ".jinja", ".model"'),
            Mutation(
                "sentence pieces do not count", '".json", ".txt", ".jinja", ".model"', '".json", ".txt", ".jinja"'
            ),
            Mutation("merges do not count", '".json", ".txt", ".jinja", ".model"', '".json", ".jinja", ".model"'),
            Mutation("weights do not count", ' or path.suffix == ".safetensors")', ")"),
            Mutation("names alone", "if files.get(name) != now.get(name))", "if (name in files) != (name in now))"),
            Mutation("what is new does not count", "files.keys() | now.keys()", "files.keys()"),
            Mutation("what is gone does not count", "files.keys() | now.keys()", "now.keys()"),
            Mutation("the size does not count", "hashlib.sha256(str(size).encode())", "hashlib.sha256()"),
            Mutation(
                "the beginning alone", "stream.seek(max(0, size - _PIECE) * index // (_PIECES - 1))", "stream.seek(0)"
            ),
            Mutation("not to the end", "* index // (_PIECES - 1))", "* index // _PIECES)"),
            Mutation("a part of a file", "hashlib.sha256(file.read_bytes())", "hashlib.sha256(file.read_bytes()[:64])"),
            Mutation("a model that moved", "source.resolve())", "source)"),
            Mutation(
                "gone is changed",
                '        note(f"the model that the run began with is gone',
                '        raise UserError(f"the model that the run began with is gone',
            ),
        ),
    ),
    Module(
        "agentgym/tokenizer.py",
        (f"{UNIT}/test_fingerprint.py",),
        (
            Mutation("ids mean anything", "sorted(vocabulary.items())", "sorted(vocabulary)"),
            Mutation("ids alone", "sorted(vocabulary.items())", "sorted(vocabulary.values())"),
        ),
    ),
    Module(
        "agentgym/learn/trainer.py",
        ("tests/unit/learn/test_trainer.py",),
        (
            Mutation("one pass", "for epoch in range(self.settings.epochs):", "for epoch in range(1):"),
            Mutation(
                "one order for all passes", 'seed_of("minibatches", update, epoch)', 'seed_of("minibatches", update)'
            ),
            Mutation(
                "one order for all updates", 'seed_of("minibatches", update, epoch)', 'seed_of("minibatches", epoch)'
            ),
            Mutation("empty parts are learned", "filter(teaches, chunks)", "chunks"),
            Mutation("another objective", "objective or self.objective", "self.objective"),
            Mutation("the last for the mean", "sum(metrics[name] for metrics in seen) / len(seen)", "seen[-1][name]"),
            Mutation(
                "the sum for the mean",
                "sum(metrics[name] for metrics in seen) / len(seen)",
                "sum(metrics[name] for metrics in seen)",
            ),
            Mutation("a step a pass", "self.settings.epochs * self.settings.minibatches", "self.settings.epochs"),
            Mutation("units are parted", '("row", index) if row.unit is None else row.unit', '("row", index)'),
            Mutation("rows without a unit are one", '("row", index) if row.unit is None else row.unit', "row.unit"),
            Mutation("one part is shuffled", "    if num == 1:\n", "    if num == 0:\n"),
            Mutation(
                "never shuffled", "np.random.default_rng(seed).permutation(len(members))", "np.arange(len(members))"
            ),
            Mutation("whoever plays otherwise plays ahead", "type(self).play is Trainer.play", "True"),
            Mutation("nobody plays ahead", "type(self).play is Trainer.play", "False"),
            Mutation(
                "an episode too few",
                "players.policy(self.specs(update, players.draws))",
                "players.policy(self.specs(update, players.draws)[1:])",
            ),
            Mutation(
                "another update's episodes",
                "players.policy(self.specs(update, players.draws))",
                "players.policy(self.specs(0, players.draws))",
            ),
        ),
    ),
    Module(
        "agentgym/learn/saved.py",
        ("tests/unit/learn/test_checkpoint.py",),
        (
            Mutation(
                "no weights of a critic",
                "    if weights:\n        tensors.write_weights(directory / _WEIGHTS, learner.module)\n",
                "",
            ),
            Mutation("weights stay", "            put_weights()\n", "            pass\n"),
            Mutation(
                "moments stay",
                '        learner.optimizer.load_state_dict({**learner.optimizer.state_dict(), "state": state})\n',
                "",
            ),
            Mutation("steps stay", "        learner.num_updates = num_updates\n", ""),
            Mutation(
                "step sizes of before",
                '{**learner.optimizer.state_dict(), "state": state}',
                '{"state": state, "param_groups": [{**group, "lr": 0.01} for'
                ' group in learner.optimizer.state_dict()["param_groups"]]}',
            ),
            Mutation(
                "shapes are not looked at",
                "        if wanted is not None:\n            stored.check",
                "        if False:\n            stored.check",
            ),
            Mutation(
                "unknown parameters are passed over",
                "        if parameter not in places:\n            raise",
                "        if parameter not in places:\n            continue\n            raise",
            ),
            Mutation("steps of anything", '    if not isinstance(found.get("num_updates"), int):\n', "    if False:\n"),
            Mutation(
                "moments of another parameter",
                "state.setdefault(places[parameter], {})",
                "state.setdefault(len(places) - 1 - places[parameter], {})",
            ),
        ),
    ),
    Module(
        "agentgym/learn/checkpoint.py",
        ("tests/unit/learn/test_checkpoint.py",),
        (
            Mutation("overwritten", "while world.is_first and directory.exists():", "while False:"),
            Mutation(
                "written where it stands",
                "            return sealed.seal(directory, fill)\n",
                "            directory.mkdir(parents=True)\n            return fill(directory) or directory\n",
            ),
            Mutation("no policy", '    policy.save(directory / "policy")\n', '    (directory / "policy").mkdir()\n'),
            Mutation(
                "no weights of a critic",
                'weights=name != "policy")\n    for name, module',
                "weights=False)\n    for name, module",
            ),
            Mutation("no chance", '"rng": _rng_state(),', '"rng": {},'),
            Mutation("no memory", '"trainer": trainer.state() if trainer else {},', '"trainer": {},'),
            Mutation("a second policy", '    if "policy" in further:\n', "    if False:\n"),
            Mutation("any name", '    if not re.fullmatch(r"\\w[\\w.-]*", name):\n', "    if False:\n"),
            Mutation("read unseen", "    if World.here().is_first:\n        sealed.check(directory)\n", ""),
            Mutation("other learners", '    _check_names(directory, "learners", own["learners"], learners)\n', ""),
            Mutation("other modules", '    _check_names(directory, "modules", own["modules"], modules)\n', ""),
            Mutation(
                "modules stay", "    for put in puts:\n        put()\n", "    for put in puts[:-1]:\n        put()\n"
            ),
            Mutation("memory stays", '        trainer.load_state(own["trainer"])\n', "        pass\n"),
            Mutation(
                "changed before all is read",
                "    puts += [\n",
                "    for put in puts:\n        put()\n    puts += [\n",
            ),
            Mutation("chance stays", '    _set_rng_state(own["rng"])\n', ""),
            Mutation("Python's chance stays", "    random.setstate((version, tuple(keys), gauss))\n", ""),
            Mutation("NumPy's chance stays", '    np.random.set_state(tuple(state["numpy"]))\n', ""),
            Mutation("torch's chance stays", '    torch.set_rng_state(_bytes(state["torch"]))\n', ""),
            Mutation("the oldest", "for path in reversed(finished(parent)):", "for path in finished(parent):"),
            Mutation("half-written ones are finished", ' and not path.name.startswith("."))', ")"),
            Mutation("the newest whatever it is", "            check(path)\n", "            pass\n"),
            Mutation("passed over in silence", "            if note:\n", "            if False:\n"),
            Mutation("another layout is none", "    if of_other_layout:\n        raise of_other_layout\n", ""),
            Mutation("half-written ones stay", "            _delete_half_written(path)\n", "            pass\n"),
            Mutation("newer ones stay", "(used is None or path.name > used.name)", "used is None"),
            Mutation("the used one goes", "path.name > used.name)", "path.name >= used.name)"),
            Mutation("moved over another", "            while target.exists():\n", "            while False:\n"),
            Mutation("deleted with what hides", 'if path.name.endswith(".partial"):', "if True:"),
            Mutation(
                "one too many", "for path in finished(parent)[:-keep]:", "for path in finished(parent)[: -keep - 1]:"
            ),
            Mutation("the newest go", "for path in finished(parent)[:-keep]:", "for path in finished(parent)[keep:]:"),
        ),
    ),
    Module(
        "agentgym/launch/served.py",
        ("tests/unit/launch/test_served.py",),
        (
            Mutation("the first of several", "    if len(served) != 1:\n", "    if not served:\n"),
            Mutation("a name is not looked up", "        if name not in served:\n", "        if False:\n"),
            Mutation("no key is sent", " if key else {}", " if False else {}"),
            Mutation("one key for all", 'str(options.get("api_key_env", _KEY))', "_KEY"),
            Mutation("another engine will do", '    if id != "openai":\n', "    if False:\n"),
        ),
    ),
)
