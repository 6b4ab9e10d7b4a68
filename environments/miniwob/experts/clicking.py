"""Tasks that are done by clicking the right things."""

from __future__ import annotations

from agentgym.browser import Action, Click, Hover
from agentgym.browser.tree import color_name
from agentgym.environments.miniwob.experts.scene import NotSeen, Scene, numbers_in, solves

__all__: list[str] = []


@solves("click-button", "unicode-test", "click-link")
def click_what_is_named(scene: Scene) -> Action:
    return Click(scene.named(scene.quoted[0]).ref)


@solves("click-test", "click-test-2", "click-test-transfer")
def click_test(scene: Scene) -> Action:
    return scene.click("button", name="ONE" if "ONE" in scene.task else None)


@solves("click-button-sequence")
def click_in_order(scene: Scene) -> Action:
    done = scene.focused()
    return scene.click("button", name="TWO" if done is not None and done.name == "ONE" else "ONE")


@solves("click-dialog", "click-dialog-2")
def click_in_dialog(scene: Scene) -> Action:
    wanted = scene.quoted[0]
    return scene.click("button", name="Close" if wanted == "x" else wanted)


@solves("click-tab")
def click_tab(scene: Scene) -> Action:
    return scene.click("tab", name=scene.said(r"Click on (.+)\.")[0])


@solves("click-option")
def click_option(scene: Scene) -> Action:
    return scene.checked(scene.said(r"Select (.+) and click"), "radio") or scene.submit()


@solves("click-checkboxes", "click-checkboxes-transfer", "click-checkboxes-large")
def click_checkboxes(scene: Scene) -> Action:
    [named] = scene.said(r"Select (.+) and click")
    return scene.checked([] if named == "nothing" else named.split(", "), "checkbox") or scene.submit()


@solves("click-widget")
def click_widget(scene: Scene) -> Action:
    wanted = scene.quoted[0]
    role = {"text": "textbox", "textarea": "textbox"}.get(wanted, wanted)
    for node in scene.all(role):
        if role != "textbox" or ("multiline" in node.states) == (wanted == "textarea"):
            return Click(node.ref)
    raise NotSeen(wanted)


@solves("click-color")
def click_color(scene: Scene) -> Action:
    [wanted] = scene.said(r"Click on the (\w+) colored box")
    for node in scene.all("box"):
        if color_name(node.color) in _COLORS.get(wanted, (wanted,)):
            return Click(node.ref)
    raise NotSeen(wanted)


_COLORS = {
    "grey": ("gray", "grey"),
    "cyan": ("aqua", "cyan"),
    "magenta": ("fuchsia", "magenta"),
    "lime": ("lime",),
}
"""Names that are the same color."""


@solves("focus-text", "focus-text-2")
def focus(scene: Scene) -> Action:
    nth = numbers_in(scene.task)
    return Click(scene.fields()[nth[0] - 1 if nth else 0].ref)


@solves("click-tab-2", "click-tab-2-easy", "click-tab-2-medium", "click-tab-2-hard")
def look_in_tabs(scene: Scene) -> Action:
    for node in scene.all("generic"):
        if node.name == scene.quoted[0]:
            return Click(node.ref)
    return _next_tab(scene)


def _next_tab(scene: Scene) -> Action:
    """Open the one after that which is open."""
    tabs = scene.all("tab")
    opened = next((number for number, tab in enumerate(tabs) if "expanded" in tab.states), -1)
    if not tabs:
        raise NotSeen("tab")
    return Click(tabs[(opened + 1) % len(tabs)].ref)


@solves("click-collapsible", "click-collapsible-nodelay")
def expand(scene: Scene) -> Action:
    section = scene.find("tab")
    return Click(section.ref) if "collapsed" in section.states else scene.submit()


@solves("click-collapsible-2", "click-collapsible-2-nodelay")
def look_in_sections(scene: Scene) -> Action:
    return look_in_tabs(scene)


@solves("buy-ticket")
def buy_ticket(scene: Scene) -> Action:
    if "cost" in scene.task or "cheap" in scene.task or "expensive" in scene.task:
        worth = {node.ref: float(numbers_in(node.name)[0]) for node in scene.all("button")}
    else:
        worth = _durations(scene)
    most = any(word in scene.task for word in ("expensive", "longest", "most"))
    return Click((max if most else min)(worth, key=lambda ref: worth[ref]))


def _durations(scene: Scene) -> dict[str, float]:
    found, minutes = dict[str, float](), 0
    for node in scene.nodes:
        if node.ref:
            found[node.ref] = minutes
        elif len(numbers := numbers_in(node.text)) == 2:
            minutes = 60 * numbers[0] + numbers[1]
    return found


@solves("click-menu")
def click_menu(scene: Scene) -> Action:
    """Click the last item on the way, or open the deepest before it: a menu opens where the mouse is."""
    way, named = scene.said(r"Select (.+)")[0].split(">"), {node.name: node for node in scene.all("menuitem")}
    if way[-1] in named:
        return Click(named[way[-1]].ref)
    for name in reversed(way):
        if name in named:
            return Hover(named[name].ref)
    raise NotSeen(way[0])


@solves("odd-or-even")
def odd_or_even(scene: Scene) -> Action:
    """What was pressed last has the focus; the rows before it are done."""
    buttons, done = [node for node in scene.all("button", "generic") if node.name in ("Odd", "Even")], scene.focused()
    rows = list(zip(buttons[::2], buttons[1::2], strict=True))
    row = next((number + 1 for number, pair in enumerate(rows) if done in pair), 0)
    if row == len(rows):
        return scene.submit()
    odd, even = rows[row]
    [number] = numbers_in(scene.nodes[scene.nodes.index(odd) + 1].text)
    return Click((odd if number % 2 else even).ref)


@solves("email-inbox-delete", "email-inbox-important")
def email_icon(scene: Scene) -> Action:
    [sender] = scene.said(r"email by (\w+)")
    icon = "trash" if "trash" in scene.task else "star"
    for node in scene.all("generic"):
        if sender in scene.text_of(node):
            return Click(next(each.ref for each in scene.inside(node) if icon in each.hint))
    raise NotSeen(sender)


@solves("social-media")
def social_media(scene: Scene) -> Action:
    user, what = scene.said(r"user (@\w+), click on the \"(.+)\" button")
    for node in scene.nodes:
        if node.ref and node.name.startswith(what):  # in the menu that is open
            return Click(node.ref)
    start = next(number for number, node in enumerate(scene.nodes) if node.text == user)
    icons = {node.hint.strip("."): node for node in reversed(scene.nodes[start:]) if node.hint}
    return Click(icons.get(what.lower(), icons["more"]).ref)


@solves("generate-number")
def generate(scene: Scene) -> Action:
    shown = numbers_in(scene.nodes[0].text or scene.nodes[0].name)
    return scene.submit() if shown and _holds(scene.task, shown[0]) else scene.click("button", name="Generate")


def _holds(task: str, number: int) -> bool:
    [bound] = numbers_in(task)[:1] or [0]
    if "less" in task:
        return number < bound
    return number > bound if "greater" in task else number % 2 == ("odd" in task)
