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
# Of a hook's JSON the hub needs only the beginning; the rest may be a whole file that the agent has read.
HOOK_LIMIT_BYTES = 262144
# A restart of the hub takes a second or two; after a minute it is not coming back by itself.
RETRY_SECONDS = 60.0
# A hub that answered for so long was alive: its next disappearance is a new one, with a minute of its own.
ALIVE_SECONDS = 5.0
# What only looks is answered at once or not at all.
QUICK_SECONDS = 10.0
# A message whose sender gives up too early is sent twice; the runtimes' shell tools give up after 120 s.
MESSAGE_SECONDS = 90.0
# For an answer, where no other time is given.
LONGEST_WAIT_SECONDS = 120
# The hub itself gives an interrupted agent 5 s to be idle.
INTERRUPT_SECONDS = 20.0
# An agent does nothing while its hook runs. What is missed is seen in its records, or on its screen.
HOOK_SECONDS = 2.0

# These say the same when they are said again under the same request id, and so may outlast a restart of the hub.
PERSISTENT = (b"converse", b"send", b"ack", b"reply", b"report")
WITH_TEXT = (b"converse", b"send", b"reply", b"report", b"deny")
WAITS = (b"--wait-ack", b"--wait-response")


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
            return _print(0, b"", help_text(words[0] if words else b""))
        return _hook() if words[0] == b"hook" else _print(*_carry_out(words))
    except Failed as failure:
        code, text, remedy = failure.args
        return _print(code, f"clawmux: {text}\n{remedy}\n".encode("utf-8", "surrogateescape"), b"")
    except Broken:
        return _print(1, b"clawmux: the hub closed the connection without an answer.\nSee `clawmux logs`.\n", b"")
    except Stopped as stop:
        return 128 + int(stop.args[0])


def help_text(verb: bytes) -> bytes:
    """What --help prints, for one verb or, where it is none, for all; kept in a file of its own, as hardly anybody asks."""
    file = posix.open(__file__.rpartition("/")[0] + "/agent_help.txt", posix.O_RDONLY)
    whole = b""
    while piece := posix.read(file, 65536):
        whole += piece
    posix.close(file)
    sections = [section.partition(b"\n") for section in whole[2:].split(b"\n==")]
    texts = {name.strip(): text.rstrip() + b"\n" for name, _, text in sections}
    return texts.get(verb) or texts[b""]


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
    return not words or words[0] == b"help" or b"--help" in _options(words) or b"-h" in _options(words)


def _options(words: list[bytes]) -> list[bytes]:
    """The words before ``--``."""
    return words[: words.index(b"--")] if b"--" in words else words


def _carry_out(words: list[bytes]) -> tuple[int, bytes, bytes]:
    """One verb: (exit code, stderr, stdout)."""
    verb, request_id = words[0], _new_id()
    if verb in WITH_TEXT:
        words = _with_stdin(words)
    waits = verb == b"send" and any(wait in _options(words) for wait in WAITS)
    try:
        if verb == b"converse":
            return _persist(words, request_id, None)
        if waits:
            return _persist(words, request_id, _waiting_seconds(words))
        if verb in PERSISTENT:
            return _persist(words, request_id, MESSAGE_SECONDS)
        return _exchange(words, request_id, INTERRUPT_SECONDS if verb == b"interrupt" else QUICK_SECONDS)
    except Stopped as stop:
        if waits:
            return _stop_waiting(words, request_id, stop)
        if verb == b"converse":
            resumed = words[words.index(b"--resume") + 1 : words.index(b"--resume") + 2] if b"--resume" in words else []
            _cancel(resumed[0] if resumed else request_id)
        raise


def _waiting_seconds(words: list[bytes]) -> float:
    """By then a hub that lives has said that the time is over."""
    seconds = b"%d" % LONGEST_WAIT_SECONDS
    for word, following in zip(_options(words), words[1:], strict=False):
        if word == b"--timeout":
            seconds = following
        elif word.startswith(b"--timeout="):
            seconds = word[10:]
    # What is no number of seconds is refused at once.
    return MESSAGE_SECONDS + (min(int(seconds), 86400) if seconds.isdigit() else LONGEST_WAIT_SECONDS)


