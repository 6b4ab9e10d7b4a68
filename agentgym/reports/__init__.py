"""What a person reads of a run: its learning curves as a picture, its outcome on one page."""

from agentgym.reports.curves import draw_curves
from agentgym.reports.overlay import draw_overlay
from agentgym.reports.summary import summary_page, told_gain
from agentgym.reports.verdict import verdict, what_next

__all__ = ["draw_curves", "draw_overlay", "summary_page", "told_gain", "verdict", "what_next"]
