"""Grounding: where on a screen is what an instruction means? One screenshot, one point.

After SE-GUI (arXiv 2505.12370). The screens are generated, so that every box is known to the pixel; screenshots of
others come in by files:

- ``env`` is the environment, ``items`` what is asked, ``answers`` how a point is said;
- ``screens`` draws a screen out of ``layouts``, ``words`` and ``icons``, ``levels`` says how hard it is;
- ``rendering`` has the browser show it, once, and keeps the picture with its boxes;
- ``files`` reads annotations in the formats of ScreenSpot and AndroidControl;
- ``visual`` has what may be done to look closer: crop, zoom, mark, measure.
"""

from agentgym.environments.grounding.env import Grounding

__all__ = ["Grounding"]
