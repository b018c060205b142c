"""The agents' verbs: one request over the hub's unix socket, its answer to stdout. Understands no verb itself.

An agent starts this for every sentence it says, as ``python -I -S start_client.py``: what it imports is already in the bare
interpreter, except ``_socket``. It sends the words as they are; the hub parses them (clawmux/wire/cli.py) and answers
with an exit code, the text for stderr and the text for stdout.
"""

import _signal  # type: ignore[import-not-found]  # the builtin under ``signal``; typeshed does not know it
import _socket
import posix
import sys
import time

# The hub allows 65536 bytes of text; a body beyond that and its options is refused here, before it is sent.
BODY_LIMIT_BYTES = 65536 + 4096
# A restart of the hub takes a second or two; after a minute it is not coming back by itself.
RETRY_SECONDS = 60.0
# A hub that answered for so long was alive: its next disappearance is a new one, with a minute of its own.
ALIVE_SECONDS = 5.0
# Only ``converse`` waits for a person. Anything else is answered at once or not at all.
QUICK_SECONDS = 10.0

HELP = """\
usage: clawmux converse TEXT [--no-listen] [--goodbye] [--timeout SECONDS]
       clawmux converse --resume ID
       clawmux status
       clawmux cancel-converse ID

Speaks TEXT to the user and prints what they answer. stdout is only their words; all else is on stderr.

  TEXT               what to say; - reads it from stdin; at most 65536 bytes
  --no-listen        say it and return without waiting for an answer
  --goodbye          say it as the last words of this conversation
  --timeout SECONDS  give up after so long, 1 to 86400 (default: the hub's setting)
  --resume ID        wait on for the answer of a converse that ended with exit code 9
  --                 what follows is TEXT, even if it begins with --

example: clawmux converse "The tests pass. Shall I commit?"

exit codes: 0 answered · 2 wrong arguments · 3 hub not running (start it with `clawmux start`) · 4 no page is open
  5 nothing heard · 6 microphone muted · 7 cancelled · 8 speech failed, the text was shown · 9 still listening:
  run the line that is printed · 12 no such session or converse · 14 text too long · 130 interrupted
"""


class Stopped(BaseException):
    """SIGINT or SIGTERM came; carries its number."""


class Failed(Exception):
    """(exit code, text, remedy): there will be no answer of the hub."""


class Broken(Exception):
    """The connection ended before the whole answer was here."""


def main(words: list[bytes]) -> int:
    """Run one verb; returns the exit code. Owns stdin, stdout, stderr and the signals while it runs."""
    _signal.signal(_signal.SIGTERM, _stop)
    # A shell starts background jobs with SIGINT ignored; that choice is kept.
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _stop)
    try:
        if _asks_for_help(words):
            return _print(0, b"", HELP.encode())
        return _print(*_converse(words) if words[0] == b"converse" else _exchange(words, _new_id(), QUICK_SECONDS))
    except Failed as failure:
        code, text, remedy = failure.args
        return _print(code, f"clawmux: {text}\n{remedy}\n".encode("utf-8", "surrogateescape"), b"")
    except Broken:
        return _print(1, b"clawmux: the hub closed the connection without an answer.\nSee `clawmux logs`.\n", b"")
    except Stopped as stop:
        return 128 + int(stop.args[0])


def socket_path(environ: dict[bytes, bytes], platform: str = sys.platform) -> bytes:
    """Where the hub listens: as clawmux.paths.locate has it, in bytes and without pathlib."""
    if path := environ.get(b"CLAWMUX_SOCKET"):
        return path
    if root := environ.get(b"CLAWMUX_HOME"):
        return root + b"/state/run/hub.sock"
    state = environ.get(b"XDG_STATE_HOME", b"")
    if platform == "darwin":
        state = _home(environ) + b"/Library/Application Support/clawmux/state"
    else:
        state = (state if state.startswith(b"/") else _home(environ) + b"/.local/state") + b"/clawmux"
    return state + b"/run/hub.sock"


def _home(environ: dict[bytes, bytes]) -> bytes:
    if home := environ.get(b"HOME") or environ.get(b"USERPROFILE"):
        return home
    import pwd

    return pwd.getpwuid(posix.getuid()).pw_dir.encode(sys.getfilesystemencoding(), "surrogateescape")


def _asks_for_help(words: list[bytes]) -> bool:
    options = words[: words.index(b"--")] if b"--" in words else words
    return not words or words[0] == b"help" or b"--help" in options or b"-h" in options


def _converse(words: list[bytes]) -> tuple[int, bytes, bytes]:
    """Ask, and ask again under the same id while the hub is away, until its answer is here as a whole."""
    words = _with_stdin(words)
    request_id = _new_id()
    resumed = words[words.index(b"--resume") + 1 : words.index(b"--resume") + 2] if b"--resume" in words else []
    give_up, pause = 0.0, 0.1
    try:
        while True:
            started = time.monotonic()
            try:
                return _exchange(words, request_id, None)
            except Broken:
                pass
            except Failed as failure:
                if not give_up or failure.args[0] != 3:
                    raise
            now = time.monotonic()
            if not give_up or now - started > ALIVE_SECONDS:
                give_up, pause = now + RETRY_SECONDS, 0.1
            if now + pause > give_up:
                raise Failed(3, f"the hub went away and did not come back for {RETRY_SECONDS:.0f} s.", _START)
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
    except Stopped:
        _cancel(resumed[0] if resumed else request_id)
        raise


