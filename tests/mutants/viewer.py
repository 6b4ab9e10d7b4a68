"""What of runs is shown to people: the viewer's page, its server, reports, and play from a turn on record."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_VIEWS = ("tests/unit/viewer/test_views.py",)

MODULES = (
    Module(
        "agentgym/archive/criteria.py",
        ("tests/unit/archive/test_criteria.py",),
        (
            Mutation("tasks are numbers alone", "task IN (?, ?)", "task IN (?, NULL AND ?)"),
            Mutation("what is void is not", "(condition if wanted else", "(condition if not wanted else"),
            Mutation("unread replies are valid", " + coalesce(num_unread, 0)", ""),
            Mutation("a bound is left out", '(">=", f"min_{name}")', '(">", f"min_{name}")'),
            Mutation(
                "errors are spelled", "instr(lower(coalesce(error, '')), lower(?))", "instr(coalesce(error, ''), ?)"
            ),
            Mutation("nothing is asked for by nothing", 'if value not in (None, "")', "if value is not None"),
            Mutation("the order is that of writing", 'way = "DESC" if self.descending else "ASC"', 'way = "ASC"'),
            Mutation("after includes it", '"number > ?"', '"number >= ?"'),
        ),
    ),
    Module(
        "agentgym/archive/reader.py",
        ("tests/unit/archive/test_reader.py",),
        (
            Mutation("numbers are cut", "if end < len(self._rest):", "if True:"),
            Mutation("all is decompressed", "while num > 0:", "while True:"),
            Mutation("the rest is not fetched", " or self._whole()[self._taken :][:_SLICE]", ""),
            Mutation(
                "the rest is fetched again", "rest, self._remaining = self._remaining, None", "rest = self._remaining"
            ),
            Mutation("turns are read once", "return self._turns[first : first + num]", "return self._turns[first:]"),
            Mutation("an empty episode has a turn", 'self._next_turn(self._peek() == "]")', "self._next_turn(False)"),
            Mutation("columns are text", 'data.partition(b"\\n")[0]', "data"),
        ),
    ),
    Module(
        "agentgym/viewer/guard.py",
        ("tests/unit/viewer/test_server.py",),
        (
            Mutation("any name will do", "not in _OWN:", "in ():"),
            Mutation("any token will do", "slash and secrets.compare_digest(given.encode(), token.encode())", "slash"),
            Mutation("pages of others may ask", 'not in ("none", "same-origin")', "in ()"),
            Mutation("a browser is told nothing", '*message.get("headers", []), *own]', '*message.get("headers", [])]'),
            Mutation("what is wrong is answered", "    if status:\n", "    if False:\n"),
        ),
    ),
    Module(
        "agentgym/viewer/server.py",
        ("tests/unit/viewer/test_server.py",),
        (
            Mutation("everything is sent", "        if name not in files:\n", "        if False:\n"),
            Mutation("the token is known", "secrets.token_urlsafe(18)", '"agentgym-view-of-a-run"'),
            Mutation("errors are found", "status = 400 if", "status = 404 if"),
        ),
    ),
    Module(
        "agentgym/viewer/views.py",
        _VIEWS,
        (
            Mutation("blanks are left out", "keep_blank_values=True", "keep_blank_values=False"),
            Mutation("what is missing is not named", 'startswith("missing")', 'startswith("absent")'),
        ),
    ),
    Module(
        "agentgym/viewer/sources.py",
        _VIEWS,
        (
            Mutation("one run of a folder", "return found\n    return [path]", "return found[:1]\n    return [path]"),
            Mutation(
                "any tokenizer will do",
                "(with_added_tokens=True)) == fingerprint:",
                "(with_added_tokens=True)) != fingerprint:",
            ),
            Mutation("a missing tokenizer is remembered", "return None  # it may be written yet", "pass"),
            Mutation("a number from the end", "if not 0 <= place < len(self):", "if not place < len(self):"),
        ),
    ),
    Module(
        "agentgym/viewer/runs.py",
        _VIEWS,
        (
            Mutation("nan is drawn", " and math.isfinite(value)", ""),
            Mutation("nothing goes on", '"going_on": finished is None', '"going_on": finished is not None'),
            Mutation("training before validation", 'latest.get("validation") or ', ""),
        ),
    ),
    Module(
        "agentgym/viewer/episodes.py",
        _VIEWS,
        (
            Mutation("seeds are numbers", '"seed": str(card.seed),', ""),
            Mutation("words are patterns", "text if is_regex else regex.escape(text)", "text"),
            Mutation("capitals count", ", regex.IGNORECASE)", ")"),
            Mutation(
                "a search begins again",
                "archive.browse(wanted, offset=at, limit=_AT_ONCE)",
                "archive.browse(wanted, limit=_AT_ONCE)",
            ),
            Mutation("a search has no end", '"next": at if at < total else None', '"next": at'),
            Mutation("the place is off", "begin = start - max(0, start - _AROUND)", "begin = start"),
            Mutation(
                "errors are not read",
                'for field in ("final_observation", "error"):',
                'for field in ("final_observation",):',
            ),
        ),
    ),
    Module(
        "agentgym/viewer/episode.py",
        _VIEWS,
        (
            Mutation("all is told at once", "return message[:_LETTERS]", "return message"),
            Mutation("the end comes first", "if first + len(turns) >= card.num_turns:", "if True:"),
            Mutation("turns begin at 0", "_turn(first + place, turn)", "_turn(place, turn)"),
            Mutation("the rest has no end", "end if end < len(whole) else None", "end"),
            Mutation("there is something to play", "    if not source.is_run:\n", "    if False:\n"),
        ),
    ),
    Module(
        "agentgym/viewer/tokens.py",
        _VIEWS,
        (
            Mutation("rewards are advantages", "[value - mean for value in pooled[own]]", "pooled[own]"),
            Mutation("void ones are compared", "card.group_id or card.stop_reason.is_void", "card.group_id"),
            Mutation(
                "tokens of all turns", "np.nonzero(sample.turn_index == turn)", "np.nonzero(sample.turn_index >= 0)"
            ),
            Mutation("words run together", "    if last is None:\n        return own\n", "    return own\n"),
        ),
    ),
    Module(
        "agentgym/viewer/groups.py",
        _VIEWS,
        (
            Mutation("the ledger is not asked", 'entry is not None and entry.fate == "rejected"', "False"),
            Mutation("void ones are not told", "    if void:\n", "    if False:\n"),
            Mutation("clipped tokens are not told", "    if clip:\n", "    if False:\n"),
            Mutation("one is a group", "if len(fit) < 2:", "if len(fit) < 1:"),
            Mutation("all groups are chosen", "if taught is None or told", "if True or told"),
            Mutation("masked ones are not told", 'if masked and not told["taught"]:', "if False:"),
        ),
    ),
    Module(
        "agentgym/viewer/tasks.py",
        _VIEWS,
        (Mutation("the difference is turned", "now[name] - was[name]", "was[name] - now[name]"),),
    ),
    Module(
        "agentgym/viewer/trees.py",
        _VIEWS,
        (
            Mutation("every group is a tree", "Criteria(branched=True)", "Criteria()"),
            Mutation("another turn is seen", '"turn": int(turn)}', '"turn": int(turn) + 1}'),
        ),
    ),
    Module(
        "agentgym/viewer/bundle.py",
        ("tests/unit/viewer/test_export.py",),
        (
            Mutation("data ends its element", '.replace("<", "\\\\u003c")', ""),
            Mutation("any script runs", "script-src '{_digest(script)}'", "script-src 'unsafe-inline'"),
            Mutation("what is not found is left", "        if not found:\n", "        if False:\n"),
        ),
    ),
    Module(
        "agentgym/viewer/export.py",
        ("tests/unit/viewer/test_export.py",),
        (
            Mutation("more than may be", "if len(found) < num:", "if True:"),
            Mutation("the odd ones are left out", "(Criteria(void=True), share),", ""),
            Mutation("branches are left out", "(Criteria(branched=True), share),", ""),
        ),
    ),
    Module(
        "agentgym/repl/retracing.py",
        ("tests/unit/repl/test_retracing.py",),
        (
            Mutation("nothing is compared", "if found != recorded:", "if False:"),
            Mutation(
                "the last moment is not compared",
                "        if self._until < len(self._episode.turns):\n",
                "        if False:\n",
            ),
            Mutation(
                "what could not be read is played", "if turn.action is not None and not turn.is_summary:", "if True:"
            ),
            Mutation("to begin again is to retrace", "        self._is_there = True\n", ""),
            Mutation("options are forgotten", "{**self._options, **(", "{**("),
            Mutation("help is no matter", "        if episode.strength:\n", "        if False:\n"),
        ),
    ),
    Module(
        "agentgym/reports/page.py",
        ("tests/unit/reports/test_page.py",),
        (
            Mutation(
                "what was seen is markup",
                "<p>{escape(_clipped(turn.observation))}</p>",
                "<p>{_clipped(turn.observation)}</p>",
            ),
            Mutation("what was said is markup", "{escape(_clipped(turn.reply))}", "{_clipped(turn.reply)}"),
            Mutation("cells are markup", "{escape(str(cell))}", "{cell}"),
            Mutation("means are sums", "if key in _MEANS else 1", "if False else 1"),
            Mutation("the ledger is in order", 'if "problem" in ledger:', "if False:"),
        ),
    ),
    Module(
        "agentgym/reports/curve_svg.py",
        ("tests/unit/reports/test_page.py",),
        (
            Mutation("nan is a point", " and math.isfinite(line[key])", ""),
            Mutation("what does not change has no room", "    if low == high:\n", "    if False:\n"),
            Mutation("every alarm is drawn", "        if scale.x0 <= at <= scale.x1\n", ""),
            Mutation("a band goes forward", "in reversed(curve.band)]", "in curve.band]"),
        ),
    ),
    Module(
        "agentgym/reports/notable.py",
        ("tests/unit/reports/test_page.py",),
        (
            Mutation(
                "experts are looked at",
                '{"role": "policy", "stage": "train", "split": "train"}',
                '{"stage": "train", "split": "train"}',
            ),
            Mutation(
                "once for each reason", "found.setdefault(card.number, (why, card))", "found[card.number] = (why, card)"
            ),
            Mutation("only training is looked at", "        common = {}\n", "        pass\n"),
        ),
    ),
    Module(
        "agentgym/launch/retyped.py",
        ("tests/unit/launch/test_retyped.py",),
        (
            Mutation("everything is typed", "if key not in own or own[key] != value}", "}"),
            Mutation("ids are left out", 'if _differs(key, each["id"], plain)}', "if False}"),
        ),
    ),
)
