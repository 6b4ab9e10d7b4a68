"""What a person reads of a run: its learning curves as a picture, its outcome on one page in two forms, its trees."""

from agentgym.reports.curves import draw_curves
from agentgym.reports.notable import notable
from agentgym.reports.overlay import draw_overlay
from agentgym.reports.page import report_page
from agentgym.reports.summary import summary_page, told_gain
from agentgym.reports.tree_svg import drawn_svg
from agentgym.reports.tree_text import drawn_text
from agentgym.reports.trees import planted, tree_of
from agentgym.reports.verdict import verdict, what_next

__all__ = [
    "draw_curves",
    "draw_overlay",
    "drawn_svg",
    "drawn_text",
    "notable",
    "planted",
    "report_page",
    "summary_page",
    "told_gain",
    "tree_of",
    "verdict",
    "what_next",
]
