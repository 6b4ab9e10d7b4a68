"""WebShop: what is found, what is shown, what a purchase is worth, what is asked for."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_webshop_"

MODULES = (
    Module(
        "environments/webshop/search.py",
        (f"{_TESTS}search.py",),
        (
            Mutation("hits of their neighbors", "self._asins[i] for i in", "self._asins[i - 1] for i in"),
            Mutation("another k1", "k1=0.9", "k1=1.2"),
            Mutation("a k1 that is a little higher", "k1=0.9", "k1=1.0"),
            Mutation("a k1 that is a little lower", "k1=0.9", "k1=0.8"),
            Mutation("another b", "b=0.4", "b=0.75"),
            Mutation("a b that is a little lower", "b=0.4", "b=0.3"),
            Mutation("worst first", "np.argsort(-scores[matching]", "np.argsort(scores[matching]"),
            Mutation(
                "one too few", "np.partition(scores[matching], -k)[-k]", "np.partition(scores[matching], 1 - k)[1 - k]"
            ),
            Mutation("as many as there are", '"stable")][:k]', '"stable")]'),
            Mutation("more than match", "np.flatnonzero(scores > 0)", "np.flatnonzero(scores >= 0)"),
            Mutation("stop words of a query", " if word not in self._stop_words)", ")"),
            Mutation("stop words of a text", "-1 if stop else", "-1 if False else"),
            Mutation("capitals of a query", "_WORD.findall(query.lower())", "_WORD.findall(query)"),
            Mutation("a repeated word counts once", "stem for stem in stems if", "stem for stem in set(stems) if"),
            Mutation("the last bullet", "product.bullets[0]", "product.bullets[-1]"),
            Mutation("no options", "first_bullet, options)", "first_bullet)"),
        ),
    ),
    Module(
        "environments/webshop/shop.py",
        (f"{_TESTS}search.py", f"{_TESTS}goals.py"),
        (
            Mutation("fifty-one hits", "MAX_HITS = 50", "MAX_HITS = 51"),
            Mutation("what is not sold", ", MAX_HITS) if asin in self.products]", ", MAX_HITS)]"),
            Mutation("drawn twice", "replace=False", "replace=True"),
            Mutation("a query's first word", "product.query == rest", "product.query == keywords[1]"),
            Mutation("a category's words", "keywords[1].strip() if", "rest if"),
            Mutation("given prices are forgotten", "{**stock.prices, **prices}", "stock.prices"),
            Mutation(
                "given prices set no ceiling", "{**draw_prices(products, rng), **given}", "draw_prices(products, rng)"
            ),
            Mutation("validation goals for testing", "min(500, num_goals)", "min(501, num_goals)"),
            Mutation("test goals for validation", "range(test, validation)", "range(validation)"),
            Mutation("one seed for all", "_drawn(read, catalogue_seed)", "_drawn(read, 0)"),
        ),
    ),
    Module(
        "environments/webshop/reward.py",
        (f"{_TESTS}reward.py",),
        (
            Mutation(
                "attributes at 85",
                "fuzz.token_set_ratio(own, attribute) > 85",
                "fuzz.token_set_ratio(own, attribute) >= 85",
            ),
            Mutation(
                "attributes at 86",
                "fuzz.token_set_ratio(own, attribute) > 85",
                "fuzz.token_set_ratio(own, attribute) > 86",
            ),
            Mutation("options at 85", "base_color(option)) > 85", "base_color(option)) >= 85"),
            Mutation("options at 86", "base_color(option)) > 85", "base_color(option)) > 86"),
            Mutation("less than the ceiling", "price <= goal", "price < goal"),
            Mutation("no part for the price", "len(wanted) + 1,", "len(wanted),"),
            Mutation("parts of another goal", 'parts=len(goal["attributes"])', "parts=len(product.attributes)"),
            Mutation("any attribute is all", "attributes=sum(", "attributes=any("),
            Mutation(
                "options that are chosen",
                "any(similar(value, option) for value in options.values()) for option in pairs",
                "any(similar(value, option) for option in pairs) for value in options.values()",
            ),
            Mutation("all choices must fit", "sum(any(similar", "sum(all(similar"),
            Mutation("nine tenths of a noun", "overlap < 0.1", "overlap <= 0.1"),
            Mutation("a fifth is enough", "overlap > 0.2", "overlap >= 0.2"),
            Mutation("one part of a category", "*parts)) >= 2", "*parts)) >= 1"),
            Mutation("three parts of a category", "*parts)) >= 2", "*parts)) > 2"),
            Mutation("the query must be the same", "same_query or overlap > 0.2", "same_query and overlap > 0.2"),
            Mutation("nouns of the goal once", "/ len(of_goal) if", "/ len(set(of_goal)) if"),
            Mutation("bullets are not read", 'product.title, " ".join(product.bullets)', 'product.title, ""'),
            Mutation("the first bullet is read", '" ".join(product.bullets)', "product.bullets[0]"),
            Mutation("the factor is added", "self.parts * self.type_factor", "self.parts + self.type_factor - 1"),
        ),
    ),
    Module(
        "environments/webshop/session.py",
        (f"{_TESTS}session.py", f"{_TESTS}search.py"),
        (
            Mutation("eleven on a page", "page * RESULTS_PER_PAGE]", "page * RESULTS_PER_PAGE + 1]"),
            Mutation("the page before", "hits[(page - 1) * RESULTS_PER_PAGE", "hits[(page - 2) * RESULTS_PER_PAGE"),
            Mutation(
                "page 0 is page 1",
                "rng: np.random.Generator) -> None:\n        state, hits =",
                "rng: np.random.Generator) -> None:\n        page = max(page, 1)\n        state, hits =",
            ),
            Mutation(
                "hits that are shown are counted",
                'state.total = "results", keywords, page, len(hits)',
                'state.total = "results", keywords, page, len(hits[:10])',
            ),
            Mutation("options of before", '        state.asin, state.options = "", {}\n', '        state.asin = ""\n'),
            Mutation(
                "the first choice stays",
                "{**state.options, clicked.group: clicked.text}",
                "{clicked.group: clicked.text, **state.options}",
            ),
            Mutation("only the last choice", "{**state.options, clicked.group", "{clicked.group"),
            Mutation("back to the page before", "state.page - (here", "state.page - 1 - (here"),
            Mutation("an item leads nowhere", 'here in ("search_results", "item_page")', 'here in ("search_results",)'),
            Mutation("where one has been is forgotten", "sorted({*state.visited, clicked.text})", "[clicked.text]"),
            Mutation(
                "the search page remembers",
                "self.state = State(task=state.task)",
                "self.state = State(task=state.task, visited=state.visited)",
            ),
            Mutation(
                "a purchase is not priced", 'state.reward = "done", self.bought.reward', 'state.reward = "done", 1.0'
            ),
            Mutation("the search button is clicked", 'in self.clickables and name != "search"', "in self.clickables"),
        ),
    ),
    Module(
        "environments/webshop/env.py",
        (f"{_TESTS}env.py", f"{_TESTS}session.py"),
        (
            Mutation("success for any reward", 'info["success"] = reward == 1.0', 'info["success"] = reward > 0.0'),
            Mutation(
                "always done",
                'done = self.session.state.place == "done"',
                "done = self.session.bought is not None or problem is not None",
            ),
            Mutation("one task too many", "0 <= given < goals", "0 <= given <= goals"),
            Mutation("a problem is not told", "if problem is not None:", "if problem is None and False:"),
            Mutation(
                "history of the episode before",
                "self._observed, self._acted = [observation], []",
                "self._observed = [*self._observed, observation]",
            ),
            Mutation(
                "history is not kept",
                '{"observed": list(self._observed), "acted": list(self._acted)}',
                '{"observed": [], "acted": []}',
            ),
            Mutation(
                "history follows the episode",
                '{"observed": list(self._observed), "acted": list(self._acted)}',
                '{"observed": self._observed, "acted": self._acted}',
            ),
            Mutation(
                "the oldest actions",
                "self._acted[::-1][: self.num_prev_actions]",
                "self._acted[: self.num_prev_actions][::-1]",
            ),
            Mutation("any click is admissible", 'if parse_action(action) == ("click", name)]', "]"),
            Mutation("all tasks are drawn", 'self.shop.splits["train"] or range(goals)', "range(goals)"),
        ),
    ),
    Module(
        "environments/webshop/goals.py",
        (f"{_TESTS}goals.py",),
        (
            Mutation("the lower ceiling", "ceiling = max(rng", "ceiling = min(rng"),
            Mutation("a ceiling at the price", "if ceiling > price][:4]", "if ceiling >= price][:4]"),
            Mutation("three ceilings", "][:4]", "][:3]"),
            Mutation("a ceiling without choice", "if len(above) < 2:", "if len(above) < 1:"),
            Mutation("another order", "SHUFFLE_SEED = 233", "SHUFFLE_SEED = 232"),
            Mutation("sums for means", ') / len(goal["attributes"])', ")"),
            Mutation(
                "the first value of a group", "product.options[group] for group", "product.options[group][:1] for group"
            ),
            Mutation("goals without attributes", "if instruction.attributes:", "if instruction.text:"),
            Mutation("the lowest price", "rng.uniform(*p.prices)", "p.prices[0]"),
        ),
    ),
    Module(
        "environments/webshop/catalogue.py",
        (f"{_TESTS}goals.py",),
        (
            Mutation("ids of eleven", "MAX_ASIN_LENGTH = 10", "MAX_ASIN_LENGTH = 11"),
            Mutation("ids of nine", "len(asin) <= MAX_ASIN_LENGTH", "len(asin) < MAX_ASIN_LENGTH"),
            Mutation("repetitions", "            seen.add(asin)\n", ""),
            Mutation("one record too many", "[:num_products])", "[: num_products and num_products + 1])"),
            Mutation("a part of the whole", "(len(file.name), file.name)", "file.name"),
            Mutation("an old file", "(file, file.stat().st_mtime_ns, file.stat().st_size)", "(file, 0, 0)"),
        ),
    ),
    Module(
        "environments/webshop/expert.py",
        (f"{_TESTS}expert.py",),
        (
            Mutation(
                "a later page",
                "(plan.reward, -plan.page) > (best.reward, -best.page)",
                "(plan.reward, plan.page) > (best.reward, best.page)",
            ),
            Mutation(
                "the tenth on the second page", "rank // RESULTS_PER_PAGE + 1", "(rank + 1) // RESULTS_PER_PAGE + 1"
            ),
            Mutation("forward from behind", "state.page < plan.page", "state.page != plan.page"),
            Mutation("words in the goal's order", "in sorted(places.items()) if", "in places.items() if"),
            Mutation("words that are not there", "if place >= 0)", "if place >= -1)"),
            Mutation("bought at once", "state.options.get(group) != value", "group not in state.options"),
            Mutation("any search will do", '" ".join(state.keywords) != plan.query or', "False or"),
        ),
    ),
)
