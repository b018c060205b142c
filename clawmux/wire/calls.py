"""Converse calls as JSON: one message on ``/cli/{session_id}``, one after another on ``/mcp/{session_id}``.

The words of ``/mcp`` are those of the first description; ``voice`` is accepted there and ignored, for the session has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clawmux.wire.codec import table


@dataclass(frozen=True, slots=True)
class CliConverse:
    """Answered with ``{"type": "converse_result", "text", "exit"}`` or an error object."""

    TYPE: ClassVar[str] = "converse"
    text: str
    id: str = ""
    """Chosen by the caller; the same id again is the same question."""
    listen: bool = True
    goodbye: bool = False
    timeout: float = 0.0
    """Seconds; 0: as long as settings and runtime allow."""


@dataclass(frozen=True, slots=True)
class McpConverse:
    """Answered with ``{"type": "converse_result", "text", "id"}`` or an error object."""

    TYPE: ClassVar[str] = "converse"
    message: str
    wait_for_response: bool = True
    voice: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class McpStatusCheck:
    """Answered with ``{"type": "status_result", "connected": true}``."""

    TYPE: ClassVar[str] = "status_check"
    id: str = ""


CLI_TO_HUB = table(CliConverse)
MCP_TO_HUB = table(McpConverse, McpStatusCheck)
