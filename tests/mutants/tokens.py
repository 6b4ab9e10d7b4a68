"""Between messages and tokens: the template, what may not be said, images in place of their placeholders."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit"

MODULES = (
    Module(
        "agentgym/tokenizer.py",
        (
            f"{UNIT}/test_tokenizer.py",
            f"{UNIT}/test_images.py",
            f"{UNIT}/test_controls.py",
            f"{UNIT}/test_template.py",
        ),
        (
            Mutation(
                "the tokenizer's end first",
                "dict.fromkeys([*ends, *own, *known])",
                "dict.fromkeys([*own, *ends, *known])",
            ),
            Mutation("the model's ends ignored", "[*ends, *own, *known])", "[*ends, *own])"),
            Mutation("ends nobody knows", " if self.hf.convert_ids_to_tokens(int(i)) is not None]", "]"),
            Mutation("both ends needed", "if not (ends or own or known):", "if not (ends and own):"),
            Mutation(
                "the next turn ends nothing",
                "for tail in self.facts.after_reply]",
                "for tail in self.facts.after_reply[:1]]",
            ),
            Mutation("the end is spoken", "token_ids[:-1] if self._end(token_ids) else token_ids", "token_ids"),
            Mutation("any end within", "token_ids[-1] in self.stop_token_ids", "token_ids[0] in self.stop_token_ids"),
            Mutation("special tokens not spoken", "skip_special_tokens=False", "skip_special_tokens=True"),
            Mutation(
                "a policy's words defused",
                '{"assistant": self._controls.parted_markers, ',
                '{"assistant": self._defused, ',
            ),
            Mutation(
                "instructions name no marks", '"system": self._controls.parted_turns}', '"system": self._defused}'
            ),
            Mutation("parts of a message not defused", "_defused_parts(content, defuse)}", "list(content)}"),
            Mutation("parts side by side", 'text = f" {text}"', "pass"),
            Mutation("an image joins parts", '            before = ""\n', ""),
            Mutation("replies may show images", "spoken = self._controls.parted_markers(text)", "spoken = text"),
            Mutation("replies may end turns", "if not self._controls.has_turns(spoken):", "if True:"),
            Mutation("told anew as it was", 'self._controls.parted_turns(message["content"])}', 'message["content"]}'),
            Mutation(
                "tools not defused",
                "json.loads(self._defused(json.dumps(list(tools), ensure_ascii=False)))",
                "json.loads(json.dumps(list(tools), ensure_ascii=False))",
            ),
            Mutation("no tools are some", "tools=schemas or None", "tools=schemas"),
            Mutation("nobody speaks next", ", add_generation_prompt=True)", ")"),
            Mutation("one name for all vocabularies", "json.dumps(sorted(vocabulary.items()))", "json.dumps([])"),
        ),
    ),
    Module(
        "agentgym/controls.py",
        (f"{UNIT}/test_controls.py", f"{UNIT}/test_tokenizer.py"),
        (
            Mutation(
                "flags ignored", "all_special_tokens, strict=True)), **flagged}", "all_special_tokens, strict=True))}"
            ),
            Mutation(
                "added tokens are words",
                "self.ids: dict[int, str] = {**special, **used}",
                "self.ids: dict[int, str] = {**special}",
            ),
            Mutation("words are marks", "if i not in special and _is_mark(str(token))}", "if i not in special}"),
            Mutation("marks without a template", " or _MARK.fullmatch(text)", ""),
            Mutation("replies say no calls", "self.turn_ids = {*special, *turns} - own", "self.turn_ids = {*self.ids}"),
            Mutation("rules are data", "        if text and text not in self._spared:\n", "        if False:\n"),
            Mutation("case is not folded", "        if self._normalize is None:\n", "        if True:\n"),
            Mutation(
                "one character is not defused", 'if len(found[0]) > 1 else " "', "if len(found[0]) > 1 else found[0]"
            ),
        ),
    ),
    Module(
        "agentgym/template.py",
        (f"{UNIT}/test_template.py",),
        (
            Mutation("today", "day: datetime.datetime = _TODAY", "day: datetime.datetime = _ANOTHER_DAY"),
            Mutation("tools left out", "if tools and not facts.writes_tools:", "if False:"),
            Mutation("system stays", "    if not facts.takes_system:\n        told", "    if False:\n        told"),
            Mutation("runs stay", "    if not facts.takes_runs:\n        told", "    if False:\n        told"),
            Mutation("a begun reply is whole", '{**message, "content": facts.opened + content}', "message"),
            Mutation("a blank twice", "content.removeprefix(facts.lead)", "content"),
            Mutation("a printed list will do", "and \"'type': 'text'\" not in rendered", ""),
        ),
    ),
    Module(
        "agentgym/processor.py",
        (f"{UNIT}/test_images.py",),
        (
            Mutation("the first processed goes", "                self._cache.move_to_end(media.digest)\n", ""),
            Mutation(
                "what fits goes", "self._cached_bytes > _CACHE_BYTES and", "self._cached_bytes >= _CACHE_BYTES and"
            ),
            Mutation("nothing goes", "while self._cached_bytes > _CACHE_BYTES and", "while False and"),
            Mutation("the last one goes too", "and len(self._cache) > 1:", "and len(self._cache) > 0:"),
            Mutation(
                "what went still counts",
                "self._cached_bytes -= self._cache.popitem(last=False)[1].size",
                "self._cache.popitem(last=False)",
            ),
            Mutation("the newest goes", "popitem(last=False)", "popitem(last=True)"),
            Mutation("not kept", "            self._cache[media.digest] = seen\n", ""),
            Mutation("masks are inputs", "            inputs.pop(name, None)\n", "            pass\n"),
            Mutation("placeholders not counted", "if found != len(media):", "if found < len(media):"),
            Mutation("the first image for all", "self.seen(next(coming))", "self.seen(media[0])"),
            Mutation("not at the end", "range(len(ids) - len(wanted) + 1)", "range(len(ids) - len(wanted))"),
            Mutation("what begins like it", "list(ids[at : at + len(wanted)]) == wanted", "True"),
            Mutation("one text means an image", "for name in names}", "for name in names[:1]}"),
        ),
    ),
    Module(
        "agentgym/media.py",
        (f"{UNIT}/test_images.py", f"{UNIT}/test_media.py"),
        (
            Mutation("any name of an image", "and _media(media.data) == media):", "):"),
            Mutation("stays in memory", "held, self._held = self._held, {}", "held = self._held"),
            Mutation("what was put is lost", "            self.put(media)\n", "            pass\n"),
            Mutation("brought again", "            if digest not in self:\n", "            if True:\n"),
            Mutation("others' files not seen", "self._file(digest, self.directory).exists()", "False"),
            Mutation("damage not noticed", "if media.digest != file.stem:", "if False:"),
            Mutation("texts in one line", '"\\n".join(part["text"]', '"".join(part["text"]'),
            Mutation("written again", "        if file.exists():\n            return\n", ""),
        ),
    ),
    Module(
        "agentgym/columns.py",
        (f"{UNIT}/test_columns.py",),
        (
            Mutation("always a copy", "            return array\n", "            return array.copy()\n"),
            Mutation("numbers that do not fit", "and not np.array_equal(made, array):", "and False:"),
            Mutation(
                "any kind of number",
                "if array.size and array.dtype.kind not in",
                "if False and array.dtype.kind not in",
            ),
            Mutation("more dimensions", "if array.ndim != 1:", "if array.ndim < 1:"),
            Mutation(
                "equal where any field is", "type(other) is type(self) and all(", "type(other) is type(self) and any("
            ),
        ),
    ),
    Module(
        "agentgym/weights.py",
        (f"{UNIT}/test_weights.py",),
        (
            Mutation("weights left out", "    if missing:\n", "    if False:\n"),
            Mutation("other formats taken", "or (old.dtype != new.dtype and not rounds):", "or False:"),
            Mutation(
                "shared ones twice",
                "named.setdefault(id(tensor), (name, tensor))",
                "named.setdefault(len(named), (name, tensor))",
            ),
            Mutation("all are trained", "        own[name].requires_grad_(other.requires_grad)\n", ""),
            Mutation("another mode", "return made.train(module.training)", "return made.train(False)"),
        ),
    ),
)
