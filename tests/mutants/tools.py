"""Calls of tools, and protocols: what is read, what is a mistake, what is told and what is run."""

# ruff: noqa: RUF001

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/tools/calls.py",
        ("tests/unit/tools/test_calls.py",),
        (
            Mutation("an argument twice is the last", "        if name in arguments:\n", "        if False:\n"),
            Mutation(
                "no comma is needed",
                'elif text[position : position + 1] != ")":',
                "elif not text[position : position + 1]:",
            ),
            Mutation("quotes are part of the text", "if single := _SINGLE.match(text, start):", "if single := None:"),
            Mutation("quotes within quotes", "re.fullmatch(r\"'.*'\\s*\", bare[0], re.DOTALL)", "False"),
            Mutation("no line breaks in texts", "decoder=_LENIENT", "decoder=None"),
            Mutation(
                "the shortest name", "if text.startswith(name)), key=len", "if text.startswith(name)), key=lambda _: 0"
            ),
            Mutation(
                "what follows is passed over",
                "    if text[end:].strip():\n        found",
                "    if False:\n        found",
            ),
            Mutation("a name alone is words", "if bare == name or _OTHERWISE", "if _OTHERWISE"),
            Mutation("other ways are words", " or _OTHERWISE.match(text, len(name)):", ":"),
            Mutation(
                "remarks are calls", " or (start > len(name) and name.isalpha() and not _LIKE.match(text, start)):", ":"
            ),
            Mutation("calls among words are words", "if tools and (named :=", "if False and (named :="),
            Mutation("slips are words", " or _is_near(text[head.start(1) : head.end() - 1], tools)", ""),
            Mutation("code is words", " or (tools and _is_joined(text, head))", ""),
            Mutation("words are code", "or (tools and _is_joined(text, head))", "or _is_joined(text, head)"),
            Mutation("remarks are code", "return at_once and bool(_QUOTED", "return bool(_QUOTED"),
            Mutation("names in marks are words", "bare = text.strip(_MARKS)", "bare = text"),
            Mutation("any name is a tool's", "for name in found if name in tools), None)", "for name in found), None)"),
            Mutation("a blank is a slip", "name == name.rstrip() and bool", "bool"),
            Mutation("null is text", "|^(?:null)?\\Z", "|^\\Z"),
            Mutation("keys are never quoted", "argument if re.fullmatch(_PLAIN_KEY, argument) else", "argument or"),
            Mutation("bare values keep their blanks", "Untyped(bare[0].strip())", "Untyped(bare[0])"),
            Mutation("bare values are text", "return Untyped(bare[0].strip())", "return str(bare[0].strip())"),
            Mutation(
                "infinity is a number",
                "json.dumps(value, ensure_ascii=False, allow_nan=False).encode()",
                "json.dumps(value, ensure_ascii=False).encode()",
            ),
            Mutation(
                "half a character is text",
                "json.dumps(value, ensure_ascii=False, allow_nan=False).encode()",
                "json.dumps(value, ensure_ascii=False, allow_nan=False)",
            ),
            Mutation(
                "no calls are words", '        raise ToolError("The list of calls is empty.")\n', "        return []\n"
            ),
            Mutation(
                "only the first call",
                "return [call_of(one) for one in calls]",
                "return [call_of(one) for one in calls[:1]]",
            ),
            Mutation("names may be anything", 'isinstance(value.get("name"), str)', '"name" in value'),
            Mutation("arguments may be anything", "if isinstance(arguments, dict):", "if True:"),
            Mutation("other keys are passed over", "keys - _KEYS", "set()"),
            Mutation(
                "parameters are passed over",
                'value.get("arguments", value.get("parameters", {}))',
                'value.get("arguments", {})',
            ),
            Mutation("both words for arguments", '{"arguments", "parameters"} <= keys', "False"),
            Mutation("other types", 'value.get("type", "function") != "function"', "False"),
            Mutation("a name twice is the last", "if len(found) < len(pairs):", "if False:"),
            Mutation(
                "text after JSON",
                "        if text[end:].strip():\n            raise",
                "        if False:\n            raise",
            ),
            Mutation("the id is lost", "id=id if isinstance(id, str) else", "id="),
            Mutation("text before a call is fine", "head = _HEAD.match(text)", "head = _HEAD.search(text)"),
            Mutation("the empty text is bare", "|^(?:null)?\\Z", "|^(?:null)\\Z"),
            Mutation("blanks around are bare", " and value == value.strip()", ""),
            Mutation("commas are bare", 're.search(r"[,()]|^', 're.search(r"[()]|^'),
        ),
    ),
    Module(
        "agentgym/tools/tool.py",
        ("tests/unit/tools/test_tool.py", "tests/unit/tools/test_tool_schemas.py"),
        (
            Mutation("blanks of every call alone", "if name in self.named.first]", "if name in self.named.required]"),
            Mutation(
                "forms of names are passed over",
                "for pattern, is_match in matches.items() if is_match]",
                "for pattern, is_match in matches.items() if False]",
            ),
            Mutation(
                "what is not named is not there",
                "        if None in matches.values():  # who knows\n",
                "        if False:\n",
            ),
            Mutation("the rest is not there", "None if rest is False else rest", "None"),
            Mutation("a schema of nothing takes nothing", "(None if self.named.names_any else {})", "None"),
            Mutation("types are converted", "strict=True), **fields", "strict=False), **fields"),
            Mutation("unknown arguments are dropped", 'extra="forbid"', 'extra="ignore"'),
            Mutation("defaults are handed on", " if key in model.model_fields_set}", "}"),
            Mutation(
                "everything is required",
                "default = ... if parameter.default is parameter.empty else parameter.default",
                "default = ...",
            ),
            Mutation("the owner is an argument", ".parameters.values())[1:])", ".parameters.values()))"),
            Mutation(
                "required in the order of the schema",
                "[name for name in self.properties if name in self.named.required]",
                'list(self.parameters.get("required", ()))',
            ),
            Mutation("all arguments are blanks", "for name in needed)})", "for name in self.properties)})"),
            Mutation(
                "text is what it looks like", 'if any(text in one["enum"]', 'if False and any(text in one["enum"]'
            ),
            Mutation("infinity is a value", "        json.dumps(value, allow_nan=False)\n", ""),
            Mutation("typed values are read again", "if type(value) is Untyped\n", "if isinstance(value, str)\n"),
            Mutation("only the first problem", "error.errors()[:3]", "error.errors()[:1]"),
            Mutation("no description is fine", "        if not description:\n", "        if False:\n"),
            Mutation("null is text", 'if text == "null" and not any(', "if False and not any("),
            Mutation("null is no value of its own", "None not in one", "None is one"),
            Mutation("usage is left out", " Usage: {self.usage}", ""),
            Mutation("the schema is shared", "dict(parameters)\n", "parameters\n"),
            Mutation("any mark is one", "getattr(member, _MARK, False) is True", "bool(getattr(member, _MARK, False))"),
        ),
    ),
    Module(
        "agentgym/tools/schema.py",
        ("tests/unit/tools/test_schema.py",),
        (
            Mutation("loops are followed", "        if above & self._loop(node, base):\n", "        if False:\n"),
            Mutation(
                "every reference is written out", "        if above & self._loop(node, base):\n", "        if True:\n"
            ),
            Mutation("loops through values", "if self._loop(node, base) else self._whole", "if False else self._whole"),
            Mutation("steps do not count", "if self._steps > _MAX_STEPS:", "if False:"),
            Mutation("ids of the fourth draft", 'self.id_key = "id" if', 'self.id_key = "$id" if'),
            Mutation(
                "the same again is anything",
                "        if id(node) in above:\n            return _NOTHING\n",
                "        if id(node) in above:\n            return {}\n",
            ),
            Mutation("names are taken twice", "if name not in taken)", ")"),
            Mutation("escapes stay", "fragment = unquote(fragment)", "fragment = str(fragment)"),
            Mutation("slashes stay", '.replace("~1", "/")', ""),
            Mutation("anchors are unknown", 'for key in ("$anchor", "$dynamicAnchor"):', "for key in ():"),
            Mutation("addresses do not count", "urljoin(base, id).partition", "base.partition"),
            Mutation("without end", "if self._nodes > _MAX_NODES:", "if False:"),
        ),
    ),
    Module(
        "agentgym/tools/arguments.py",
        ("tests/unit/tools/test_arguments.py",),
        (
            Mutation("required in one way is always", "found.required & one.required", "found.required | one.required"),
            Mutation("all are required but in none", "a.required | b.required", "a.required & b.required"),
            Mutation("the last way", "            found.first,\n", "            one.first,\n"),
            Mutation("what may never be given", 'if one is False or one == {"not": {}}:', "if False:"),
            Mutation(
                "the narrower word on others",
                "rest for rest in said if rest is not False",
                "rest for rest in said if rest is False",
            ),
            Mutation(
                "references are not followed", "found = _both(found, self._referred_ways(_name_in(schema)))", "pass"
            ),
            Mutation("kinds that exclude each other", "return met if len(kinds) < 2", "return met if True"),
            Mutation("values of either", 'if value in b["enum"]]', "]"),
            Mutation("every way is told", "if len(found) == _MAX_WAYS:", "if False:"),
        ),
    ),
    Module(
        "agentgym/tools/patterns.py",
        ("tests/unit/tools/test_patterns.py",),
        (
            Mutation("for ever", "timeout=self._left, concurrent", "concurrent"),
            Mutation(
                "what follows has time of its own", "            self._left = 0.0\n", "            self._left = 1.0\n"
            ),
            Mutation("at the beginning alone", "compiled.search(", "compiled.match("),
        ),
    ),
    Module(
        "agentgym/tools/env.py",
        ("tests/unit/tools/test_env.py",),
        (
            Mutation(
                "refused calls are not counted",
                "            _count(channels, failed=True)\n            raise",
                "            raise",
            ),
            Mutation("no call fails", 'failed="invalid_action" in info)', "failed=False)"),
            Mutation("one call too many", "len(calls) > self.max_calls", "len(calls) > self.max_calls + 1"),
            Mutation("one call too few", "len(calls) > self.max_calls", "len(calls) >= self.max_calls"),
            Mutation("calls go on after a refusal", 'if "invalid_action" in info or self._over:', "if self._over:"),
            Mutation(
                "calls go on after the end",
                'if "invalid_action" in info or self._over:',
                'if "invalid_action" in info:',
            ),
            Mutation(
                "the last result alone", 'return told[0] if len(told) == 1 else "\\n".join(told)', "return told[-1]"
            ),
            Mutation("what did not run is not told", "        if len(told) < len(calls):\n", "        if False:\n"),
            Mutation("a refusal is not marked", 'info["invalid_action"] = result = str(error)', "result = str(error)"),
            Mutation("a mistake is not marked", '            info["invalid_action"] = str(error)\n', ""),
            Mutation("a bug is told to the policy", "except self.tool_errors as error", "except Exception as error"),
            Mutation(
                "every turn is judged",
                "if self._over else None\n        if verdict",
                "if True else None\n        if verdict",
            ),
            Mutation(
                "the end stays",
                '    async def _step(self, action: str) -> Step:\n        self.words, self._over = "", False',
                '    async def _step(self, action: str) -> Step:\n        self.words = ""',
            ),
            Mutation(
                "words stay",
                '    async def _step(self, action: str) -> Step:\n        self.words, self._over = "", False',
                "    async def _step(self, action: str) -> Step:\n        self._over = False",
            ),
            Mutation("success above 1 alone", "verdict >= 1", "verdict > 1"),
            Mutation(
                "text goes before calls",
                "(action.tool_calls if isinstance(action, Action) else ()) or self._written(action)",
                "self._written(action)",
            ),
            Mutation(
                "answers end the episode",
                "        if answer is None:\n            self.finish()\n",
                "        self.finish()\n",
            ),
            Mutation("words keep their blanks", "self.words = str(words).strip()", "self.words = str(words)"),
            Mutation("an observation's own actions are lost", "if known.admissible is None else known.admissible", ""),
            Mutation("an observation's own tools are lost", "known.tools or [", "["),
            Mutation("always the first task", "int(self.np_random.integers(len(tasks)))", "0"),
            Mutation("hooks cannot wait", "[*hooks, *functions]", "functions"),
            Mutation(
                "a step of its own is replaced",
                "                if name not in cls.__dict__:\n                    setattr",
                "                if True:\n                    setattr",
            ),
            Mutation("an end without a word", "            if self._over and not seen:\n", "            if False:\n"),
            Mutation("silence is an end", "if self._over and not seen:", "if not seen:"),
            Mutation("other forms are words", "if calls is None and (form :=", "if False and (form :="),
            Mutation("usage is not told", 'f"{error} Usage: {tool.usage}" if tool', "str(error) if tool"),
            Mutation("what may be left out is not told", 'if "?: " in tools else ""', 'if False else ""'),
            Mutation("nothing is null", '"done" if result is None else ', ""),
        ),
    ),
    Module(
        "agentgym/prompt.py",
        ("tests/unit/test_prompt.py",),
        (
            Mutation("any slot is text", "if name not in SLOTS and (hint", "if False and (hint"),
            Mutation(
                "a file that is not there is text",
                "    if is_meant:\n        raise ConfigError(f'",
                "    if False:\n        raise ConfigError(f'",
            ),
            Mutation("shots_from without shots", "if self.shots_from is not None and not self.shots:", "if False:"),
            Mutation("an example without rules", 'and "{rules}" not in self.system:', "and False:"),
            Mutation("an empty list is silent", 'observation.admissible or ["none"]', "observation.admissible"),
            Mutation("roles in any order", '("user", "assistant")[number % 2]', "role"),
            Mutation("the user has the last word", "    if len(shot) % 2:\n", "    if False:\n"),
        ),
    ),
    Module(
        "agentgym/protocol.py",
        ("tests/unit/test_prompt.py",),
        (
            Mutation("examples are lost", "return [*opening, *(dict(message)", "return [*opening] or [*(dict(message)"),
            Mutation("examples can be changed", "*(dict(message) for shot", "*(message for shot"),
            Mutation(
                "what belongs to one episode is lost", '"" if "{instructions}" in prompt.system else preface', '""'
            ),
            Mutation(
                "always told",
                'wanted = self.prompt.actions == "shown" or',
                'wanted = self.prompt.actions != "hidden" or',
            ),
            Mutation(
                "never told after a mistake", '"" if self.prompt.actions == "hidden" else listed(observation)', '""'
            ),
            Mutation("pictures are lost", "told))), images=observation.images)", "told))))"),
            Mutation("one word is spared", "if len(text.split()) > 1", "if text"),
        ),
    ),
    Module(
        "agentgym/tools/usage.py",
        ("tests/unit/tools/test_usage.py",),
        (
            Mutation("all is required", "is_optional = name not in required", "is_optional = False"),
            Mutation("defaults are left out", 'if has_default else ""\n', 'if False else ""\n'),
            Mutation("others are left out", 'if others := schema.get("additionalProperties"):', "if others := None:"),
            Mutation("a type twice", "dict.fromkeys(self._kinds(schema))", "list(self._kinds(schema))"),
            Mutation("depth is no limit", " or self._depth > _DEEPEST", ""),
            Mutation("breadth is hardly a limit", "_num_parts > _MOST_PARTS or", "_num_parts > 50 * _MOST_PARTS or"),
            Mutation("pointers are taken as they are", '.replace("~1", "/")', ""),
            Mutation("one reference is followed", "while isinstance(name :=", "if isinstance(name :="),
            Mutation(
                "the last of several", '    for key in ("properties", "patternProperties"):', "    for key in ():"
            ),
            Mutation(
                "references again and again",
                "whole = _both(whole, self._whole(part, seen))",
                "whole = _both(whole, self._whole(part))",
            ),
            Mutation("what never fits is told", "if not _is_never(field)}", "}"),
            Mutation(
                "what holds sometimes is not",
                "waiting, num_parts = list(schema.get(_SOMETIMES, ())), 0",
                "waiting, num_parts = [], 0",
            ),
            Mutation(
                "what is only required is not",
                'named |= {name: {} for name in schema.get("required", ()) if name not in named}',
                "pass",
            ),
            Mutation("values without end", '["enum"][:_MOST_VALUES]', '["enum"]'),
            Mutation("items are not told", '        yield from self._purposes(whole.get("items"), f"{path}[]")\n', ""),
            Mutation("no parentheses", 'f"({told})" if " or " in told', 'f"({told})" if False'),
        ),
    ),
    Module(
        "agentgym/tools/answers.py",
        ("tests/unit/tools/test_answers.py",),
        (
            Mutation(
                "numbers are among others",
                "_last_numbers(_plain(answer, blanks=False)) != numbers",
                "not numbers <= set(numbers_in(answer))",
            ),
            Mutation("commas are points", '.replace(",", "")) if', '.replace(",", ".")) if'),
            Mutation("the first statement", "in reversed(_ENDS.split(answer)):", "in _ENDS.split(answer):"),
            Mutation("denied is said", "(denied if before.endswith(_NOT) else found)", "found"),
            Mutation("denied words are said", "return not before.rstrip().endswith(_NOT)", "return True"),
            Mutation("parts of words", "(text[:1].isalnum() and _JOINED.search(before[-2:]))", "False"),
            Mutation(
                "one text twice",
                "        left.remove(found)\n",
                "        left = [text for text in left if text != found]\n",
            ),
            Mutation("marks count", "text.rstrip(_CLOSING) for text in texts", "text for text in texts"),
            Mutation("case counts", '.casefold().replace("−", "-")', '.replace("−", "-")'),
            Mutation("superscripts are digits", 'normalize("NFC"', 'normalize("NFKC"'),
            Mutation("the tail is fixed", " - 2 * sum(map(len, texts))", ""),
            Mutation("the shortest text", "key=len, default=None", "key=lambda one: -len(one), default=None"),
        ),
    ),
    Module(
        "agentgym/protocol.py",
        ("tests/unit/test_protocol.py",),
        (
            Mutation("rules come first", "(instructions, self.rules)", "(self.rules, instructions)"),
            Mutation(
                "images come last",
                '[*images, {"type": "text", "text": str(observation)}]',
                '[{"type": "text", "text": str(observation)}, *images]',
            ),
            Mutation("an empty message", " if content else []", ""),
            Mutation(
                "complaints are the policy's own",
                'return {"role": "user", "content": error}',
                'return {"role": "assistant", "content": error}',
            ),
            Mutation("said is understood", "return self.parse(reply) == action", "return bool(self.parse(reply))"),
            Mutation("what cannot be read is fine", "            return False\n", "            return True\n"),
        ),
    ),
    Module(
        "agentgym/protocol.py",
        ("tests/unit/protocols/test_tools.py",),
        (
            Mutation("the first thought alone", "reply[ends[-1].end() :]", "reply[ends[0].end() :]"),
            Mutation("thoughts are said", "reply[ends[-1].end() :] if ends else reply", "reply"),
            Mutation("a thought without an end is said", "said[: begun.start()] if begun else said", "said"),
            Mutation("the template's thought is said", "(self.thought_end and not ends) or ", ""),
            Mutation("an expert speaks within the thought", "if self.thought_end else []", "if False else []"),
            Mutation("a thought that was ended goes on", "prompt.rstrip().endswith(begin)", "begin in prompt"),
        ),
    ),
    Module(
        "agentgym/protocols/plain.py",
        ("tests/unit/protocols/test_plain.py",),
        (
            Mutation("blanks are an action", "if not said:", "if False:"),
            Mutation("thoughts are an action", "self.answer(reply)", "reply"),
            Mutation("blanks are kept", "said = self.answer(reply).strip()", "said = self.answer(reply)"),
            Mutation("said unchecked", "self.checked(str(action), action)", "str(action)"),
        ),
    ),
    Module(
        "agentgym/protocols/react.py",
        ("tests/unit/protocols/test_react.py",),
        (
            Mutation("the first action counts", "return Action(found[-1])", "return Action(found[0])"),
            Mutation("invented observations count", '_INVENTED.sub("", self.answer(reply))', "self.answer(reply)"),
            Mutation("actions that were thought of count", "self.answer(reply)", "reply"),
            Mutation("an empty action", "if not found or not found[-1]:", "if not found:"),
            Mutation(
                "capitals matter", '(.*?)[ \\t*]*$", re.IGNORECASE | re.MULTILINE)', '(.*?)[ \\t*]*$", re.MULTILINE)'
            ),
            Mutation(
                "only the line is cut", "re.IGNORECASE | re.MULTILINE | re.DOTALL", "re.IGNORECASE | re.MULTILINE"
            ),
        ),
    ),
    Module(
        "agentgym/protocols/tools.py",
        ("tests/unit/protocols/test_tools.py",),
        (
            Mutation("the first call alone", "return Action(tool_calls=calls)", "return Action(tool_calls=calls[:1])"),
            Mutation("thoughts are run", "self.answer(reply)", "reply"),
            Mutation(
                "the form is not told", 'raise ParseError(f"{error} {self.rules}")', "raise ParseError(str(error))"
            ),
            Mutation(
                "said unchecked",
                "return self.checked(form.write(calls), Action(tool_calls=told))",
                "return form.write(calls)",
            ),
        ),
    ),
    Module(
        "agentgym/protocols/tools.py",
        ("tests/unit/tools/test_forms.py",),
        (
            Mutation("calls of other families are run", "if self.form and not own:", "if False:"),
            Mutation("calls of other families are words", "form = own or form_in(text)", "form = own"),
            Mutation(
                "the template goes before the setting",
                "self.form or form_for(template)",
                "form_for(template) or self.form",
            ),
            Mutation("always hermes", "self.form or form_for(template)", "self.form"),
            Mutation("who is spoken to is told", "self._spoken.words(text)", "text.strip()"),
        ),
    ),
    Module(
        "agentgym/rollout/runner.py",
        ("tests/unit/tools/test_forms.py",),
        (Mutation("one protocol for every policy", "protocol.suited(*tokenizer.speech)", "protocol"),),
    ),
    Module(
        "agentgym/hosts/processes/wire.py",
        ("tests/unit/hosts/processes/test_wire.py",),
        (Mutation("values get a type on the way", "if type(value) is Untyped]", "if False]"),),
    ),
    Module(
        "agentgym/tools/forms/hermes.py",
        ("tests/unit/protocols/test_tools.py", "tests/unit/tools/test_forms.py"),
        (
            Mutation("a call that was cut off is none", r"(?:{_CLOSE}|\Z)", "(?:{_CLOSE})"),
            Mutation("the end of a call is anywhere", "if closed is None:", "if False:"),
            Mutation("an end alone is words", "if _CLOSE in words:", "if False:"),
        ),
    ),
    Module(
        "agentgym/tools/forms/xml.py",
        ("tests/unit/tools/test_forms.py",),
        (
            Mutation("values are text", "Untyped(parameter[2])", "str(parameter[2])"),
            Mutation("the last of two counts", "if name in arguments:", "if False:"),
            Mutation("what was cut off is run", "if found := _TAG.search(words):", "if False:"),
        ),
    ),
    Module(
        "agentgym/tools/forms/pythonic.py",
        ("tests/unit/tools/test_forms.py",),
        (
            Mutation("tuples are values", "same != value", "False"),
            Mutation("places are passed over", "if node.args:", "if False:"),
            Mutation(
                "the last of two counts", "keyword.arg is None or keyword.arg in arguments", "keyword.arg is None"
            ),
        ),
    ),
    Module(
        "agentgym/tools/forms/llama.py",
        ("tests/unit/tools/test_forms.py",),
        (Mutation("the first call alone", "calls.append(call_of(value))", "return [call_of(value)]"),),
    ),
    Module(
        "agentgym/tools/forms/mistral.py",
        ("tests/unit/tools/test_forms.py",),
        (Mutation("one bracket too many", "and not text[position:]", "and False and not text[position:]"),),
    ),
    Module(
        "agentgym/tools/forms/deepseek.py",
        ("tests/unit/tools/test_forms.py",),
        (
            Mutation("a fence may stay open", "(end[1] is None) != (head[3] is None)", "False"),
            Mutation("other kinds are run", 'head[1] != "function"', "False"),
            Mutation("tokens are words", "if _ANY.search(words):", "if False:"),
        ),
    ),
    Module(
        "agentgym/tools/forms/functionary.py",
        ("tests/unit/tools/test_forms.py",),
        (
            Mutation("words after JSON", r'if re.match(r"\s*(?:>>>|\Z)", text[position:]) is None:', "if False:"),
            Mutation("the first mark is always written", ".removeprefix(self.begun)", ""),
        ),
    ),
)
