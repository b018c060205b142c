"""Whether there is room on the disk, told before anything is written. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from clawmux.wire.errors import ClawMuxError

# Left free for everybody else.
RESERVE_BYTES = 50_000_000


class Need(Protocol):
    @property
    def disk_bytes(self) -> int: ...
    @property
    def peak_bytes(self) -> int: ...


def check(folder: Path, needs: Iterable[Need], free: int | None) -> None:
    """What stays of each, and the worst moment of one of them."""
    pairs = [(need.disk_bytes, need.peak_bytes) for need in needs if need.disk_bytes]
    if free is None or not pairs:
        return
    stays = sum(disk for disk, _ in pairs)
    needed = stays + max(max(0, peak - disk) for disk, peak in pairs) + RESERVE_BYTES
    if free < needed:
        text = f"{folder} has {mega(free)} free; {mega(needed)} are needed, of which {mega(stays)} stay."
        raise ClawMuxError("disk_full", text, "Make room, use --prefix DIR, or choose less: --tier tiny, --no-models.")


def mega(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
