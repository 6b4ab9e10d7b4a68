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
                "self._made, self._rests_on_calls = [], False",
                "self._rests_on_calls = False",
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
                "            self._link = Link(self.address, timeout=self.timeout)\n            self._learn",
                "            self._link = Link(self.address, timeout=30.0)\n            self._learn",
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
            Mutation(
                "setup is left out", "            self._by_us(one)\n            self._rests", "            self._rests"
            ),
            Mutation(
                "nothing rests on setup",
                "self._by_us(one)\n            self._rests_on_calls = True",
                "self._by_us(one)",
            ),
            Mutation(
                "nothing rests on what the policy did",
                "not tool.repeatable:\n            self._rests_on_calls = True",
                "not tool.repeatable:\n            pass",
            ),
            Mutation(
                "everything rests on what it read",
                "self.task.check is not None and not tool.repeatable",
                "self.task.check is not None",
            ),
            Mutation(
                "without a check too", "self.task.check is not None and not tool.repeatable", "not tool.repeatable"
            ),
            Mutation("what rests on calls is called again", "self.address.url and self._rests_on_calls", "False"),
            Mutation("one of two tools", "if names.count(tool.name) > 1:", "if False:"),
            Mutation(
                "no warning",
                "        if self.left_out:\n            warnings",
                "        if False:\n            warnings",
            ),
            Mutation("a server without tools is fine", "if self.left_out and not usable:", "if False:"),
            Mutation(
                "left out and unknown", "                if name in self.left_out:\n", "                if False:\n"
            ),
            Mutation("the server says nothing", 'if link.instructions.strip() else ""', 'if False else ""'),
            Mutation("changes are passed over", "(always or link.tools_changed)", "always"),
            Mutation("tools are listed every time", "(always or link.tools_changed)", "True"),
            Mutation("tools of the server before", "self._follow(self._connect(), always=True)", "self._connect()"),
            Mutation("changes are not told", 'news, self._news = self._news, ""', 'news = ""'),
            Mutation("changes are told again", 'news, self._news = self._news, ""', "news = self._news"),
            Mutation(
                "variables that are not set", "            if name not in os.environ:\n", "            if False:\n"
            ),
            Mutation("env without a command", "if env is not None and command is None:", "if False:"),
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
            Mutation("the first page", "            if page.next_cursor is None or", "            if True or"),
            Mutation("the last page", "found += new", "found = new"),
            Mutation(
                "an empty cursor is the end",
                "            if page.next_cursor is None or",
                "            if not page.next_cursor or",
            ),
            Mutation("what an empty cursor repeats", 'if cursor != "" or tool not in found]', "]"),
            Mutation(
                "an empty cursor must be known", '                if cursor == "":\n', "                if False:\n"
            ),
            Mutation("any cursor may be unknown", '                if cursor == "":\n', "                if True:\n"),
            Mutation("a cursor may come twice", "while cursor not in seen:", "while True:"),
            Mutation("pages without end", "if len(seen) == _MAX_PAGES:", "if False:"),
            Mutation("no page is there twice", 'or (cursor == "" and not new)', ""),
            Mutation("progress is no sign of life", "            heard = self._loop.time()\n", "            pass\n"),
            Mutation("progress for ever", "heard + self.timeout or now >= began + longest:", "heard + self.timeout:"),
            Mutation("late calls go on", "                call.cancel()\n", ""),
            Mutation("the longest time is told of none", "if now < began + longest else longest)", ")"),
            Mutation("no variables", "{**dict(self.address.variables), MARK", "{MARK"),
            Mutation("no mark", ", MARK: self._mark}", "}"),
            Mutation("variables are shown", "default=(), repr=False)", "default=())"),
            Mutation("changes are not asked for", "if self._client.protocol_version not in versions:", "if True:"),
            Mutation(
                "changes are not heard",
                "async for _change in changes:\n                        self",
                "async for _change in changes:\n                        _ = self",
            ),
            Mutation("a stream that breaks off says nothing", "if began is not None and self", "if False and self"),
            Mutation("every stream that breaks off", "self._loop.time() >= began + _STREAM_SECONDS", "True"),
            Mutation("a server that is gone is there", "self._is_lost or began is not None", "self._is_lost"),
            Mutation("a server that tells nobody is gone", "self._is_lost or began is not None", "True"),
            Mutation(
                "late is lost", "if error.code == codes.REQUEST_TIMEOUT:", "if error.code == codes.CONNECTION_CLOSED:"
            ),
            Mutation("lost is refused", "error.code == codes.CONNECTION_CLOSED or error.message", "error.message"),
            Mutation(
                "a lost connection is open",
                "                self._is_lost = True\n                if self.address.url:",
                "                if self.address.url:",
            ),
            Mutation("always sent", "sent=not self._was_refused(error)", "sent=True"),
            Mutation("never sent", "sent=not self._was_refused(error)", "sent=False"),
            Mutation(
                "a closed one was sent to",
                "raise Lost(self._why(), sent=False)\n        return text_of",
                "raise Lost(self._why(), sent=True)\n        return text_of",
            ),
            Mutation(
                "a closed one is called",
                "        if not self.is_open:\n            raise Lost(self._why(), sent=False)\n",
                "",
            ),
            Mutation("groups are told", "        error = error.exceptions[0]\n", "        break\n"),
            Mutation("the reason is not waited for", "if self.address.url:  # the reason", "if False:  # the reason"),
            Mutation("notifications are no messages", "if isinstance(message, Exception):", "if True:"),
            Mutation("the beginning of what it wrote", '.strip(" ^~")][-3:]', '.strip(" ^~")][:3]'),
            Mutation("arguments are left out", "self._patient(tool, dict(arguments))", "self._patient(tool, {})"),
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
            Mutation("unknown arguments are sent", "if self.schema_of(name, patterns) is None:", "if False:"),
            Mutation("missing arguments are sent", "            if name not in read:\n", "            if False:\n"),
            Mutation("schemas are not looked at", "if problem is not None:", "if False:"),
            Mutation(
                "structure before text",
                "if not result.content and result.structured_content is not None:",
                "if result.structured_content is not None:",
            ),
            Mutation(
                "an empty structure is none", "result.structured_content is not None:", "result.structured_content:"
            ),
            Mutation("failures are answers", "if result.is_error:", "if False:"),
            Mutation(
                "resources are not shown", 'case "resource" if isinstance(', 'case "resource" if False and isinstance('
            ),
            Mutation("what links lead to is not told", "block.uri, block.name, block.description", "block.name"),
        ),
    ),
    Module(
        "environments/mcp/checker.py",
        (f"{_TESTS}checker.py",),
        (
            Mutation("references are tried again", "        if key not in self._known:\n", "        if True:\n"),
            Mutation("errors without end", "itertools.islice(errors, _MAX_ERRORS)", "errors"),
            Mutation(
                "what is unknown is no match",
                "self._patterns.found(pattern, value) is False",
                "not self._patterns.found(pattern, value)",
            ),
            Mutation("patterns are not looked at", "self._patterns.found(pattern, value) is False", "False"),
            Mutation("forms are not looked at", "if self._patterns.found(pattern, name):", "if False:"),
            Mutation("others are not refused", "            if one is False:\n", "            if False:\n"),
            Mutation(
                "the first check is the last",
                "        self._known, self._patterns = {}, Patterns()\n        try",
                "        try",
            ),
            Mutation("one draft", '() if "$schema" in schema else', "() if True else"),
        ),
    ),
    Module(
        "environments/mcp/wire.py",
        (f"{_TESTS}wire.py",),
        (
            Mutation("promises are kept", 'if key != "outputSchema"}', "}"),
            Mutation("schemas are as they come", 'tool["inputSchema"] = _of_object(tool["inputSchema"])', "pass"),
            Mutation("bad entries stay", "        if problem is None:\n", "        if True:\n"),
            Mutation("changes are not noticed", "            self.tools_changed = True\n", "            pass\n"),
            Mutation(
                "unknown blocks stay",
                'if isinstance(block, dict) and _problem("tools/call"',
                'if True or _problem("tools/call"',
            ),
            Mutation("bare text is none", "if isinstance(content, str | dict):", "if isinstance(content, dict):"),
            Mutation("structure of any form", 'not isinstance(result["structuredContent"], dict):', "False:"),
            Mutation("never is always", 'False: {"not": {}}', "False: {}"),
        ),
    ),
    Module(
        "environments/mcp/process.py",
        (f"{_TESTS}process.py",),
        (
            Mutation("all is kept", "(self._kept + piece)[-_KEPT:]", "(self._kept + piece)"),
            Mutation("the beginning is kept", "[-_KEPT:]", "[:_KEPT]"),
            Mutation("nothing is read as it comes", "loop.add_reader(self._read, self._take)", "pass"),
            Mutation("nothing is read when asked", "            while self._take():\n                continue\n", ""),
            Mutation("they are only asked", "(signal.SIGTERM, signal.SIGKILL)", "(signal.SIGTERM,)"),
            Mutation("they are not asked", "(signal.SIGTERM, signal.SIGKILL)", "(signal.SIGKILL,)"),
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
