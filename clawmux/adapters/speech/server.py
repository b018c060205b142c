"""`clawmux speech`: the engines as a service, on a unix socket for the hub or on TCP with a token for another machine.

The port opens first and the engines load behind it; /health says how far they are. The user's words reach no log.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import logging
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from clawmux import paths, settings
from clawmux.adapters.speech.choice import here
from clawmux.adapters.speech.endpoints import ENGINES, add_routes
from clawmux.adapters.speech.engines import Config, Engines, Loaders
from clawmux.adapters.speech.local import ModelFiles, log, safe_trace
from clawmux.adapters.speech.serving import Address, opened, watching
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier

BODY_BYTES = 26 * 1024 * 1024
_TOKEN_CHARACTERS = 16


def main(argv: list[str]) -> int:
    """Serve until SIGTERM, the end of stdin (a pipe) or of the parent; 0, or an exit code of ERRORS."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Engines quote what they work on: phonemes, prompts, texts. phonemizer sets its own level again, so: disabled.
    for name in ("kokoro_onnx", "phonemizer", "faster_whisper", "pywhispercpp.model", "aiohttp.server", "aiohttp.web", "asyncio"):
        logging.getLogger(name).disabled = True
    try:
        options = read_arguments(argv)
        is_busy = asyncio.run(_serve(options))
    except ClawMuxError as error:
        print(f"clawmux speech: {error.text} {error.remedy}".strip(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    if is_busy:
        # A model is at work in a thread that nothing can interrupt; its libraries may crash when torn down under it.
        sys.stderr.flush()
        os._exit(0)
    return 0


@dataclass(frozen=True, slots=True)
class Options:
    config: Config
    models: Path
    mirror: str
    address: Address
    token: str | None = None
    parent_pid: int | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise ClawMuxError("usage", f"speech: {message}.", "See: clawmux speech --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="clawmux speech", description="Recognition and speaking as a service, for the hub or for a machine with a GPU."
    )
    parser.add_argument("--socket", type=Path, metavar="PATH", help="unix socket to serve on (default: the one the hub uses)")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on, with --port (default: %(default)s)")
    parser.add_argument("--port", type=int, help="TCP port to serve on; needs --token-file")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="file with the token that clients send as a bearer token; mode 600"
    )
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM certificate chain, to serve https")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of --tls-certificate")
    parser.add_argument(
        "--quality", choices=[tier.value for tier in Tier], help="recognition tier (default: setting speech.quality)"
    )
    parser.add_argument("--parent-pid", type=int, metavar="PID", help="end when that process has ended")
    return parser


def read_arguments(argv: list[str]) -> Options:
    given = _parser().parse_args(argv)
    places = paths.locate()
    chosen = settings.load(places.config_file, overrides={"speech.quality": given.quality} if given.quality else None)
    token_file = chosen.speech_token_file
    remote_token = read_token(Path(token_file).expanduser()) if token_file else ""
    config = Config(chosen.speech_quality, chosen.speech_whisper_url, chosen.speech_kokoro_url, remote_token)
    address, token = _address(given, places.speech_socket)
    return Options(config, places.models, chosen.models_mirror, address, token, given.parent_pid)


def _address(given: argparse.Namespace, usual_socket: Path) -> tuple[Address, str | None]:
    if given.port is None:
        if given.token_file or given.tls_certificate:
            raise _usage("--token-file and --tls-certificate go with --port", "See: clawmux speech --help")
        return Address(given.socket or usual_socket), None
    if given.socket:
        raise _usage("--socket and --port were both given", "Choose one.")
    if given.token_file is None:
        raise _usage("--port needs --token-file; TCP is never served without a token", "Write a long random one, mode 600.")
    address = Address(None, given.host, given.port, _tls(given.tls_certificate, given.tls_key))
    return address, read_token(given.token_file)


def _usage(what: str, remedy: str) -> ClawMuxError:
    return ClawMuxError("usage", f"speech: {what}.", remedy)


def read_token(file: Path) -> str:
    """The token in a file that only we can read."""
    try:
        paths.check_private(file)
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ClawMuxError(
            "bad_file", f"the token file {file} cannot be read ({error.strerror}).", "Write the token there, mode 600."
        ) from None
    except UnicodeDecodeError:
        raise ClawMuxError(
            "bad_file", f"the token file {file} is not UTF-8 text.", "Write a token of ASCII characters there."
        ) from None
    if len(token) < _TOKEN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
        raise ClawMuxError(
            "bad_file",
            f"the token file {file}: one token of at least {_TOKEN_CHARACTERS} ASCII characters was expected.",
            "Try: openssl rand -hex 32",
        )
    return token


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ClawMuxError(
            "bad_file", f"--tls-certificate {certificate}: {error}.", "Give PEM files of a certificate chain and its key."
        ) from None
    return context


# --- the application ----------------------------------------------------------------------------


def build_app(engines: Engines, token: str | None) -> web.Application:
    """Without a token only for a unix socket, whose mode is the credential."""
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[_errors, _bearer(token)])
    app[ENGINES] = engines
    add_routes(app)
    app.cleanup_ctx.append(_running_engines)
    return app


async def _running_engines(app: web.Application) -> AsyncIterator[None]:
    app[ENGINES].start()
    yield
    await app[ENGINES].close()


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ClawMuxError as error:
        return _refusal(error)
    except web.HTTPException as error:
        code = {404: "not_found", 405: "usage", 413: "too_large"}.get(error.status, "usage")
        answer = web.json_response(
            ClawMuxError(code, f"{request.method} {request.path[:80]}: {error.reason}.").to_wire(), status=error.status
        )
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except ConnectionError:
        raise  # The client has gone: nobody is left to tell.
    except Exception as error:  # The boundary of one request: the service goes on.
        log.error("%s %s failed: %s", request.method, request.path, safe_trace(error))
        return _refusal(ClawMuxError("internal", "the speech service failed; its log says where."))


def _refusal(error: ClawMuxError) -> web.StreamResponse:
    return web.json_response(error.to_wire(), status=error.http_status)


def _bearer(token: str | None) -> Middleware:
    wanted = None if token is None else f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: _Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if wanted is not None and not hmac.compare_digest(given, wanted):
            raise ClawMuxError(
                "unauthorized",
                "Authorization: the bearer token of this speech service was expected.",
                "Set speech.token_file to a file with its token.",
            )
        return await handler(request)

    return check


# --- serving ------------------------------------------------------------------------------------


async def _serve(options: Options) -> bool:
    """Until told to end; whether an engine was still at work."""
    from clawmux.adapters.models import ModelStore

    files: ModelFiles = ModelStore(options.models, options.mirror)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_stray)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)
    engines = Engines(options.config, files, Loaders(choose=here))
    app = build_app(engines, options.token)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    async with _set_up(runner), opened(runner, options.address), watching(options.parent_pid, over):
        await over.wait()
        log.info("ending")
    return engines.is_busy


def _log_stray(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Instead of asyncio's own, which prints messages of errors, and with them what was said."""
    error = context.get("exception")
    log.error("stray error: %s", safe_trace(error) if isinstance(error, BaseException) else context.get("message"))


@asynccontextmanager
async def _set_up(runner: web.AppRunner) -> AsyncIterator[None]:
    await runner.setup()
    try:
        yield
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
