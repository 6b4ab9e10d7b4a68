"""MCP: connections and what becomes of them, calls made again, tasks and how they are judged."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_mcp_"

MODULES = (
    Module(
        "environments/mcp/env.py",
        (f"{_TESTS}calls.py",),
        (
            Mutation(
                "calls of the episode before",
                "        self._made = []\n        if self.restart",
                "        if self.restart",
            ),
            Mutation(
                "refused calls count",
                "        text = self._call(tool, arguments)\n"
                "        self._made.append(CallSpec(name=tool.name, arguments=dict(arguments)))\n",
                "        self._made.append(CallSpec(name=tool.name, arguments=dict(arguments)))\n"
                "        text = self._call(tool, arguments)\n",
            ),
            Mutation(
                "the old connection stays",
                "    def _connect(self) -> Link:\n        self.close()\n",
                "    def _connect(self) -> Link:\n",
            ),
            Mutation(
                "a connection that ended is used", "self._link is None or not self._link.is_open", "self._link is None"
            ),
            Mutation(
                "a connection for every episode",
                "if self.restart or self._link is None or",
                "if True or self._link is None or",
            ),
            Mutation("nothing is started anew", "if self.restart or self._link is None", "if self._link is None"),
            Mutation(
                "what cannot be used stays open",
                "        except (Lost, EnvError, ToolError) as error:\n            self.close()\n",
                "        except (Lost, EnvError, ToolError) as error:\n",
            ),
            Mutation(
                "what has the wrong tools stays open",
                "        except UserError:\n            self.close()\n",
                "        except UserError:\n",
            ),
            Mutation(
                "another time-out at the start",
                "            self._link = Link(self.address, timeout=self.timeout)\n            self._remote",
                "            self._link = Link(self.address, timeout=30.0)\n            self._remote",
            ),
            Mutation(
                "another time-out later",
                "            self._link = Link(self.address, timeout=self.timeout)\n        except Lost as lost",
                "            self._link = Link(self.address, timeout=30.0)\n        except Lost as lost",
            ),
            Mutation(
                "closed and kept",
                "            self._link.close()\n            self._link = None",
                "            self._link.close()",
            ),
            Mutation(
                "forgotten and not closed",
                "            self._link.close()\n            self._link = None",
                "            self._link = None",
            ),
            Mutation("a command is called again", "if self.address.url and (tool.repeatable", "if (tool.repeatable"),
            Mutation("every call is made again", "(tool.repeatable or not lost.sent)", "True"),
            Mutation("only repeatable ones", "(tool.repeatable or not lost.sent)", "tool.repeatable"),
            Mutation("only those that were not sent", "(tool.repeatable or not lost.sent)", "not lost.sent"),
            Mutation("setup is left out", "        for one in self.task.setup:\n            self._by_us(one)\n", ""),
            Mutation("hidden tools are given", "set(wanted)) - hidden", "set(wanted))"),
            Mutation("the check is enough", "(expected is not None and not said(expected, self.words))", "False"),
            Mutation(
                "the answer is enough", "return 1.0 if check is None else", "return 1.0 if expected is not None else"
            ),
            Mutation("no goal is a success", "(expected is None and check is None) or", ""),
            Mutation("solutions from the beginning", "                del steps[0]\n", "                pass\n"),
            Mutation("any call moves on", "if steps and steps[0] == one:", "if steps:"),
            Mutation("an expert without a solution", "not any(task.solution for task in self.all_tasks)", "False"),
        ),
    ),
    Module(
        "environments/mcp/link.py",
        (f"{_TESTS}link.py",),
        (
            Mutation(
                "never closed",
                "            self._loop.call_soon_threadsafe(self._closing.set)\n",
                "            return\n",
            ),
            Mutation(
                "not waited for",
                "concurrent.futures.wait([_submitted(self._loop, self._wait_for_end())], timeout=_CLOSING_SECONDS)",
                "pass",
            ),
            Mutation("a file stays open", "        self._errors.close()\n\n    # --", "\n    # --"),
            Mutation("opening is not given up", "        self._held.cancel()\n", ""),
            Mutation(
                "answers are waited for without end", "read_timeout_seconds=self.timeout", "read_timeout_seconds=None"
            ),
            Mutation("opening has another time-out", "timeout=self.timeout, return_when", "timeout=30.0, return_when"),
            Mutation("the first page", "            if not cursor:\n", "            if True:\n"),
            Mutation("the last page", "found += page.tools", "found = page.tools"),
            Mutation(
                "late is lost", "if error.code == codes.REQUEST_TIMEOUT:", "if error.code == codes.CONNECTION_CLOSED:"
            ),
            Mutation("lost is refused", "error.code == codes.CONNECTION_CLOSED or error.message", "error.message"),
            Mutation("a lost connection is open", "                self._is_lost = True\n", ""),
            Mutation("always sent", "sent=not self._was_refused(error)", "sent=True"),
            Mutation("never sent", "sent=not self._was_refused(error)", "sent=False"),
            Mutation(
                "a closed one was sent to",
                "raise Lost(self._why(), sent=False)\n        return text_of",
                "raise Lost(self._why(), sent=True)\n        return text_of",
            ),
            Mutation(
                "a closed one is called",
                "        if self._held.done():\n            raise Lost(self._why(), sent=False)\n",
                "",
            ),
            Mutation("groups are told", "        error = error.exceptions[0]\n", "        break\n"),
            Mutation("the reason is not waited for", "if self.address.url:  # the reason", "if False:  # the reason"),
            Mutation("notifications are no messages", "if isinstance(message, Exception):", "if True:"),
            Mutation("the beginning of what it wrote", '.strip(" ^~")][-3:]', '.strip(" ^~")][:3]'),
            Mutation("what is closed is read", '        if self._errors.closed:\n            return ""\n', ""),
            Mutation("arguments are left out", "call_tool(tool, dict(arguments))", "call_tool(tool, {})"),
            Mutation("the command alone", "args=arguments, cwd", "args=[], cwd"),
        ),
    ),
    Module(
        "environments/mcp/remote.py",
        (f"{_TESTS}link.py",),
        (
            Mutation(
                "all hints are needed",
                "hints.read_only_hint or hints.idempotent_hint",
                "hints.read_only_hint and hints.idempotent_hint",
            ),
            Mutation("without hints it is repeatable", "bool(hints and (", "bool(hints is None or ("),
            Mutation(
                "open schemas are open",
                '.get("additionalProperties", False) is False',
                '.get("additionalProperties", True) is False',
            ),
            Mutation("missing arguments are sent", "            if name not in read:\n", "            if False:\n"),
            Mutation("schemas are not looked at", "if problem is not None:", "if False:"),
            Mutation(
                "structure before text",
                "if not parts and result.structured_content is not None:",
                "if result.structured_content is not None:",
            ),
            Mutation(
                "an empty structure is none", "result.structured_content is not None:", "result.structured_content:"
            ),
            Mutation("failures are answers", "if result.is_error:", "if False:"),
        ),
    ),
    Module(
        "environments/mcp/tasks.py",
        (f"{_TESTS}tasks.py",),
        (
            Mutation(
                "nine for training", '[*["train"] * 8, "validation", "test"]', '[*["train"] * 8, "test", "validation"]'
            ),
            Mutation("nothing may be expected", "texts is not None and not (texts and", "False and not (texts and"),
            Mutation("one text says something", "all(any(map(str.isalnum", "any(any(map(str.isalnum"),
            Mutation("any number is a score", "or not 0 <= value <= 1:", "or value < 0:"),
            Mutation(
                "success before reward",
                'value.get("reward", value.get("success", value.get("result")))',
                'value.get("success", value.get("reward", value.get("result")))',
            ),
            Mutation("ids are given twice", "        if task.id in seen:\n", "        if False:\n"),
            Mutation("lines are counted from 0", "enumerate(lines, 1)", "enumerate(lines, 0)"),
            Mutation("the check is the policy's", "*([self.check] if self.check else [])", ""),
        ),
    ),
)
