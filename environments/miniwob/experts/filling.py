"""Tasks that are done by filling in fields."""

from __future__ import annotations

import datetime
import re

from agentgym.browser import Action, Click, Node, Select
from agentgym.environments.miniwob.experts.scene import NotSeen, Scene, numbers_in, solves

__all__: list[str] = []


@solves("enter-text", "enter-text-dynamic")
def enter_text(scene: Scene) -> Action:
    return scene.filled([(scene.fields()[0], scene.quoted[0])]) or scene.submit()


@solves("enter-text-2")
def enter_text_2(scene: Scene) -> Action:
    text = scene.quoted[0].upper() if "upper case" in scene.task else scene.quoted[0].lower()
    return scene.filled([(scene.fields()[0], text)]) or scene.submit()


@solves("enter-password")
def enter_password(scene: Scene) -> Action:
    hidden = "•" * len(scene.quoted[0])
    for field in scene.fields():
        if field.value != hidden:
            return scene.filled([(field, scene.quoted[0])]) or scene.submit()
    return scene.submit()


@solves("login-user")
def login(scene: Scene) -> Action:
    user, password = scene.quoted
    name, secret = scene.fields()
    if secret.value != "•" * len(password):
        return scene.filled([(name, user), (secret, password)]) or scene.submit("Login")
    return scene.filled([(name, user)]) or scene.submit("Login")


@solves("enter-date")
def enter_date(scene: Scene) -> Action:
    month, day, year = scene.said(r"Enter (\d+)/(\d+)/(\d+)")
    return scene.filled([(scene.fields()[0], f"{year}-{month}-{day}")]) or scene.submit()


@solves("enter-time")
def enter_time(scene: Scene) -> Action:
    [said] = scene.said(r"Enter (\d+:\d+ [AP]M)")
    time = datetime.datetime.strptime(said, "%I:%M %p").strftime("%H:%M")
    return scene.filled([(scene.fields()[0], time)]) or scene.submit()


@solves("choose-list")
def choose_list(scene: Scene) -> Action:
    [wanted] = scene.said(r"Select (.+) from the list")
    return scene.filled([(scene.find("combobox"), wanted)]) or scene.submit()


@solves("click-scroll-list")
def choose_many(scene: Scene) -> Action:
    wanted = scene.said(r"Select (.+) from the scroll list")[0].split(", ")
    chosen = scene.find("listbox")
    if set((chosen.value or "").split(", ")) != set(wanted):
        return Select(chosen.ref, tuple(wanted))
    return scene.submit()


@solves("simple-arithmetic")
def arithmetic(scene: Scene) -> Action:
    told = " ".join(node.text or node.name for node in scene.nodes if not node.ref)
    found = re.search(r"(-?\d+)\s*([+\-x*÷/])\s*(-?\d+)\s*=", told)
    if found is None:
        raise NotSeen(told)
    return scene.filled([(scene.fields()[0], str(_result(int(found[1]), found[2], int(found[3]))))]) or scene.submit()


def _result(one: int, sign: str, other: int) -> int:
    match sign:
        case "+":
            return one + other
        case "-":
            return one - other
        case _:
            return one * other


@solves("simple-algebra")
def algebra(scene: Scene) -> Action:
    told = " ".join(node.text or node.name for node in scene.nodes if not node.ref)
    if found := re.search(r"x\s*([+-])\s*(-?\d+)\s*=\s*(-?\d+)", told):
        x = int(found[3]) - int(found[2]) if found[1] == "+" else int(found[3]) + int(found[2])
    elif found := re.search(r"(-?\d+)\s*([+-])\s*x\s*=\s*(-?\d+)", told):
        x = int(found[3]) - int(found[1]) if found[2] == "+" else int(found[1]) - int(found[3])
    else:
        raise NotSeen(told)
    return scene.filled([(scene.fields()[0], str(x))]) or scene.submit()


@solves("find-word")
def find_word(scene: Scene) -> Action:
    [nth] = numbers_in(scene.task)
    text = next(node.text or node.name for node in scene.nodes if not node.ref)
    word = re.sub(r"[.,]", "", text.split()[nth - 1])
    return scene.filled([(scene.fields()[0], word)]) or scene.submit()


@solves("text-transform")
def text_transform(scene: Scene) -> Action:
    text = "".join(node.text or node.name for node in scene.nodes if not node.ref)
    return scene.filled([(scene.fields()[0], text)]) or scene.submit()


@solves("read-table", "read-table-2")
def read_table(scene: Scene) -> Action:
    table = _table(scene)
    fields = scene.fields()
    if "value of" in scene.task:
        wanted = [(fields[0], table[scene.said(r"value of (.+) into")[0]])]
    else:
        labels = [node.text.rstrip(":") for node in scene.nodes if node.text.endswith(":")]
        wanted = [(field, table[label]) for field, label in zip(fields, labels, strict=True)]
    return scene.filled(wanted) or scene.submit()


def _table(scene: Scene) -> dict[str, str]:
    found = {}
    for row in scene.nodes:
        if row.role == "row":
            name, value = scene.text_of(row)
            found[name] = value
    return found


@solves("copy-paste", "copy-paste-2")
def copy_paste(scene: Scene) -> Action:
    fields, nth = scene.fields(), numbers_in(scene.task)
    sources = [field for field in fields if "multiline" in field.states]
    target = next(field for field in fields if field not in sources)
    return scene.filled([(target, sources[nth[0] - 1 if nth else 0].value or "")]) or scene.submit()


@solves("scroll-text")
def last_word(scene: Scene) -> Action:
    text, field = scene.fields()
    return scene.filled([(field, re.sub(r"[.,]", "", (text.value or "").split()[-1]))]) or scene.submit()


@solves("multi-layouts", "multi-orderings")
def search_movies(scene: Scene) -> Action:
    genre, director, year = scene.said(r"Search for (.+) movies directed by (.+) from year (\d+)")
    facts = {"genre": genre, "director": director, "year": year, "date": year}
    wanted = []
    for field in scene.fields():
        told = _label_of(scene, field).lower()
        wanted.append((field, next(value for word, value in facts.items() if word in told)))
    return scene.filled(wanted) or _last_button(scene)


def _label_of(scene: Scene, field: Node) -> str:
    """Its name, or the words before it; those behind it where the page begins with a field."""
    place = scene.nodes.index(field)
    beside = scene.nodes[place + 1 :] if scene.nodes[0].ref else scene.nodes[place - 1 :: -1]
    return field.name or next(node.text or node.name for node in beside if node.text or node.name)


def _last_button(scene: Scene) -> Action:
    return Click([node for node in scene.nodes if node.role in ("button", "generic") and node.ref][-1].ref)


@solves("use-spinner")
def use_spinner(scene: Scene) -> Action:
    [wanted] = numbers_in(scene.task)
    return scene.filled([(scene.find("spinbutton"), str(wanted))]) or scene.submit()


@solves("guess-number")
def guess_number(scene: Scene) -> Action:
    """Halving; what was tried stands in the field, and what is known of it above."""
    field = scene.find("spinbutton")
    told = " ".join(node.text or node.name for node in scene.nodes if not node.ref)
    bounds = re.search(r"(lower|higher|greater|less|smaller|larger) than (\d+)", told)
    if bounds is None:
        return scene.filled([(field, "5")]) or scene.submit()
    number = int(bounds[2])
    step = 1 if bounds[1] in ("higher", "greater", "larger") else -1
    return scene.filled([(field, str(number + step))]) or scene.submit()
