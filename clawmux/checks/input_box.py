"""A small input box as agents have one: takes pastes, shows its draft after a prompt, and on Enter writes it to the file named.

Run as ``python -I -S input_box.py FILE`` in a throw-away pane by clawmux/checks/terminal.py.
"""

from __future__ import annotations

import os
import sys
import tty

PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"


def main(file: str) -> None:
    tty.setraw(0)
    _show(b"")
    box, waiting, is_pasting = b"", b"", False
    while data := os.read(0, 65536):
        waiting += data
        while waiting and not _is_begun_key(waiting):
            if waiting.startswith((PASTE_BEGINS, PASTE_ENDS)):
                is_pasting, waiting = waiting.startswith(PASTE_BEGINS), waiting[len(PASTE_BEGINS) :]
            elif waiting[:1] == b"\r" and not is_pasting:
                _write(file, box)
                box, waiting = b"", waiting[1:]
            else:
                box, waiting = box + waiting[:1], waiting[1:]
        _show(box)


def _is_begun_key(data: bytes) -> bool:
    """The beginning of one of the marks around a paste, whose rest is still on its way."""
    return len(data) < len(PASTE_BEGINS) and (PASTE_BEGINS.startswith(data) or PASTE_ENDS.startswith(data))


def _write(file: str, box: bytes) -> None:
    """In one step, so that nobody reads half of it."""
    with open(file + ".tmp", "wb") as out:  # noqa: PTH123  (pathlib is half of such a small program's start)
        out.write(box)
    os.rename(file + ".tmp", file)  # noqa: PTH104


def _show(box: bytes) -> None:
    # ?2004h asks the terminal to mark pastes.
    os.write(1, b"\x1b[?2004h\x1b[2J\x1b[H> " + box.replace(b"\n", b"\r\n  "))


if __name__ == "__main__":
    main(sys.argv[1])
