"""This machine's addresses in its networks. Sends nothing."""

from __future__ import annotations

import re
import socket

from clawmux.adapters.authority import is_private


def local_address() -> str:
    """The private IPv4 address from which this machine reaches others; empty where it has none."""
    # Connecting a datagram socket only asks the routing table. The address is one of those for documentation (RFC 5737).
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found = str(probe.getsockname()[0])
        except OSError:
            return ""
    return found if is_private(found) and not found.startswith("127.") else ""


def local_name() -> str:
    """What this machine is called by multicast DNS, where something answers that; empty when its name cannot be one."""
    name = socket.gethostname().partition(".")[0].lower()
    return f"{name}.local" if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name) else ""
