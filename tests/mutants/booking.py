"""The booking site: success, pop-ups, dates, what is sold out, the expert; and the protocol for it."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_booking_"

MODULES = (
    Module(
        "environments/booking/session.py",
        (f"{_TESTS}session.py", f"{_TESTS}env.py", f"{_TESTS}pages.py"),
        (
            Mutation("the time does not count", "(at.date, at.time) == (", "(at.date, wish.time) == ("),
            Mutation("any number of people", "at.people == wish.people", "at.people > 0"),
            Mutation("one detail is enough", '"guest": all(', '"guest": any('),
            Mutation("any restaurant will do", " and at.restaurant == wish.restaurant,\n        }", ",\n        }"),
            Mutation("a form is sent without a phone", "len(digits(value)) < 7", "len(digits(value)) < 0"),
            Mutation("yesterday can be booked", "if date < self.wish.today:", "if False:"),
            Mutation("today cannot be booked", "if date < self.wish.today:", "if date <= self.wish.today:"),
            Mutation(
                "what is sold out can be gone to",
                'elif at.at == "details" and not self.site.is_free(',
                "elif False and not self.site.is_free(",
            ),
            Mutation("pages without end", "1 <= at.page <= max(most, 1)", "1 <= at.page"),
            Mutation("an offer follows to other pages", '("calendar", "offer")', '("calendar",)'),
            Mutation("an offer of the same time", "if free and free[-1] != at.time", "if free"),
            Mutation("a pop-up comes up again", "                state.to_come.remove(name)\n", ""),
            Mutation("typing replaces", "self._fill(node.id, node.value + text)", "self._fill(node.id, text)"),
            Mutation("no choice is taken back", '"" if guest["occasion"] == occasion else occasion', "occasion"),
            Mutation("scrolling without end", "if not 0 <= screen < self.num_screens:", "if screen < 0:"),
            Mutation("the notice stays", '        self.state.notice = ""\n        problem', "        problem"),
            Mutation("an element of no form sends one", "if block.submit is None:", "if False:"),
            Mutation("the calendar opens today", "read_date(chosen).month if chosen else", "0 if False else"),
        ),
    ),
    Module(
        "environments/booking/pages.py",
        (f"{_TESTS}session.py", f"{_TESTS}pages.py"),
        (
            Mutation("the first overlay is on top", "self.overlays[-1:] or", "self.overlays[:1] or"),
            Mutation("a page under a pop-up is used", "self.overlays[-1:] or self.blocks", "self.blocks"),
            Mutation("days that are over", "if date < today else", "if False else"),
            Mutation("back before today", "if month > today.month:", "if month > 1:"),
            Mutation("beyond december", "if month < 12:", "if month < 13:"),
            Mutation("no way on", "if page < num_pages:", "if page + 1 < num_pages:"),
        ),
    ),
    Module(
        "environments/booking/dates.py",
        (f"{_TESTS}words.py",),
        (
            Mutation("the day before the first", "if not 1 <= day <=", "if not 0 <= day <="),
            Mutation("one day more", "<= days_in(month):", "<= days_in(month) + 1:"),
            Mutation("any year", "if int(found", "if False and int(found"),
        ),
    ),
    Module(
        "environments/booking/wish.py",
        (f"{_TESTS}session.py", f"{_TESTS}env.py"),
        (
            Mutation("splits overlap", "if wish is not None and split_of(wish) == split:", "if wish is not None:"),
            Mutation("the first free time", "if time >= asked), ", "if True), "),
            Mutation("nothing is left out", "if name not in self.missing)", ")"),
            Mutation("all is told again", "if name in self.missing}", "}"),
        ),
    ),
    Module(
        "environments/booking/expert.py",
        (f"{_TESTS}env.py",),
        (
            Mutation("it takes the offer", '"offer": "no"', '"offer": "yes"'),
            Mutation(
                "it never asks",
                "and not session.state.has_asked:\n            return",
                "and False:\n            return",
            ),
            Mutation("it types on", 'f"CLEAR[{name}]" if typed[name] else', 'f"CLEAR[{name}]" if False else'),
            Mutation("it books anywhere", "or (at.restaurant, at.time) != (wish.restaurant, wish.time)", ""),
        ),
    ),
    Module(
        "environments/booking/render.py",
        (f"{_TESTS}pages.py",),
        (
            Mutation("nothing is inert", '" inert" if page.overlays else ""', '""'),
            Mutation("values are markup", "map(html.escape, (node.id,", "map(str, (node.id,"),
            Mutation("weeks begin anywhere", '["<td></td>"] * first_weekday', '["<td></td>"] * 0'),
        ),
    ),
    Module(
        "environments/booking/env.py",
        (f"{_TESTS}env.py", f"{_TESTS}session.py", f"{_TESTS}pages.py"),
        (
            Mutation("three are a success", "done and progress == 1.0", "done and progress >= 0.75"),
            Mutation("dense pays all each time", "else progress - before", "else progress"),
            Mutation("the answer is forgotten", "session.state.has_asked and session.wish.missing", "False"),
            Mutation("HTML is cut", 'if observation_mode == "text" else 0', "if True else 0"),
        ),
    ),
    Module(
        "agentgym/protocols/composite.py",
        ("tests/unit/protocols/test_composite.py",),
        (
            Mutation("every page is kept", "    keep_observations = 1\n", ""),
            Mutation("commands that were thought of count", "_parts(self.answer(reply))", "_parts(reply)"),
            Mutation("more than one command", 'if "\\n" in command:', "if False:"),
            Mutation("any status", ".lower() not in _STATUS:", '.lower() == "":'),
            Mutation("no thought is needed", 'for name in ("thought", "explanation")', 'for name in ("explanation",)'),
            Mutation("any order", "if names != [name for name in _ORDER if name in names]:", "if False:"),
            Mutation("parts come twice", "if names.count(name) > 1:", "if False:"),
            Mutation(
                "a plan at every turn",
                "return _whole(action) if self.needs",
                "return self.example(action) if self.needs",
            ),
        ),
    ),
)
