"""The tasks of MiniWoB++ by how hard they are; each is in one group, and ``starter`` has one of each of five kinds.

Hard is what takes many turns: the groups are ordered by the turns that a person takes and by what has to be kept in
mind. ``visual`` tasks are told by looks, places or movement, which the words of a page do not have.
"""

from __future__ import annotations

from agentgym.errors import ConfigError, did_you_mean

__all__ = ["GROUPS", "TURNS", "group_of", "tasks_of"]

_EASY = """
    click-button click-dialog click-dialog-2 click-link click-option click-tab click-test click-test-2
    click-test-transfer click-widget enter-text enter-text-2 enter-text-dynamic focus-text focus-text-2 unicode-test
    choose-list click-button-sequence button-delay buy-ticket click-color click-menu-2 find-greatest find-word
    simple-algebra simple-arithmetic read-table text-transform click-scroll-list sign-agreement
    enter-date enter-time resize-textarea
"""
_MEDIUM = """
    click-checkboxes click-checkboxes-soft click-checkboxes-transfer click-collapsible
    click-collapsible-nodelay click-menu click-pie click-pie-nodelay click-shades click-tab-2 click-tab-2-easy
    click-tab-2-medium click-tab-2-hard click-collapsible-2 click-collapsible-2-nodelay choose-date-easy copy-paste
    copy-paste-2 count-shape email-inbox-delete email-inbox-important enter-password form-sequence form-sequence-2
    form-sequence-3 identify-shape login-user login-user-popup multi-layouts multi-orderings navigate-tree odd-or-even
    read-table-2 scroll-text scroll-text-2 search-engine social-media use-autocomplete use-autocomplete-nodelay
    use-slider use-spinner phone-book guess-number generate-number click-shape grid-coordinate highlight-text
    highlight-text-2 hot-cold
"""
_HARD = """
    book-flight book-flight-nodelay choose-date choose-date-medium choose-date-nodelay click-checkboxes-large
    daily-calendar drag-items drag-items-grid drag-sort-numbers email-inbox email-inbox-forward email-inbox-forward-nl
    email-inbox-forward-nl-turk email-inbox-nl-turk email-inbox-noscroll email-inbox-reply email-inbox-star-reply
    order-food social-media-all social-media-some stock-market terminal text-editor tic-tac-toe use-slider-2
    use-colorwheel use-colorwheel-2
"""
_VISUAL = """
    ascending-numbers bisect-angle chase-circle circle-center count-sides drag-box drag-circle drag-cube drag-shapes
    drag-shapes-2 drag-single-shape draw-circle draw-line find-midpoint hover-shape moving-items number-checkboxes
    right-angle simon-says visual-addition
"""

GROUPS: dict[str, tuple[str, ...]] = {
    "starter": ("click-button", "click-checkboxes", "click-tab", "enter-text", "choose-list"),
    **{
        name: tuple(sorted(tasks.split()))
        for name, tasks in (("easy", _EASY), ("medium", _MEDIUM), ("hard", _HARD), ("visual", _VISUAL))
    },
}
"""Group → its tasks."""
GROUPS["all"] = tuple(sorted(task for name in ("easy", "medium", "hard", "visual") for task in GROUPS[name]))

TURNS = {"easy": 8, "medium": 16, "hard": 32, "visual": 16}
"""Turns that an episode may have: about twice what the scripts in ``experts`` take."""


def tasks_of(chosen: str) -> tuple[str, ...]:
    """The tasks of a group, or the one task of that name. Raises ConfigError."""
    if chosen in GROUPS:
        return GROUPS[chosen]
    if chosen in GROUPS["all"]:
        return (chosen,)
    hint = did_you_mean(chosen, [*GROUPS, *GROUPS["all"]])
    raise ConfigError(
        f'task is "{chosen}".{hint} Known: the groups {", ".join(GROUPS)}, and {len(GROUPS["all"])} tasks such as '
        "click-button"
    )


def group_of(task: str) -> str:
    """Which of the four it is in."""
    return next(name for name in TURNS if task in GROUPS[name])