def _cancel(request_id: bytes) -> None:
    """Tell the hub that nobody waits any more. A second signal ends us at once; the hub then notices by itself."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    try:
        _exchange([b"cancel-converse", request_id], _new_id(), 1.0)
    except (Failed, Broken):
        pass


def _exchange(words: list[bytes], request_id: bytes, seconds: float | None) -> tuple[int, bytes, bytes]:
    """One request and its answer: (exit code, stderr, stdout)."""
    body = b"\0".join(words)
    if len(body) > BODY_LIMIT_BYTES:
        raise Failed(
            14, f"the text is {len(body)} bytes; the limit is 65536.", "Say it in short, and name the file with the rest."
        )
    head = (
        b"POST /cli/%s HTTP/1.1\r\nHost: clawmux\r\nContent-Type: application/x-clawmux-argv\r\n"
        b"Clawmux-Request: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    ) % (_session(), request_id, len(body))
    connection = _connect()
    try:
        connection.settimeout(seconds)
        try:
            connection.sendall(head + body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a hub that refuses early has answered already
        return _answer(connection)
    except (ConnectionResetError, BrokenPipeError):
        raise Broken from None
    except ValueError:
        raise Failed(1, "the hub's answer has a header that is no number.", "Another program may hold its socket.") from None
    except TimeoutError:
        raise Failed(24, f"the hub did not answer within {seconds:.0f} s.", "See `clawmux logs`.") from None
    finally:
        connection.close()


_START = "start it with `clawmux start`"


def _connect() -> _socket.socket:
    path = socket_path(posix.environ)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        # No time limit here: with one, Linux refuses (EAGAIN) when many connect at once, instead of queueing us.
        connection.connect(path)
    except OSError as error:
        connection.close()
        where = path.decode("utf-8", "replace")
        if isinstance(error, PermissionError):
            raise Failed(
                3, f"the hub's socket {where} belongs to another user.", "Run this as the user who started the hub."
            ) from None
        raise Failed(3, f"the hub is not running (nothing answers on {where}).", _START) from None
    return connection


def _session() -> bytes:
    """Our session as a hint for the log; the hub knows who calls from the socket itself."""
    name = posix.environ.get(b"CLAWMUX_SESSION_ID") or posix.environ.get(b"VOICE_HUB_SESSION_ID") or b"-"
    return name if name.replace(b"-", b"").replace(b"_", b"").isalnum() else b"-"


def _answer(connection: _socket.socket) -> tuple[int, bytes, bytes]:
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _receive(connection)
    headers = {}
    for line in data[:end].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    pieces, have = [data[end + 4 :]], len(data) - end - 4
    length = int(headers.get(b"content-length", b"0"))
    while have < length:
        pieces.append(_receive(connection))
        have += len(pieces[-1])
    body = b"".join(pieces)
    if b"clawmux-exit" not in headers:
        raise Failed(
            1,
            "the hub gave an answer this client does not understand: " + body[:300].decode("utf-8", "replace"),
            "See `clawmux logs`.",
        )
    cut = int(headers.get(b"clawmux-stderr", b"0"))
    return int(headers[b"clawmux-exit"]), body[:cut], body[cut:length]


def _receive(connection: _socket.socket) -> bytes:
    data = connection.recv(262144)
    if not data:
        raise Broken
    return data


def _with_stdin(words: list[bytes]) -> list[bytes]:
    """The words with ``-`` replaced by what stdin holds; as the last word, so that it may begin with dashes."""
    if b"-" not in words:
        return words
    pieces, size = [], 0
    try:
        while size <= BODY_LIMIT_BYTES and (piece := posix.read(0, 65536)):
            pieces.append(piece)
            size += len(piece)
    except OSError as error:
        raise Failed(2, f"TEXT is - but stdin cannot be read: {error}.", "Pipe the text in, or give it as an argument.") from None
    text = b"".join(pieces).replace(b"\0", b"")
    words = [word for word in words if word != b"-"]
    return [*words, text] if b"--" in words else [*words, b"--", text]


def _print(code: int, stderr: bytes, stdout: bytes) -> int:
    try:
        _write(2, stderr)
    except OSError:
        pass  # nobody reads our remarks; the answer and the exit code still count
    try:
        _write(1, stdout)
    except BrokenPipeError:
        return 141  # 128 + SIGPIPE, what a shell expects of the left side of `| head -1`
    except OSError as error:
        # The words were said once and would be lost: stderr is better than nowhere.
        return _print(1, f"clawmux: stdout cannot be written ({error}); it should have been:\n".encode() + stdout, b"")
    return code


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[posix.write(descriptor, view) :]
        except BlockingIOError:
            time.sleep(0.01)  # the pipe is non-blocking (Node's are) and its reader is slow


def _new_id() -> bytes:
    return posix.urandom(16).hex().encode()


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)


def run() -> None:
    """The whole program. Leaving by _exit skips the interpreter's clean-up; all output is written by then."""
    posix._exit(main([word.encode(sys.getfilesystemencoding(), "surrogateescape") for word in sys.argv[1:]]))


if __name__ == "__main__":
    run()
