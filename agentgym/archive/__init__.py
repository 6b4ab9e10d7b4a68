"""Where episodes are kept: an embedded database, each token once, to be asked while it is written.

- ``packing``: an episode as bytes, and back;
- ``reader``: an episode of any size, read turn by turn;
- ``criteria``: which episodes somebody wants to see, and in which order;
- ``database``: the file;
- ``archive``: many episodes in it, by what one asks for;
- ``thinning``: which of them are kept.

``agentgym.store`` takes them out as JSON lines, and in.
"""

from agentgym.archive.archive import FILE, Archive, Card
from agentgym.archive.criteria import Criteria
from agentgym.archive.reader import Reader
from agentgym.archive.thinning import chosen

__all__ = ["FILE", "Archive", "Card", "Criteria", "Reader", "chosen"]
