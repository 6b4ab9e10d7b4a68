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
                "        moments = [await self._safely(begin)]\n",
                "        self.seed = seed\n        moments = [await self._safely(begin)]\n",
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
        "agentgym/repl/game.py",
        ("tests/unit/repl/test_telling.py",),
        (
            Mutation("what is left is forgotten", "            self.left.append(self.moments)\n", "            pass\n"),
            Mutation(
                "one that is found is passed over",
                "line[: numbers.index(number) + 1]",
                "line[: numbers.index(number) or 1]",
            ),
            Mutation(
                "tokens are forgotten",
                "                spoken=spoken,\n                number",
                "                number",
            ),
            Mutation(
                "all have one number",
                "                number=next(self._numbers),\n            )",
                "                number=0,\n            )",
            ),
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
            Mutation("a turn within a turn is the last", "            self._turn = around\n", "            pass\n"),
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
                "[*self.tokenizer.encode_reply(reply, after=after), self.tokenizer.stop_token_ids[0]]",
                "self.tokenizer.encode_reply(reply, after=after)",
            ),
            Mutation("the prompt is scored as well", "[len(prompt.token_ids) :])", ")"),
            Mutation("tools are not shown", "stream.extend(messages, tools)", "stream.extend(messages)"),
            Mutation(
                "the last log-prob for the sum",
                "return sum(logprob for _, logprob in self.tokens)",
                "return self.tokens[-1][1] if self.tokens else 0",
            ),
            Mutation(
                "half a letter is told",
                '        if piece.endswith("\\N{REPLACEMENT CHARACTER}") and',
                "        if False and",
            ),
            Mutation("tokens are told alone", "text.removeprefix(self._told) if text.startswith(self._told) else", ""),
            Mutation("nobody hears", "            self.hear(piece, logprob)\n", "            pass\n"),
            Mutation("seeds where there are none", " if self.engine.supports_seeds else None", ""),
        ),
    ),
    Module(
        "agentgym/repl/screen.py",
        ("tests/unit/repl/test_screen.py",),
        (
            Mutation("the sum for the reward", 'f"reward {now.reward:g}{detail}', 'f"reward {now.total:g}{detail}'),
            Mutation("the last reward for the sum", "total reward {now.total:g}", "total reward {now.reward:g}"),
            Mutation("every end is a success", '"success" if now.success else', '"success" if now.is_over else'),
            Mutation("one action more", "admissible[:limit], 1)", "admissible[: limit and limit + 1], 1)"),
            Mutation("actions from 0 on", "enumerate(admissible[:limit], 1)", "enumerate(admissible[:limit])"),
            Mutation("escape codes get through", "_CONTROL.sub(", 're.sub("x^", '),
            Mutation("told a turn late", "game.num_turns == game.env.max_turns", "game.num_turns > game.env.max_turns"),
        ),
    ),
    Module(
        "agentgym/repl/tables.py",
        ("tests/unit/repl/test_screen.py", "tests/unit/repl/test_telling.py", "tests/unit/repl/test_speaking.py"),
        (
            Mutation(
                "the sum of the history",
                'f"{standing.reward:g}", f"{standing.total:g}")',
                'f"{standing.reward:g}", f"{standing.reward:g}")',
            ),
            Mutation("the least likely first", "key=lambda pair: -pair[1]", "key=lambda pair: pair[1]"),
            Mutation("the token instead of itself", "if pair[0] != place.token]", "]"),
            Mutation("channels add up", '*("" for _ in channels)', '*("1" for _ in channels)'),
            Mutation(
                "what was not understood is rewarded again",
                "if isinstance(found, Mapping) and is_of_turn else",
                "if isinstance(found, Mapping) else",
            ),
            Mutation("every moment is new", "            if moment.number in grown:\n                continue\n", ""),
            Mutation("here is everywhere", "moment.number == game.now.number", "True"),
            Mutation("all have a column", "[side for side in sides if side.logprobs]", "list(sides)"),
        ),
    ),
    Module(
        "agentgym/repl/shell.py",
        ("tests/unit/repl/test_shell.py",),
        (
            Mutation("always one turn back", "self.game.undo(max(1, number(n)))", "self.game.undo()"),
            Mutation("undo of none", "max(1, number(n))", "number(n)"),
            Mutation("the task stays with another split", "split=name, task=None", "split=name"),
            Mutation("numbers from 0 on", "admissible[int(line) - 1]", "admissible[int(line) % len(admissible)]"),
            Mutation(
                "one number too many", "1 <= int(line) <= len(admissible)", "1 <= int(line) <= len(admissible) + 1"
            ),
            Mutation("an action that is a number is none", " and line not in admissible", ""),
            Mutation("the first that begins so", "if len(close) != 1:", "if not close:"),
            Mutation(
                "a failure ends the game",
                "        except Exception as error:  # a broken",
                "        except ZeroDivisionError as error:  # a broken",
            ),
        ),
    ),
    Module(
        "agentgym/repl/shell.py",
        ("tests/unit/repl/test_rescue.py",),
        (
            Mutation("nothing is rescued", "            self._rescue()\n", "            pass\n"),
            Mutation("nothing is rescued too", "if self.game.num_turns:", "if True:"),
        ),
    ),
    Module(
        "agentgym/repl/speaking.py",
        ("tests/unit/repl/test_shell.py", "tests/unit/repl/test_speaking.py"),
        (
            Mutation(
                "only up to where a rollout ends",
                "self.game.num_turns >= self.game.env.max_turns",
                "self.game.num_turns > self.game.env.max_turns",
            ),
            Mutation("plays on after the end", "(self.game.now.standing.is_over or", "("),
            Mutation(
                "the expert goes before the policy", 'who or ("policy" if self.policy else "expert")', 'who or "expert"'
            ),
            Mutation("blanks have odds", " if not BLANK.search(action)]", "]"),
            Mutation(
                "the reply is played as it is",
                "self.game.hear(reply.text, policy.protocol, spoken=reply)",
                "self.game.act(Action(reply.text), spoken=reply)",
            ),
            Mutation("what was edited has tokens", "reply if text == reply.text else None", "reply"),
            Mutation(
                "the reply is what it was",
                "self.game.hear(text, policy.protocol",
                "self.game.hear(reply.text, policy.protocol",
            ),
            Mutation(
                "looked into after it was said",
                "self.game.conversation(policy.protocol, before=1)",
                "self.game.conversation(policy.protocol)",
            ),
            Mutation("what was broken off goes on", "            voice.fall_silent()\n", "            pass\n"),
        ),
    ),
    Module(
        "agentgym/repl/searching.py",
        ("tests/unit/repl/test_speaking.py",),
        (
            Mutation("the search begins at the reset", "            await tree.descend(given)\n", "            pass\n"),
            Mutation("another state will do", "        if seen != str(moment.observation):\n", "        if False:\n"),
            Mutation("a search that never comes back", "if not search.comes_back:", "if False:"),
            Mutation("the whole line is told", "done[game.num_turns :]", "done"),
            Mutation("the least visited first", "(-child.visits, -child.value", "(child.visits, child.value"),
        ),
    ),
    Module(
        "agentgym/repl/telling.py",
        ("tests/unit/repl/test_telling.py",),
        (
            Mutation("the reset has hints", "for hint in told if self.game.num_turns else ():", "for hint in told:"),
            Mutation("no expert is no fault", "            if not told:\n                raise", "            pass"),
        ),
    ),
    Module(
        "agentgym/repl/transcript.py",
        ("tests/unit/repl/test_telling.py",),
        (
            Mutation("what is there is overwritten", 'file.open("x", encoding', 'file.open("w", encoding'),
            Mutation("nothing is compared", "    _compare(0, _seen(game.now.observation), head)\n", "    pass\n"),
            Mutation("the game stays where it differs", "            await game.return_to(before)\n", ""),
            Mutation("of any environment", '    if head["env"] != game.env.name:\n', "    if False:\n"),
            Mutation("of any format", '    if lines[0]["format"] != FORMAT:\n', "    if False:\n"),
            Mutation("rewards may differ", '"images", "reward", "terminated"', '"images", "terminated"'),
        ),
    ),
    Module(
        "agentgym/repl/pictures.py",
        ("tests/unit/repl/test_pictures.py",),
        (
            Mutation(
                "passed on by tmux", 'if not ("TMUX" in environ or term.startswith(("screen", "tmux"))):', "if True:"
            ),
            Mutation("a fourth kind is attribute 4", '.split(";")[1:]', '.split(";")'),
            Mutation("every chunk is the last", "m={int(i < last)}", "m=0"),
            Mutation("rows are seven apart", "range(0, height, 6)", "range(0, height, 7)"),
            Mutation("runs are one too long", 'f"!{num}{sixel}"', 'f"!{num + 1}{sixel}"'),
            Mutation(
                "written each time",
                "        if not file.exists():\n            file.write",
                "        if True:\n            file.write",
            ),
        ),
    ),
    Module(
        "agentgym/repl/session.py",
        ("tests/unit/repl/test_session.py",),
        (
            Mutation("the loop goes on", "            self._thread.join()\n", "            pass\n"),
            Mutation("markup gets through", "<pre>{html.escape(self)}</pre>", "<pre>{self}</pre>"),
            Mutation("what was shown stays", "        paper.clear()\n", ""),
            Mutation("pictures stay", "        self._pictures.clear()\n", ""),
        ),
    ),
    Module(
        "agentgym/repl/failures.py",
        ("tests/unit/repl/test_failures.py",),
        (
            Mutation("successes are opened", "if not episode.success and await", "if await"),
            Mutation("never enough", "        self.is_enough = True\n", ""),
            Mutation("nothing is played again", "len(episode.turns)), screen", "0), screen"),
            Mutation(
                "another seed",
                "                    seed=seed,\n                )",
                "                    seed=seed + 1,\n                )",
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
                "await interrupt.turn(session.prompt_async(prompt, default=text, handle_sigint=False))",
                "await session.prompt_async(prompt, default=text, handle_sigint=False)",
            ),
        ),
    ),
    Module(
        "agentgym/repl/playing.py",
        ("tests/unit/repl/test_playing.py",),
        (
            Mutation("the environment stays open", "        closing.push_async_callback(Visit(made).close)\n", ""),
            Mutation("the game is of another seed", "split=split, seed=seed) if", "split=split) if"),
            Mutation(
                "options are dropped", "made: Env = make(choice.id, **choice.options)", "made: Env = make(choice.id)"
            ),
        ),
    ),
    Module(
        "agentgym/repl/policies.py",
        ("tests/unit/repl/test_playing.py",),
        (
            Mutation("the temperature is not handed on", "        temperature=temperature,\n", ""),
            Mutation("the limit is not handed on", "        max_tokens=parts.limits.max_reply_tokens,\n", ""),
            Mutation(
                "the model is of another seed",
                "settings_for(settings, model, seed=seed, kind",
                "settings_for(settings, model, seed=0, kind",
            ),
        ),
    ),
)
