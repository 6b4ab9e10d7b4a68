"""Key/value memory with one slot a live episode, written in place.

Takes the place of a transformers ``Cache`` in a forward pass: the attention layers hand their new keys and
values to ``update`` and get back all that the rows hold. Slots are rows of one tensor a layer, left-aligned, so
nothing is concatenated and nothing moves when another episode comes or goes. Reading a contiguous range of
slots is a view; reading scattered ones copies just these.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["SlotCache"]


class SlotCache:
    """Keys and values of episodes; grows with their number and length, up to ``num_slots`` of ``max_length`` tokens.

    Shape legend: S slots, L tokens a slot, R rows of this forward, Q new tokens a row, H heads, D head size.
    """

    def __init__(self, num_slots: int, max_length: int) -> None:
        self.num_slots, self.max_length = num_slots, max_length
        self.slots = self.length = 0
        """That there is memory for now."""
        self.keys_SHLD: list[torch.Tensor] = []
        self.values_SHLD: list[torch.Tensor] = []
        self._rows: slice | torch.Tensor = slice(0)
        self._index_R = torch.empty(0, dtype=torch.long)
        self._positions_RQ = torch.empty(0, 0, dtype=torch.long)
        self._visible = 0

    def begin(self, rows: slice | torch.Tensor, positions_RQ: torch.Tensor, visible: int) -> None:
        """Say which slots the coming forward writes, where, and how many tokens of each are read.

        Room is made for both: a row that is nobody's may write beyond what is read.
        """
        self._rows, self._positions_RQ, self._visible = rows, positions_RQ, visible
        device = positions_RQ.device
        self._index_R = torch.arange(rows.start or 0, rows.stop, device=device) if isinstance(rows, slice) else rows
        needed = max(visible, int(positions_RQ.max()) + 1)
        self._provide(rows.stop if isinstance(rows, slice) else int(rows.max()) + 1, needed)

    def copy(self, source: int, target: int, num_tokens: int, *, start: int = 0) -> None:
        """Have the slot ``target`` hold the tokens of ``source`` from ``start`` up to ``num_tokens``."""
        self._provide(target + 1, num_tokens)
        for memory_SHLD in (*self.keys_SHLD, *self.values_SHLD):
            memory_SHLD[target, :, start:num_tokens] = memory_SHLD[source, :, start:num_tokens]

    def update(
        self, keys_RHQD: torch.Tensor, values_RHQD: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Called by the attention layers: store the new, return all visible, both [R, H, visible, D]."""
        if layer == len(self.keys_SHLD):
            heads, size = keys_RHQD.shape[1], keys_RHQD.shape[3]
            self.keys_SHLD.append(keys_RHQD.new_zeros(self.slots, heads, self.length, size))
            self.values_SHLD.append(values_RHQD.new_zeros(self.slots, heads, self.length, values_RHQD.shape[-1]))
        return self._store(self.keys_SHLD[layer], keys_RHQD), self._store(self.values_SHLD[layer], values_RHQD)

    def _store(self, memory_SHLD: torch.Tensor, new_RHQD: torch.Tensor) -> torch.Tensor:
        memory_SHLD[self._index_R[:, None], :, self._positions_RQ] = new_RHQD.transpose(1, 2)
        if isinstance(self._rows, slice):
            return memory_SHLD[self._rows, :, : self._visible]
        return memory_SHLD[:, :, : self._visible].index_select(0, self._index_R)

    def _provide(self, slots: int, length: int) -> None:
        """See that there is memory for so many slots of so many tokens."""
        if slots <= self.slots and length <= self.length:
            return
        if slots > self.slots:
            self.slots = min(self.num_slots, max(slots, 2 * self.slots))
        if length > self.length:
            self.length = min(self.max_length, max(length, 2 * self.length, 128))
        for memory in (self.keys_SHLD, self.values_SHLD):
            for layer, old in enumerate(memory):
                memory[layer] = old.new_zeros(self.slots, old.shape[1], self.length, old.shape[3])
                memory[layer][: old.shape[0], :, : old.shape[2]] = old