def _persist(words: list[bytes], request_id: bytes, seconds: float | None) -> tuple[int, bytes, bytes]:
    """Ask, and ask again under the same id while the hub is away, until its answer is here as a whole."""
    give_up, pause = 0.0, 0.1
    while True:
        started = time.monotonic()
        try:
            return _exchange(words, request_id, seconds)
        except Broken:
            pass
        except Failed as failure:
            if not give_up or failure.args[0] != 3:
                raise
        now = time.monotonic()
        if not give_up or now - started > ALIVE_SECONDS:
            give_up, pause = now + RETRY_SECONDS, 0.1
        if now + pause > give_up:
            said = (
                "" if words[0] == b"converse" else "; it may have your words: look at `clawmux messages` before you repeat them"
            )
            raise Failed(3, f"the hub went away and did not come back for {RETRY_SECONDS:.0f} s.", _START + said)
        time.sleep(pause)
        pause = min(pause * 2, 1.0)


def _stop_waiting(words: list[bytes], request_id: bytes, stop: Stopped) -> tuple[int, bytes, bytes]:
    """The message stays; its id is asked for once more, under the same request and with the shortest wait."""
    _let_signals_end_us()
    end = len(_options(words))
    try:
        _, _, told = _exchange([*words[:end], b"--timeout", b"1", *words[end:]], request_id, 3.0)
    except (Failed, Broken):
        told = b""
    return 128 + int(stop.args[0]), b"clawmux: no longer waiting.\nSee `clawmux messages` for what became of it.\n", told


def _cancel(request_id: bytes) -> None:
    """Tell the hub that nobody waits any more."""
    _let_signals_end_us()
    try:
        _exchange([b"cancel-converse", request_id], _new_id(), 1.0)
    except (Failed, Broken):
        pass


def _let_signals_end_us() -> None:
    """A second signal ends us at once; the hub then notices by itself."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)


def _hook() -> int:
    """What a hook of the agent's program has to say. It must never disturb the program: whatever happens, 0 and no word."""
    try:
        said = _read_stdin(HOOK_LIMIT_BYTES, to_its_end=True)
        words = [b"hook", b"--", said[:HOOK_LIMIT_BYTES]]
        # A quotation mark inside of a text has a backslash before it, so these words are a value of the JSON itself.
        if b'"PermissionRequest"' in said:
            code, _, out = _persist(words, _new_id(), None)
        else:
            code, _, out = _exchange(words, _new_id(), HOOK_SECONDS)
        if code == 0:
            _print(0, b"", out)
    except (Failed, Broken, Stopped, OSError):
        pass
    return 0


def _exchange(words: list[bytes], request_id: bytes, seconds: float | None) -> tuple[int, bytes, bytes]:
    """One request and its answer: (exit code, stderr, stdout)."""
    body = b"\0".join(words)
    if len(body) > BODY_LIMIT_BYTES and words[0] != b"hook":
        raise Failed(14, "the text is longer than 65536 bytes.", "Say it in short, and name the file with the rest.")
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
_OUTSIDE = (
    'Run it outside of the sandbox; in Codex: again with sandbox_permissions "require_escalated". A plain clawmux command is'
    ' allowed without asking.\nWhere nothing may leave the sandbox your user has to change that: approval_policy = "on-request"'
    " in Codex, or `clawmux settings set agents.skip_permissions true` for agents that are started then."
)


def _connect() -> _socket.socket:
    path = socket_path(posix.environ)
    connection = None
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)  # some sandboxes refuse this already
        # No time limit here: with one, Linux refuses (EAGAIN) when many connect at once, instead of queueing us.
        connection.connect(path)
    except OSError as error:
        if connection is not None:
            connection.close()
        where = path.decode("utf-8", "replace")
        if isinstance(error, PermissionError):
            if error.errno == 1:  # EPERM: no file's mode refuses with that
                raise Failed(3, f"a sandbox keeps this command from the hub's socket {where}.", _OUTSIDE) from None
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
    try:
        text = _read_stdin(BODY_LIMIT_BYTES)
    except OSError as error:
        raise Failed(2, f"TEXT is - but stdin cannot be read: {error}.", "Pipe the text in, or give it as an argument.") from None
    words = [word for word in words if word != b"-"]
    return [*words, text] if b"--" in words else [*words, b"--", text]


def _read_stdin(limit: int, to_its_end: bool = False) -> bytes:
    """What stdin holds without NUL, at least ``limit`` bytes of it; the rest is read only for its writer's sake."""
    pieces, size = [], 0
    while piece := posix.read(0, 65536):
        if size <= limit:
            pieces.append(piece)
            size += len(piece)
        elif not to_its_end:
            break
    return b"".join(pieces).replace(b"\0", b"")


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
