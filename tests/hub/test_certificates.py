"""The hub starts without the system's certificates; whoever needs them later has them, and nothing passes unverified."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, ssl
from clawmux.hub import service
service._the_app(0o077)
from aiohttp import connector
used, later = connector._SSL_CONTEXT_VERIFIED, ssl.create_default_context()
print(json.dumps([used.cert_store_stats()["x509"], used.verify_mode, used.check_hostname, later.cert_store_stats()["x509"]]))
"""


def test_certificates_are_read_by_those_who_need_them_only() -> None:
    here = ssl.create_default_context().cert_store_stats()["x509"]
    if not here:
        pytest.skip("OpenSSL finds no certificates on this machine")
    run = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(run.stdout) == [0, ssl.CERT_REQUIRED, True, here]
