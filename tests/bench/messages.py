"""Row ``messages``: an agent's ``clawmux send`` from its shell to the moment at which a program in another agent's pane has
the text, with the message on the disk in between; with more and more agents; how many messages a second become durable; and
what the deciding alone takes.

The recipient takes an Enter at once: what real programs need besides, their manifests say, and their tests measure.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

from clawmux.adapters.runtimes.launcher import write_launcher
from clawmux.core.broker import Broker
from clawmux.core.loops import RATE_LIMIT
from clawmux.core.message import Changed, Message
from tests.bench import reader, shell
from tests.bench.figure import Figure, Target
from tests.bench.rounds import percentile, run_program
from tests.live_hub import ROOT, LiveHub
from tests.waiting import until_answer

# Against a Python that does nothing, in the same shell: median with median, p99 with p99, so that other load falls on both.
MEDIAN_TARGET = Target(ratio=2.0)
P99_TARGET = Target(ratio=5.0)
FLAT_TARGET = Target(ratio=1.3)
AGENTS = (10, 100, 500)
# As in the row ``command``; a p99 wants some more.
TIMES = 20
SENDERS = 9
"""They take turns: one alone may send so many in a minute only."""
TEXT = "All the tests pass now, and the branch is ready. Which port does the service use?"
READ_SECONDS = 20.0
# Many commands at once, as the hub sees them.
AT_ONCE = 50
DURABLE = 2000
SETTLED = 20_000


async def measure(rounds: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        fleets = [await stack.enter_async_context(fleet(count)) for count in AGENTS]
        figures = await latency(rounds * TIMES, fleets)
        figures.append(await durable(fleets[0]))
    return figures + deciding()


# -- from a shell to a program in a pane --


@dataclass(slots=True)
class Fleet:
    """A hub with agents that do nothing, but for one that reads, and some whose shells send."""

    hub: LiveHub
    launcher: str
    senders: list[str]
    idle: list[str]
    recipient: str
    reading: socket.socket
    """Where the recipient tells what it has read."""
    answering: socket.socket
    """Where the shells tell what became of a command."""
    count: int = 0

    def run(self, session: str, *words: str) -> tuple[float, float]:
        """A command in the shell of that session: when it has begun, and how many milliseconds it took."""
        self.answering.sendto("\0".join(words).encode(), str(self.hub.paths.sessions / session / "shell"))
        started, ended, code = self.answering.recv(65536).split()
        if int(code):
            raise AssertionError(f"{' '.join(words)} ended with status {code.decode()}")
        return float(started), (float(ended) - float(started)) * 1000

    def bare(self) -> float:
        return self.run(self.senders[0], sys.executable, "-I", "-S", "-c", "pass")[1]

    def send(self) -> tuple[float, float]:
        """Milliseconds from the start of the command until the recipient has the text, and until the command has ended."""
        sender, self.count = self.senders[self.count % len(self.senders)], self.count + 1
        started, took = self.run(sender, self.launcher, "send", "--to", self.recipient, f"{TEXT} {self.count}")
        at, text = self.reading.recv(65536).split(b" ", 1)
        if not text.endswith(f" {self.count}".encode()):
            raise AssertionError(f"the recipient got {text!r}")
        self.acknowledge(text)
        return (float(at) - started) * 1000, took

    def acknowledge(self, text: bytes) -> None:
        """Outside of what is measured: what nobody acknowledges is typed again."""
        message_id = text.split(b"id:", 1)[1].split(b" ", 1)[0].decode()
        run_program([self.launcher, "ack", message_id], {**self.hub.environ, "CLAWMUX_SESSION_ID": self.recipient})


@asynccontextmanager
async def fleet(count: int) -> AsyncIterator[Fleet]:
    async with LiveHub("stand-in") as hub:
        with _socket(hub.home / "reading") as reading, _socket(hub.home / "answering") as answering:
            python = sys.executable
            texts = {
                "reader": reader.MANIFEST.format(python=python, reader=reader.__file__, socket=hub.home / "reading"),
                "bench-shell": shell.MANIFEST.format(python=python, shell=shell.__file__),
            }
            for name, text in texts.items():
                (hub.paths.user_runtimes / f"{name}.toml").write_text(text)
            recipient = await hub.spawn("reader")
            senders = [await hub.spawn("bench-shell") for _ in range(SENDERS)]
            idle = [await hub.spawn() for _ in range(count - SENDERS - 1)]
            await until_answer(lambda: _all_up(hub), 90)
            launcher = write_launcher(hub.home / "bench", Path(python), ROOT)
            yield Fleet(hub, str(launcher), senders, idle, recipient, reading, answering)


@contextmanager
def _socket(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(path))
        made.settimeout(READ_SECONDS)
        yield made


async def _all_up(hub: LiveHub) -> bool:
    return all(session["state"] != "starting" for session in await hub.call("GET", "/api/sessions"))


async def latency(times: int, fleets: Sequence[Fleet]) -> list[Figure]:
    bare: list[float] = []
    read: list[list[float]] = [[] for _ in fleets]
    answered: list[float] = []
    for number in range(times + 1):
        await _within_the_rate(number, fleets[0])
        floor = fleets[0].bare()
        # The one that comes first after the wait differs from round to round.
        order = [(number + n) % len(fleets) for n in range(len(fleets))]
        took = {at: fleets[at].send() for at in order}
        if not number:
            continue
        bare.append(floor)
        answered.append(took[0][1])
        for at, values in enumerate(read):
            values.append(took[at][0])
    floor, first = median(bare), read[0]
    note = f"{times} messages"
    slowest, slowest_bare = percentile(first, 0.99), percentile(bare, 0.99)
    figures = [
        Figure("shell to the text read in another pane", "ms", median(first), floor, MEDIAN_TARGET, note),
        Figure("the same, p99", "ms", slowest, slowest_bare, P99_TARGET, f"{slowest / floor:.2f} x the floor's median"),
        Figure("shell to the durable id", "ms", median(answered), floor),
    ]
    for count, values in zip(AGENTS[1:], read[1:], strict=True):
        figures.append(
            Figure(f"read, with {count} agents", "ms", median(values), median(first), FLAT_TARGET, f"floor: {AGENTS[0]}")
        )
    return figures


async def _within_the_rate(number: int, fleet: Fleet) -> None:
    """Wait where the guard against loops would refuse more messages from one to another."""
    if number and number % (RATE_LIMIT * len(fleet.senders) - len(fleet.senders)) == 0:
        await asyncio.sleep(60)


# -- many at once --


async def durable(fleet: Fleet) -> Figure:
    """Milliseconds a message, from agents that send all at once to agents that do not read; we send for them."""
    pairs = [(a, b) for a in fleet.senders for b in fleet.senders if a != b]
    work = [pairs[n % len(pairs)] for n in range(DURABLE)]
    connector = aiohttp.UnixConnector(str(fleet.hub.paths.hub_socket), limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as http:
        queue = iter(work)

        async def sender() -> None:
            for number, (one, other) in enumerate(queue):
                body = b"\0".join([b"send", b"--to", other.encode(), f"{TEXT} {number}".encode()])
                headers = {"Clawmux-Request": secrets.token_hex(8), "Content-Type": "application/x-clawmux-argv"}
                async with http.post(f"http://clawmux/cli/{one}", data=body, headers=headers) as response:
                    if response.status != 200:
                        raise AssertionError(f"send was answered {response.status}: {await response.text()}")

        started = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
        took = time.perf_counter() - started
    each = took * 1000 / len(work)
    note = f"{len(work) / took:.0f} a second, {AT_ONCE} at once; floor: a commit"
    return Figure("a message made durable", "ms", each, _commit_ms(), note=note)


def _commit_ms() -> float:
    """One row, committed by SQLite as the store does it, on the disk of the home folders."""
    with tempfile.TemporaryDirectory(prefix="cm") as folder:
        store = sqlite3.connect(f"{folder}/db", isolation_level=None)
        for pragma in ("journal_mode = wal", "synchronous = full"):
            store.execute(f"PRAGMA {pragma}")
        store.execute("CREATE TABLE messages (n INTEGER PRIMARY KEY, text TEXT)")
        took = []
        for _ in range(200):
            started = time.perf_counter()
            store.execute("INSERT INTO messages (text) VALUES (?)", (TEXT,))
            took.append((time.perf_counter() - started) * 1000)
        store.close()
    return median(took)


# -- deciding alone --


def deciding() -> list[Figure]:
    """A message's whole way through the broker: sent, typed, acknowledged; with lanes that all have something under way, and
    with many messages that were settled long ago."""
    brokers = {lanes: _broker(lanes) for lanes in AGENTS}
    took: dict[int, list[float]] = {lanes: [] for lanes in AGENTS}
    for n in range(2000):
        for lanes, broker in brokers.items():
            started = time.perf_counter()
            _go(broker, f"new-{n}", f"agent-{n % lanes}", 1 + n / 100)
            took[lanes].append((time.perf_counter() - started) * 1e6)
    first, *more = AGENTS
    floor = median(took[first])
    return [
        Figure(f"broker alone, a message's way, {first} agents", "us", floor, note=f"{SETTLED} settled before"),
        *(Figure(f"the same, {lanes} agents", "us", median(took[lanes]), floor, FLAT_TARGET) for lanes in more),
    ]


def _broker(lanes: int) -> Broker:
    broker = Broker()
    for n in range(SETTLED):
        _go(broker, f"settled-{n}", f"agent-{n % lanes}", 0.0)
    for n in range(lanes):
        _type(broker, f"pending-{n}", f"agent-{n}", 0.0)
    return broker


def _go(broker: Broker, message_id: str, recipient: str, now: float) -> None:
    _type(broker, message_id, recipient, now)
    broker.ack(message_id, recipient, now)
    broker.deadline()
    broker.tick(now)


def _type(broker: Broker, message_id: str, recipient: str, now: float) -> None:
    effects = broker.send(Message(message_id, "sky", recipient, TEXT), now)
    assert isinstance(effects[0], Changed)
    broker.deadline()
    broker.typed(recipient, (message_id,), True, now)
