"""The one error a user can cause, and the table of its codes.

    ClawMuxError
        code     stable word, one row of ERRORS
        text     one sentence: what is wrong, naming the field or file, and what was expected
        remedy   what to do next

The same three travel on every channel as ``{"type": "error", "code", "text", "remedy"}``.
"""

from __future__ import annotations

from typing import NamedTuple


class ErrorRow(NamedTuple):
    exit_code: int
    """What the command line exits with."""
    http_status: int
    """What the HTTP channels answer with."""
    meaning: str
    """One line for docs/exit-codes.md."""


ERRORS: dict[str, ErrorRow] = {
    "internal": ErrorRow(1, 500, "a fault of ClawMux itself; the hub's log has the traceback"),
    "usage": ErrorRow(2, 400, "the command's words or a request's fields are wrong"),
    "hub_not_running": ErrorRow(3, 503, "no hub answers on the socket"),
    "no_page": ErrorRow(4, 503, "no browser page is connected, so nobody can hear"),
    "nothing_heard": ErrorRow(5, 504, "the question was asked and no words came back in time"),
    "muted": ErrorRow(6, 409, "the microphone is muted on the page"),
    "cancelled": ErrorRow(7, 409, "the user discarded the question, or the session ended"),
    "speech_down": ErrorRow(8, 503, "speech could not be made or understood; the text was shown"),
    "still_listening": ErrorRow(9, 202, "the runtime's time limit is near; run the printed --resume line"),
    "unauthorized": ErrorRow(10, 401, "no credential, or a wrong one"),
    "forbidden": ErrorRow(11, 403, "this caller may not do that"),
    "not_found": ErrorRow(12, 404, "no such session, voice, runtime, model or conversation"),
    "conflict": ErrorRow(13, 409, "it is already running, taken, or in a state that refuses this"),
    "too_large": ErrorRow(14, 413, "more than the limit named in the text"),
    "unsupported": ErrorRow(15, 415, "a content type or format that is not understood"),
    "wrong_host": ErrorRow(16, 421, "the Host header is not an address of this hub"),
    "too_many": ErrorRow(17, 429, "too many tries or connections; wait and try again"),
    "unsafe_files": ErrorRow(18, 500, "a file or folder of ClawMux has the wrong owner or mode"),
    "port_busy": ErrorRow(19, 409, "another program holds the port"),
    "missing_program": ErrorRow(20, 503, "tmux, an agent runtime or another program is not installed"),
    "bad_file": ErrorRow(21, 422, "a settings, manifest or model file is broken; the text names it"),
    "download_failed": ErrorRow(22, 502, "no source of a model file could be fetched and verified"),
    "disk_full": ErrorRow(23, 507, "not enough room on the disk"),
    "timeout": ErrorRow(24, 504, "no answer within the time limit"),
    "unknown_recipient": ErrorRow(25, 404, "a message is to somebody who is not there; nothing was sent"),
    "message_failed": ErrorRow(26, 504, "the message was never acknowledged, in four tries"),
    "undeliverable": ErrorRow(27, 410, "the recipient of a message has ended"),
}


class ClawMuxError(Exception):
    """Something the user can cause and mend. Anything else is a fault of ours and becomes ``internal``."""

    def __init__(self, code: str, text: str, remedy: str = "") -> None:
        assert code in ERRORS, code
        super().__init__(text)
        self.code = code
        self.text = text
        self.remedy = remedy

    @property
    def exit_code(self) -> int:
        return ERRORS[self.code].exit_code

    @property
    def http_status(self) -> int:
        return ERRORS[self.code].http_status

    def to_wire(self) -> dict[str, str]:
        return {"type": "error", "code": self.code, "text": self.text, "remedy": self.remedy}
