"""An environment played by hand: what is taken back, shown and interrupted."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/repl/game.py",
        ("tests/unit/repl/test_game.py",),
        (
            Mutation(
                "one turn more is taken back",
                "max(1, len(self.moments) - num_turns)",
                "max(1, len(self.moments) - num_turns - 1)",
            ),
            Mutation(
                "the reset is taken back", "max(1, len(self.moments) - num_turns)", "len(self.moments) - num_turns"
            ),
            Mutation("branches grow", "self.branches[name] = list(self.moments)", "self.branches[name] = self.moments"),
            Mutation("a branch is played on", "self.moments = list(moments)", "self.moments = moments"),
            Mutation(
                "the environment stays where it is", "        await self._safely(lambda: self._load(moments[-1]))\n", ""
            ),
            Mutation(
                "the last reward again", "dataclasses.replace(self.now.standing, reward=0.0)", "self.now.standing"
            ),
            Mutation(
                "a complaint is an observation",
                "told = protocol.refused(str(turn.problem), turn.observation)",
                "told = protocol.shown(turn.observation)",
            ),
            Mutation(
                "what had no effect is a complaint",
                "turn.action is None and turn.problem is not None",
                "turn.problem is not None",
            ),
            Mutation("replies are put anew", "turn.reply if turn.reply is not None else ", ""),
            Mutation(
                "a failed start changes the seed",
                "        self.moments = [await self._safely(begin)]\n",
                "        self.seed = seed\n        self.moments = [await self._safely(begin)]\n",
            ),
            Mutation(
                "the seed is not handed on", "self._visit.reset(chosen, seed)", "self._visit.reset(chosen, self.seed)"
            ),
            Mutation(
                "the split goes before the task",
                "if task is not None:\n                chosen",
                "if task is not None and split is None:\n                chosen",
            ),
            Mutation(
                "always the first task", "TaskOrder(self.env.tasks(split), seed=seed)[0]", "self.env.tasks(split)[0]"
            ),
            Mutation("goes on after the end", "if self.now.standing.is_over:", "if self.now.standing.truncated:"),
            Mutation("nothing is put back", "            after = await self._recover()\n", '            after = ""\n'),
            Mutation(
                "a cancelled turn is not put right",
                "except (Exception, KeyboardInterrupt, asyncio.CancelledError)",
                "except (Exception, KeyboardInterrupt)",
            ),
            Mutation(
                "what cannot be saved cannot be played",
                "        except Exception:  # an author's",
                "        except SnapshotError:  # an author's",
            ),
            Mutation(
                "names that are numbers are numbers", "numbered and isinstance(typed, str)", "isinstance(typed, str)"
            ),
            Mutation("nobody knows where", "f' ({where})' if where else ''", "''"),
        ),
    ),
    Module(
        "agentgym/repl/interrupt.py",
        ("tests/unit/repl/test_interrupt.py",),
        (
            Mutation("cancelled at every press", " and not self._turn.cancelling()", ""),
            Mutation(
                "raised at every press",
                "            self._open = None\n            raise KeyboardInterrupt",
                "            raise KeyboardInterrupt",
            ),
            Mutation(
                "raised in whatever runs",
                "self._open is not None and asyncio.current_task() is self._open",
                "self._open is not None",
            ),
            Mutation(
                "stays open",
                "        finally:\n            self._open = None\n",
                "        finally:\n            pass\n",
            ),
            Mutation(
                "the loop sleeps on",
                "            self._turn.get_loop().call_soon_threadsafe(lambda: None)  # wakes it\n",
                "",
            ),
            Mutation(
                "the turn is left running", "            turn.cancel()\n            await asyncio.wait({turn})\n", ""
            ),
            Mutation(
                "the turn is not waited for",
                "            await asyncio.wait({turn})\n            raise",
                "            raise",
            ),
        ),
    ),
    Module(
        "agentgym/repl/policy.py",
        ("tests/unit/repl/test_policy.py",),
        (
            Mutation("always greedy", "temperature=self.temperature,", "temperature=0.0,"),
            Mutation("the same draw each time", "seed_of(self.seed, draw)", "seed_of(self.seed)"),
            Mutation("all policies draw alike", "seed_of(self.seed, draw)", "seed_of(draw)"),
            Mutation("the session is kept", "            self.engine.release(session)\n", "            pass\n"),
            Mutation("one session for all", 'f"repl/{draw}"', '"repl"'),
            Mutation(
                "the context is not looked at",
                "max(1, min(self.max_tokens, self.engine.max_context - len(prompt.token_ids)))",
                "self.max_tokens",
            ),
            Mutation(
                "the end is not scored",
                "[*self.tokenizer.encode_reply(reply, after=stream.text), self.tokenizer.stop_token_ids[0]]",
                "self.tokenizer.encode_reply(reply, after=stream.text)",
            ),
            Mutation("the prompt is scored as well", "[len(prompt.token_ids) :])", ")"),
            Mutation("tools are not shown", "stream.extend(messages, tools)", "stream.extend(messages)"),
            Mutation(
                "the last log-prob for the sum",
                "return sum(logprob for _, logprob in self.tokens)",
                "return self.tokens[-1][1] if self.tokens else 0",
            ),
            Mutation("seeds where there are none", " if self.engine.supports_seeds else None", ""),
        ),
    ),
    Module(
        "agentgym/repl/screen.py",
        ("tests/unit/repl/test_screen.py",),
        (
            Mutation("the sum for the reward", 'f"reward {now.reward:g}{detail}', 'f"reward {now.total:g}{detail}'),
            Mutation("the last reward for the sum", "total reward {now.total:g}", "total reward {now.reward:g}"),
            Mutation("the sum of the history", 'f"{moment.standing.total:g}")', 'f"{moment.standing.reward:g}")'),
            Mutation("every end is a success", '"success" if now.success else', '"success" if now.is_over else'),
            Mutation("the least likely first", "key=lambda pair: -pair[1]", "key=lambda pair: pair[1]"),
            Mutation("one action more", "admissible[:limit], 1)", "admissible[: limit and limit + 1], 1)"),
            Mutation("actions from 0 on", "enumerate(admissible[:limit], 1)", "enumerate(admissible[:limit])"),
            Mutation("escape codes get through", "_CONTROL.sub(", 're.sub("x^", '),
            Mutation("told a turn late", "game.num_turns == game.env.max_turns", "game.num_turns > game.env.max_turns"),
        ),
    ),
    Module(
        "agentgym/repl/shell.py",
        ("tests/unit/repl/test_shell.py",),
        (
            Mutation("always one turn back", "self.game.undo(max(1, _number(n)))", "self.game.undo()"),
            Mutation("undo of none", "max(1, _number(n))", "_number(n)"),
            Mutation("the task stays with another split", "split=name, task=None", "split=name"),
            Mutation("numbers from 0 on", "admissible[int(line) - 1]", "admissible[int(line) % len(admissible)]"),
            Mutation(
                "one number too many", "1 <= int(line) <= len(admissible)", "1 <= int(line) <= len(admissible) + 1"
            ),
            Mutation("an action that is a number is none", " and line not in admissible", ""),
            Mutation(
                "only up to where a rollout ends",
                "self.game.num_turns < self.game.env.max_turns",
                "self.game.num_turns <= self.game.env.max_turns",
            ),
            Mutation("plays on after the end", "while not self.game.now.standing.is_over and", "while"),
            Mutation(
                "the expert goes before the policy", 'who or ("policy" if self.policy else "expert")', 'who or "expert"'
            ),
            Mutation("blanks have odds", " if not _BLANK.search(action)]", "]"),
            Mutation("the first that begins so", "if len(close) != 1:", "if not close:"),
            Mutation(
                "a failure ends the game",
                "        except Exception as error:  # a broken",
                "        except ZeroDivisionError as error:  # a broken",
            ),
            Mutation(
                "the reply is played as it is",
                "self.game.hear(reply.text, policy.protocol)",
                "self.game.act(Action(reply.text))",
            ),
        ),
    ),
    Module(
        "agentgym/repl/terminal.py",
        ("tests/unit/repl/test_terminal.py",),
        (
            Mutation(
                "what contains the line comes first",
                "key=lambda candidate: not candidate",
                "key=lambda candidate: candidate",
            ),
            Mutation("nothing is echoed", "        echo(prompt + line)\n", ""),
            Mutation(
                "an empty line is the end",
                "        if not line:\n            raise EOFError",
                "        if not line.strip():\n            raise EOFError",
            ),
            Mutation(
                "a read cannot be broken off",
                "        with interrupt.open():\n            line",
                "        if True:\n            line",
            ),
            Mutation("a pipe is a terminal", " and sys.stdout.isatty()", ""),
            Mutation(
                "the person's line cannot be cancelled",
                "await interrupt.turn(session.prompt_async(prompt, handle_sigint=False))",
                "await session.prompt_async(prompt, handle_sigint=False)",
            ),
        ),
    ),
    Module(
        "agentgym/repl/playing.py",
        ("tests/unit/repl/test_playing.py",),
        (
            Mutation(
                "the environment stays open",
                "        await play_in(made, policy)\n    finally:\n        await Visit(made).close()\n",
                "        await play_in(made, policy)\n    finally:\n        pass\n",
            ),
            Mutation(
                "the temperature is not handed on",
                "            temperature=temperature,\n            max_tokens",
                "            max_tokens",
            ),
            Mutation("the limit is not handed on", "            max_tokens=parts.limits.max_reply_tokens,\n", ""),
            Mutation(
                "the model is of another seed",
                "settings_for(settings, model, seed=seed, kind",
                "settings_for(settings, model, seed=0, kind",
            ),
            Mutation("the game is of another seed", "split=split, seed=seed) if", "split=split) if"),
            Mutation("options are dropped", "make(choice.id, **choice.options)", "make(choice.id)"),
        ),
    ),
)
