"""Speech on other servers: whether each answers at its address, takes our token, and says that it is well."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from clawmux.checks import web
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict

QUICK_SECONDS = 0.7
DEEP_SECONDS = 4.0
_ENDINGS = ("/audio/transcriptions", "/audio/speech", "/v1")
_HALVES = (("speech.whisper_url", "recognition"), ("speech.kokoro_url", "speaking"))


def servers(scene: Scene) -> Iterable[Finding]:
    urls = (scene.settings.speech_whisper_url, scene.settings.speech_kokoro_url)
    named = [(setting, f"remote {half}", url) for (setting, half), url in zip(_HALVES, urls, strict=True) if url]
    if not named:
        return [Finding(Verdict.SKIP, "remote speech", "No other server is named in the settings.")]
    token = _token(scene.settings.speech_token_file)
    limit = DEEP_SECONDS if scene.deep else QUICK_SECONDS
    with ThreadPoolExecutor(len(named)) as pool:
        return list(pool.map(lambda row: _server(row[0], row[1], row[2], token, limit), named))


def _token(file: str) -> str:
    """Empty where it cannot be read; the files' own check says why."""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip() if file else ""
    except (OSError, ValueError):
        return ""


def _server(setting: str, what: str, url: str, token: str, limit: float) -> Finding:
    address = base_of(url)
    if address is None:
        return Finding(Verdict.FAIL, what, f"{setting} = {url[:80]!r} is no http or https URL.", "Set it as http://HOST:PORT.")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        health = web.get(address, f"{address.path}/health", headers, limit)
        # Servers that are not ours may know no /health, or know it without asking for a token.
        models = web.get(address, f"{address.path}/v1/models", headers, limit)
    except (OSError, http.client.HTTPException, ValueError) as error:
        detail = f"{shown(address)} cannot be reached: {web.reason(error)}."
        return Finding(Verdict.FAIL, what, detail, f"Start that server, or empty the setting {setting}.")
    return judge_server(what, setting, address, health, models, bool(token))


def judge_server(
    what: str, setting: str, address: SplitResult, health: web.Answer, models: web.Answer, has_token: bool
) -> Finding:
    where = shown(address)
    if {health.status, models.status} & {401, 403}:
        remedy = "Put its token into a file with mode 600 and name that in speech.token_file."
        detail = f"{where} refuses the token of speech.token_file." if has_token else f"{where} asks for a token."
        return Finding(Verdict.FAIL, what, detail, remedy)
    told = _object(health.body) if health.status == 200 else {}
    if told.get("state") in ("failed", "missing_models"):
        detail = f"{where} answers, and says that it cannot serve: {told.get('reason') or told['state']}."
        return Finding(Verdict.FAIL, what, detail, "Run `clawmux doctor --deep` on that machine.")
    if told.get("state") == "loading":
        return Finding(Verdict.WARN, what, f"{where} answers, and still loads its engines.", "Look again in a moment.")
    if health.status >= 500 or models.status >= 500:
        detail = f"{where} answers with {max(health.status, models.status)}."
        return Finding(Verdict.FAIL, what, detail, f"Look at that server, or empty the setting {setting}.")
    accepted = " and takes our token" if has_token else ""
    return Finding(Verdict.OK, what, f"{where} answers{accepted}.")


def base_of(url: str) -> SplitResult | None:
    """As clawmux.adapters.speech.remote has it, which loads aiohttp and numpy."""
    try:
        parts = urlsplit(url.strip().rstrip("/"))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    path = parts.path
    for ending in _ENDINGS:
        path = path.removesuffix(ending).rstrip("/")
    return parts._replace(path=path, query="", fragment="") if valid else None


def shown(address: SplitResult) -> str:
    """Without a password."""
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
