"""Web sites that simulators drive, and screens with boxes: what is asked, answered and drawn."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_"

MODULES = (
    Module(
        "agentgym/browser/markup.py",
        ("tests/unit/browser/test_markup.py",),
        (
            Mutation("text is markup", "isinstance(child, Markup) else html.escape(child)", "child else child"),
            Mutation("values are not escaped", "html.escape(str(value))", "str(value)"),
            Mutation("False is written", "if value is None or value is False:", "if value is None:"),
            Mutation("names keep their underline", 'key.rstrip("_")', "key"),
        ),
    ),
    Module(
        "agentgym/browser/served.py",
        ("tests/unit/browser/test_served.py",),
        (
            Mutation("a short queue", "request_queue_size = 128", "request_queue_size = 5"),
            Mutation("every interface", '("127.0.0.1", 0)', '("0.0.0.0", 0)'),
            Mutation("never closed", "    server.shutdown()\n", "    return\n    server.shutdown()\n"),
            Mutation("closed with the first", "is None or server.visitors or server.pid", "is None or server.pid"),
            Mutation("a fork's is ours", "_running.pid != os.getpid():", "False:"),
            Mutation("two at a time", "        with self.lock:\n", "        if self.lock:\n"),
            Mutation("a break is forgotten", "self.broke = error", "self.broke = None"),
            Mutation("everything is kept", '"no-store"', '"max-age=3600"'),
            Mutation("any length", "if length > _LONGEST:", "if False:"),
            Mutation("blanks are lost", "keep_blank_values=True", "keep_blank_values=False"),
            Mutation("icons are pages", 'self.path == "/favicon.ico"', "False"),
        ),
    ),
    Module(
        "environments/webshop_browser/site.py",
        (f"{_TESTS}webshop_browser_site.py",),
        (
            Mutation("bought twice", 'if session.state.place != "done":', "if True:"),
            Mutation(
                "problems are kept to itself",
                'self.problem = session.act(action, self.rng) or ""',
                "session.act(action, self.rng)",
            ),
            Mutation("searches show nothing", "self._act(session, f\"search[{asked.get('q', '')}]\")", "pass"),
            Mutation("any page at any address", "if request.path == path_of(session) else", "if True else"),
            Mutation("pages are one", "'page': state.page", "'page': 1"),
        ),
    ),
    Module(
        "environments/webshop_browser/pages.py",
        (f"{_TESTS}webshop_browser_site.py",),
        (
            Mutation("nothing to buy", "groups, buy, class_", "groups, class_"),
            Mutation("no way back", "_button(pages.PREVIOUS), crumbs", "crumbs"),
            Mutation("capitals", "value=name.lower()", "value=name"),
            Mutation("the first results alone", "for asin in state.shown]", "for asin in state.shown[:9]]"),
            Mutation("no complaint", "complaint, main)", "main)"),
            Mutation("one color", "picture(product, color_shown(product, chosen))", 'picture(product, "red")'),
        ),
    ),
    Module(
        "environments/booking_browser/site.py",
        (f"{_TESTS}booking_browser_site.py",),
        (
            Mutation("a redirect is gone to", "is_expected = address == self._sent_to", "is_expected = False"),
            Mutation(
                "an address that was typed is none", "is_expected = address == self._sent_to", "is_expected = True"
            ),
            Mutation(
                "links are addresses", 'Command("click", link.id) if link else', 'Command("goto", address) if link else'
            ),
            Mutation("after the end", 'is_open = session.state.at.at != "done"', "is_open = True"),
            Mutation("everything is retyped", "if held and not value.startswith(held):", "if held:"),
            Mutation("nothing is cleared", "if held and not value.startswith(held):", "if False:"),
            Mutation("blanks are kept", 'value = " ".join(value.split())', "value = value"),
            Mutation(
                "forms come empty", "self._fill(session, id, value)\n            for verb", "pass\n            for verb"
            ),
            Mutation("silence", 'self.problem = session.obey(command) or ""', "session.obey(command)"),
        ),
    ),
    Module(
        "environments/booking_browser/pages.py",
        (f"{_TESTS}booking_browser_site.py",),
        (
            Mutation("nothing is inert", "inert=bool(shown.overlays), class_=at", "class_=at"),
            Mutation("fields are empty", '"value": node.value, "placeholder"', '"value": "", "placeholder"'),
            Mutation("no labels", "return _label(node), _field(node)", "return _field(node)"),
            Mutation(
                "restaurants all alike",
                'id=node.id, href=node.url)\n    return tag("li", link',
                'id=node.id, href="/")\n    return tag("li", link',
            ),
        ),
    ),
    Module(
        "environments/grounding/answers.py",
        (f"{_TESTS}grounding_answers.py",),
        (
            Mutation("the first counts", "return max(found)[1]", "return min(found)[1]"),
            Mutation("a box is its corner", "(found[0] + found[2]) / 2", "found[0]"),
            Mutation("no decimals", 'r"[-+]?\\d+(?:\\.\\d+)?"', 'r"[-+]?\\d+"'),
            Mutation("the beginning of a long reply", "text = text[-_LONGEST:]", "text = text[:_LONGEST]"),
            Mutation("NaN is a number", " and all(map(math.isfinite, found)) else", " else"),
            Mutation("texts are no numbers", "found = [float(number) for number in numbers]", "found = list(numbers)"),
        ),
    ),
    Module(
        "environments/grounding/items.py",
        (f"{_TESTS}grounding_items.py",),
        (
            Mutation("enlarged", "if factor >= 1:", "if factor > 1e9:"),
            Mutation("the box stays", "box=scaled(item.box),", "box=item.box,"),
            Mutation("elements stay", "element._replace(box=scaled(element.box))", "element"),
        ),
    ),
    Module(
        "environments/grounding/files.py",
        (f"{_TESTS}grounding_files.py",),
        (
            Mutation("sizes are edges", "return a, b, a + c, b + d", "return a, b, c, d"),
            Mutation("shares of the width", "d * image.height", "d * image.width"),
            Mutation("Pro has sizes", 'else "edges" if "img_size" in entry else "size"', 'else "size"'),
            Mutation("the largest node", "return min(hit, key", "return max(hit, key"),
            Mutation("every step is a click", 'if action.get("action_type") in _CLICKS:', 'if "x" in action or True:'),
            Mutation("out of the folder", "if not found.is_relative_to(folder):", "if False:"),
            Mutation("any box", "if not (0 <= left < right <= image.width + 1", "if not (True or left < right"),
            Mutation(
                "a split of one's own",
                "share = hashlib.blake2b(name.encode(), digest_size=1).digest()[0] % 10",
                "share = 0",
            ),
        ),
    ),
    Module(
        "environments/grounding/visual.py",
        (f"{_TESTS}grounding_visual.py",),
        (
            Mutation("beyond the edge", "max(0, left), max(0, top)", "left, top"),
            Mutation(
                "a zoom leaves the picture",
                "left = min(max(x - width / 2, 0), image.width - width)",
                "left = x - width / 2",
            ),
            Mutation("drawn on the picture itself", "marked = image.copy()", "marked = image"),
            Mutation("any count", "if len(numbers) != count:", "if False:"),
            Mutation("across only", "math.hypot(across, down)", "across"),
        ),
    ),
    Module(
        "environments/grounding/screens.py",
        (f"{_TESTS}grounding_screens.py",),
        (
            Mutation("splits share screens", "_SPLITS[split], number]", "number]"),
            Mutation("one seed", "default_rng([seed, int", "default_rng([0, int"),
            Mutation("one screen", "_SPLITS[split], number]", "_SPLITS[split], 0]"),
        ),
    ),
    Module(
        "environments/android_like/phone.py",
        (f"{_TESTS}android_like_phone.py",),
        (
            Mutation("under the dialog", "return self.screens[-1]", "return self.screens[0]"),
            Mutation("after the end", "        if self.is_over:", "        if False:"),
            Mutation("home is back", "self.state.stack = []", "self.close()"),
            Mutation("any length", "if len(value) > LONGEST:", "if False:"),
            Mutation("everything is a field", 'if node is None or node.kind != "field":', "if node is None:"),
        ),
    ),
    Module(
        "environments/android_like/handset.py",
        (f"{_TESTS}android_like_phone.py",),
        (
            Mutation("seen again and again", "if frame.key not in self.state.seen:", "if True:"),
            Mutation("by digits", "sorted(self.records(sort), key=int)", "sorted(self.records(sort))"),
            Mutation("always new", "kept[id or str(", "kept[str("),
            Mutation("one at a time", "del self.state.stack[-count:]", "del self.state.stack[-1:]"),
        ),
    ),
    Module(
        "environments/android_like/state.py",
        (f"{_TESTS}android_like_phone.py", f"{_TESTS}android_like_tasks.py"),
        (
            Mutation("letters matter", 'return " ".join(text.lower().split())', "return text"),
            Mutation("answers to the letter", "return _letters(said) == _letters(wanted)", "return said == wanted"),
            Mutation("drafts are shared", '"draft": dict(frame["draft"])', '"draft": frame["draft"]'),
            Mutation("records are shared", "{id: dict(record) for id, record in records.items()}", "records"),
        ),
    ),
    Module(
        "environments/android_like/apps/clock.py",
        (f"{_TESTS}android_like_phone.py",),
        (
            Mutation("25 hours", "([01]?[0-9]|2[0-3])", "([0-9]?[0-9])"),
            Mutation("as it was typed", 'f"{int(time[1]):02}:{time[2]}"', "time[0]"),
            Mutation("saved and off", '"label": label, "on": True}', '"label": label, "on": False}'),
            Mutation("by age", 'key=lambda id: (phone.records("alarms")[id]["time"], int(id))', "key=int"),
            Mutation("on stays on", '"on": not is_on', '"on": is_on'),
        ),
    ),
    Module(
        "environments/android_like/apps/contacts.py",
        (f"{_TESTS}android_like_phone.py",),
        (
            Mutation("nobody", "        if not name:", "        if False:"),
            Mutation("two of a name", "if plain(name) in map(plain, map(str, others)):", "if False:"),
            Mutation("its own name", "if id != frame.item)", "if True)"),
            Mutation("any number", "if _PHONE.fullmatch(number) is None:", "if False:"),
            Mutation("favorites forgotten", '{**contact, "name": name', '{"favorite": False, "name": name'),
        ),
    ),
    Module(
        "environments/android_like/tasks.py",
        (f"{_TESTS}android_like_tasks.py",),
        (
            Mutation("what is lost is not missed", "not (lost - gone) and not", "not"),
            Mutation("more is welcome", "not (lost - gone) and not (new - come)", "not (lost - gone)"),
            Mutation("any answer", "(not self.wanted.answer or same(said, self.wanted.answer))", "True"),
            Mutation("untouched is paid", 'told["untouched"] * done', "1 * done"),
            Mutation(
                "no end needed",
                'for name in ("changed", "untouched", "said"))',
                'for name in ("changed", "untouched"))',
            ),
            Mutation("reading is needed", "        if self.is_success(phone):", "        if False:"),
            Mutation("one split", "if split_of(wanted.text) == split:", "if True:"),
            Mutation("one seed", "default_rng([seed, int", "default_rng([0, int"),
            Mutation("one level", "int(level[1:]), number]", "0, number]"),
            Mutation("one number", "int(level[1:]), number]", "int(level[1:]), 0]"),
        ),
    ),
    Module(
        "environments/android_like/parts.py",
        (f"{_TESTS}android_like_tasks.py",),
        (
            Mutation("what was stays", "not any(now[each] for each in self.gone)", "True"),
            Mutation("nothing comes", "return all(now[each] for each in self.come) and", "return"),
            Mutation("everybody is known", "picked = () if is_known else", "picked = () if True else"),
            Mutation("saved as it was", "time=time, on=True)", "time=time)"),
            Mutation("off when new", '"label": label, "on": True}', '"label": label, "on": False}'),
        ),
    ),
    Module(
        "environments/android_like/expert.py",
        (f"{_TESTS}android_like_tasks.py",),
        (
            Mutation("lost and helpless", "if is_lost else command", "if False else command"),
            Mutation("any screen", "frame.key != stop.key for", "False for"),
            Mutation("too deep", "if len(stack) > len(part.stops) or any(", "if any("),
            Mutation("what stands there is right", "and node.value != text:", "and not node.value:"),
        ),
    ),
    Module(
        "environments/android_like/site.py",
        (f"{_TESTS}android_like_site.py",),
        (
            Mutation("typed after the end", "if path == TYPED and not phone.is_over:", "if path == TYPED:"),
            Mutation("tapped after the end", "if path == ACT and not phone.is_over:", "if path == ACT:"),
            Mutation(
                "forms come empty", "            for id, value in form.items():\n", "            for id, value in ():\n"
            ),
            Mutation(
                "the bar is on the screen", 'Command(id) if id in BAR else Command("tap", id)', 'Command("tap", id)'
            ),
            Mutation(
                "silence", "self.problem = self._alert = problem or", 'self.problem, self._alert = problem or "",'
            ),
            Mutation("any address", 'if path == "/" else', "if True else"),
        ),
    ),
    Module(
        "environments/android_like/pages.py",
        (f"{_TESTS}android_like_site.py",),
        (
            Mutation("nothing is inert", "inert=bool(below), class_=f", "class_=f"),
            Mutation("fields are empty", '{"value": node.value, "placeholder"', '{"value": "", "placeholder"'),
            Mutation("no labels", 'tag("label", node.text, for_=node.id), field', "field"),
            Mutation("all in one form", '"form": _ALONE}\n    name', "}\n    name"),
            Mutation("all off", "return str(node.is_on).lower()", 'return "false"'),
            Mutation("nothing beside", "_button(node.beside, icon", "_button(node, icon"),
        ),
    ),
)
