"""What a page may ask for, what is told of it, how actions are read, and how MiniWoB is paid."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/browser"

MODULES = (
    Module(
        "agentgym/browser/lock.py",
        (f"{UNIT}/test_lock.py",),
        (
            Mutation("an origin is a beginning", 'r"(?:[/?#]|$)"', '""'),
            Mutation("a folder is a beginning", 'f"{folder.resolve().as_uri()}/"', 'f"{folder.resolve().as_uri()}"'),
            Mutation("an address is a pattern", "re.escape(_place(origin))", "_place(origin)"),
            Mutation("loopback passes by the proxy", '["<-loopback>", ', "["),
            Mutation("every port passes by the proxy", '"https": 443}', '"https": 80}'),
        ),
    ),
    Module(
        "agentgym/browser/tree.py",
        (f"{UNIT}/test_tree.py",),
        (
            Mutation("a budget is not kept", "return view.budget is None or", "return True or"),
            Mutation("words stay in the way", "dataclasses.replace(view, interactive=True)", "view"),
            Mutation("what is cut is not told", "(… {len(lines) - kept} more lines)", ""),
            Mutation("one line too few", "(middle, high) if _fits", "(middle, middle) if _fits"),
            Mutation("another page is compared", "before.page != seen.page or ", ""),
            Mutation(
                "levels are one too many",
                "view.depth is not None and depth > view.depth",
                "view.depth is not None and depth > view.depth + 1",
            ),
            Mutation("rows with buttons are words", "any(each.ref or each", "any(each"),
            Mutation("what is below is in view", "top < view_height and", "top < 10 * view_height and"),
        ),
    ),
    Module(
        "agentgym/browser/shots.py",
        (f"{UNIT}/test_shots.py",),
        (
            Mutation("all are marked", "if node.ref and _is_in(node, image)", "if _is_in(node, image)"),
            Mutation("small ones are made larger", "most is None or max(image.size) <= most", "most is None"),
            Mutation("the picture itself is drawn on", "image = image.copy()", "image = image"),
        ),
    ),
    Module(
        "agentgym/browser/spellings/calls.py",
        (f"{UNIT}/test_spellings.py",),
        (
            Mutation("numbers may be any", "fits and abs(value) <= _FARTHEST", "fits"),
            Mutation(
                "true is a number",
                "isinstance(value, kinds) and not isinstance(value, bool)",
                "isinstance(value, kinds)",
            ),
            Mutation("buttons may be any", "fits = value in get_args(Button)", "fits = True"),
            Mutation("a double click is one", "return Click(bid, button, 2)", "return Click(bid, button)"),
        ),
    ),
    Module(
        "agentgym/browser/spellings/commands.py",
        (f"{UNIT}/test_spellings.py",),
        (
            Mutation("up is down", '"up": (0, -_SCREEN)', '"up": (0, _SCREEN)'),
            Mutation(
                "typing replaces",
                "lambda at, text: Type(text, _target(at))",
                "lambda at, text: Fill(_target(at), text)",
            ),
            Mutation("brackets end a text", r'[r"\[(.*)\]"] * (count > 0)', r'[r"\[([^\]]*)\]"] * (count > 0)'),
        ),
    ),
    Module(
        "agentgym/browser/spellings/tools.py",
        (f"{UNIT}/test_spellings.py",),
        (
            Mutation("several calls are one", "if len(calls) > 1:", "if len(calls) > 99:"),
            Mutation("Enter is not pressed", "return Type(text, ref, submit)", "return Type(text, ref)"),
            Mutation("seconds are milliseconds", "return Wait(1000 * time)", "return Wait(time)"),
        ),
    ),
    Module(
        "environments/miniwob/page.py",
        ("tests/unit/environments/test_miniwob_env.py",),
        (
            Mutation("a mistake is paid", "max(0.0, self.raw) if self.done", "self.raw if self.done"),
            Mutation("paid before the end", " if self.done else 0.0", ""),
        ),
    ),
    Module(
        "environments/miniwob/experts/scene.py",
        ("tests/unit/environments/test_miniwob_env.py",),
        (
            Mutation("fields are filled again", "if node.value != text:", "if True:"),
            Mutation(
                "boxes are checked alone",
                '("checked" in node.states) != (node.name in wanted)',
                '("checked" not in node.states) and (node.name in wanted)',
            ),
        ),
    ),
    Module(
        "agentgym/browser/keeper.py",
        (f"{UNIT}/test_keeper.py",),
        (
            Mutation("it outlives its owner", "select.select([own, *watched], [], [])", "select.select([own], [], [])"),
            Mutation("what it has started stays", "_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)", "pass"),
            Mutation("the driver stays", "        _kill(driver)\n", "        pass\n"),
            Mutation(
                "profiles stay", "[*_profiles(flags), *([directory] if gone else [])]", "[directory] if gone else []"
            ),
            Mutation("an owner that lives loses its directory", "[directory] if gone else []", "[directory]"),
        ),
    ),
    Module(
        "agentgym/browser/shared.py",
        (f"{UNIT}/test_shared.py",),
        (
            Mutation("a dead one is kept", " or not self._running.is_alive)", ")"),
            Mutation("another one for each window", "self._running is but or not self", "self._running is but or self"),
        ),
    ),
    Module(
        "agentgym/browser/pages.py",
        (f"{UNIT}/test_pages.py",),
        (
            Mutation("pages without end", "if len(self._pages) >= MAX_PAGES:", "if False:"),
            Mutation("questions without end", "if self._num_dialogs > MAX_DIALOGS:", "if False:"),
            Mutation(
                "whoever waits is not told", "asyncio.wait([task, self._lost], timeout", "asyncio.wait([task], timeout"
            ),
            Mutation("what hangs goes on", "                task.cancel()\n", "                pass\n"),
            Mutation(
                "a lost browser is a lost page",
                "(PageLost if self._running.is_alive else BrowserLost)(why)",
                "PageLost(why)",
            ),
        ),
    ),
)
