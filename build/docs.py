"""Writes the pages of docs/ that repeat what the code declares: settings, commands, exit codes, hardware.

``--check`` only compares.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clawmux.catalog import MODELS, SETS  # noqa: E402  (the checkout is on the path only now)
from clawmux.cli.client import help_text  # noqa: E402
from clawmux.cli.main import COMMANDS  # noqa: E402
from clawmux.machine.amounts import GB  # noqa: E402
from clawmux.machine.delays import MEASURED_ON_TWO_CORES  # noqa: E402
from clawmux.settings import FIELD_OF, Declaration, Settings  # noqa: E402
from clawmux.tiers import CORES_FOR_LOW, TIERS, Need  # noqa: E402
from clawmux.wire.cli import VERBS  # noqa: E402
from clawmux.wire.errors import ERRORS  # noqa: E402
from clawmux.wire.words import Tier  # noqa: E402

SETTINGS_HEAD = """\
# Settings

Strength grows in this order: default, `config.toml`, environment variable, command line, and for the few settings marked
*per project* the project's `clawmux.toml`. `clawmux settings` shows the values in force with where each comes from;
`clawmux settings set NAME VALUE` writes `config.toml` and leaves your other lines and comments as they are;
`clawmux settings unset NAME` takes the line out again. In the file, `speech.speed` is the key `speed` in the table
`[speech]`. The page has the same settings behind the gear, or the key `,`.

## Per project

A `clawmux.toml` with the same tables, in the agent's folder or above it up to the root of its repository (without one, up
to your home folder; outside of both, only in the folder itself). The nearest one counts. `clawmux settings set NAME VALUE
--project` writes it for the folder you are in.

It stands above the environment and the command line: those belong to the hub, which serves all projects and was started
some time ago from some shell, while the file lies beside the work that is being talked about.

Because it may come with a repository that a stranger wrote, only settings that can do no harm are taken from it, those
marked below. Anything else in it, such as a command, an address or a permission, is refused by name in a notice and never
obeyed, and a file that cannot be read is named with its line; your own settings serve then. `speech.auto_listen` can only
close a microphone there: where the page is set to manual, or the microphone is muted, no project opens it.

## By hand

What opens the hub, or what you say, to others, and what widens the rights of agents, is marked *by hand*: while the hub runs it
is changed on the page, or by `clawmux settings` in your own shell. A program that shows the API token is answered `forbidden`,
and so is an agent.

## All of them

"""

EXIT_CODES_HEAD = """\
# Exit codes and error codes

Every failure that you can cause has one stable word. The command line ends with its exit code and says text and remedy
on stderr; the HTTP and WebSocket channels answer with `{"type": "error", "code", "text", "remedy"}` and the status.
stdout of `clawmux converse` holds only the user's words, whatever happens; stdout of `clawmux send` the ids of the messages,
and below them what was waited for. What each command can end with stands in [commands.md](commands.md).

| exit code | error code | HTTP status | meaning |
|---|---|---|---|
| 0 | | 200 | done; for `converse`, the user has answered; for `send`, what was waited for has come |
"""

EXIT_CODES_TAIL = """\
| 130, 143 | | | ended by Ctrl-C or SIGTERM; an open question is taken back, a message stays |
| 141 | | | nobody reads stdout any more |
"""


COMMANDS_HEAD = """\
# Commands

## For you

`clawmux COMMAND --help` tells more. With `--json` each prints one object, `{"clawmux": 1, "command", "result"}` or
`{"clawmux": 1, "command", "error": {"code", "text", "remedy"}}`. The exit codes are in [exit-codes.md](exit-codes.md).

| command | what it does |
|---|---|
"""

VERBS_HEAD = """
## For agents

An agent runs these in its shell tool; who it is, the hub knows from the kernel. You can use them, too: from your own shell a
message is from `user`, `messages`, `trace` and `cancel` know the messages of all, and `approve`, `deny` and `interrupt` are yours
alone. stdout is the answer; all else is on stderr.
"""


def commands_page() -> str:
    rows = "".join(_command(name, command.arguments, command.help) for name, command in COMMANDS.items())
    verbs = "".join(f"\n### {name}\n\n```text\n{help_text(name.encode()).decode()}```\n" for name in VERBS)
    return COMMANDS_HEAD + rows + VERBS_HEAD + verbs


def _command(name: str, arguments: str, what: str) -> str:
    words = f"clawmux {name} {arguments}".rstrip().replace("|", "\\|")
    return f"| `{words}` | {what} |\n"


def settings_page() -> str:
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    rows = [_setting(field.metadata["declaration"], defaults[field.name]) for field in dataclasses.fields(Settings)]
    assert len(rows) == len(FIELD_OF)
    head = "| name | default | values | environment variables | what it is |\n|---|---|---|---|---|\n"
    return SETTINGS_HEAD + head + "".join(rows)


def _setting(declaration: Declaration, default: object) -> str:
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    variables = " ".join(f"`{name}`" for name in declaration.environment)
    marks = {
        " Takes effect at the next start of the hub.": not declaration.live,
        " *Per project.*": declaration.project,
        " *By hand.*": declaration.at_hand,
    }
    more = "".join(mark for mark, holds in marks.items() if holds)
    cells = [
        f"`{declaration.name}`",
        shown or "(empty)",
        _values(declaration, default),
        variables,
        _plain(declaration.help) + more,
    ]
    return "| " + " | ".join(cells) + " |\n"


def _plain(text: str) -> str:
    """Text as it stands, not as Markdown would take it."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def _values(declaration: Declaration, default: object) -> str:
    if len(declaration.choices) > 20:
        return "one of " + " ".join(declaration.choices)
    if declaration.choices:
        return ", ".join(declaration.choices)
    if declaration.low is not None and declaration.high is not None:
        return f"{declaration.low:g} to {declaration.high:g}"
    return {bool: "true, false", int: "whole number", float: "number", str: "text"}[type(default)]


def exit_codes_page() -> str:
    rows: Iterable[str] = (
        f"| {row.exit_code} | `{code}` | {row.http_status} | {row.meaning} |\n" for code, row in ERRORS.items()
    )
    return EXIT_CODES_HEAD + "".join(rows) + EXIT_CODES_TAIL


HARDWARE_HEAD = """\
# The machine and its quality tier

ClawMux looks at the machine it runs on, says what it found and takes the quality of speech recognition that fits:
`clawmux doctor` shows both with the reasons, `install.sh --dry-run` shows them before anything is installed. You choose another
tier with `clawmux tier NAME`, in the settings view of the page, or with `install.sh --tier NAME`.

## What is read

| what | from |
|---|---|
| processor: name, AVX2, AVX-512, NEON | Linux: `/proc/cpuinfo`; macOS: `sysctl` |
| processors and memory that we may really use | affinity and the limits of every control group above us, of both versions |
| memory free | `/proc/meminfo` and the control groups; macOS: `vm_stat` |
| Apple Silicon: generation, variant, memory, Rosetta | `sysctl` |
| NVIDIA: each card's name, memory and free memory, compute capability; driver and CUDA version | NVML, in a child process |
| AMD and Intel graphics | `/sys/bus/pci`; named, and not used |
| WSL, Jetson, container | the kernel's name and files that each of them leaves |

Names and sizes only: no serial number, no address, nothing of yours. Nothing is sent anywhere. A reading that fails becomes a
note with its reason, and the rest goes on. NVIDIA's driver is asked only where something hints at a card; one that does not
answer within 8 s, or crashes, costs that child and nothing else.

For a bug report, add the output of `clawmux doctor --json`: it holds everything above.

## Tiers

"""

HARDWARE_TAIL = """
Memory and delay are those of the processor; speaking takes 415 to 690 MB more. Delay: from the end of an utterance of 5 s to its
words, measured on two cores of one x86_64 server with AVX-512 VNNI, in int8 with two threads (for medium and high with weights
of the right size and random content). For your machine every delay is an estimate, and is called one, until the tier is measured
there: *Measure on this machine* in the settings of the page, or `clawmux tier --measure` (docs/speech.md).

How the tier is chosen:

- **NVIDIA**, Linux on x86_64: the best tier whose column *card* is free on the best card, so that a card busy with other programs
  gets a smaller tier, and says so. With less than {low} GB free the processor may be the better choice. Precision by compute
  capability: from 7.0 float16, or int8 with float16 where memory is short; 6.1 int8; 6.0 float32. Older cards are not used,
  nor drivers that serve less than CUDA 12.0, or 12.8 for cards from 9.0 on. Kokoro speaks on the processor: its engine would
  need a second set of CUDA libraries.
- **Apple Silicon**, macOS 14 and later: by all of its memory, column *Apple*.
- **Processor**: low with {cores} processors and AVX2 or NEON, else tiny. Whisper computes a window of 30 s for the shortest
  word, so medium and high answer late on any processor; high, made for graphics cards, later than medium. You can choose them
  all the same where memory allows.
- **Kokoro** speaks in float32, or in int8 where memory is short.
- Where no engine runs (musl, glibc before 2.28, Python other than 3.11 to 3.13, macOS before 14 or on Intel before 13, a
  processor without SSE4.1, 32 bits), the hub still does: speech then comes from another machine (`--speech-url`), or only the
  page is shown here (`--server`).

Not used: NVIDIA on ARM (Jetson, GB10, Grace), because the recogniser's package for ARM carries no CUDA code; AMD and Intel
graphics, because the engines are not built for them.
"""


def hardware_page() -> str:
    head = "| tier | model | memory | card | Apple | delay, two cores | download |\n|---|---|---|---|---|---|---|\n"
    rows = "".join(_tier(tier, need) for tier, need in TIERS.items())
    tail = HARDWARE_TAIL.format(low=_gb(TIERS[Tier.LOW].card_free_bytes), cores=CORES_FOR_LOW)
    return HARDWARE_HEAD + head + rows + tail


def _tier(tier: Tier, need: Need) -> str:
    cells = [
        f"`{tier}`",
        need.model,
        f"{need.processor_bytes >> 20} MB",
        f"{_gb(need.card_free_bytes)} GB free",
        f"{_gb(need.unified_bytes)} GB" if need.unified_bytes else "any",
        f"{MEASURED_ON_TWO_CORES[tier]:g} s",
        f"{sum(MODELS[name].size for name in SETS[tier]) / 1e6:.0f} MB",
    ]
    return "| " + " | ".join(cells) + " |\n"


def _gb(size: int) -> str:
    return f"{size / GB:.1f}".removesuffix(".0")


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "exit-codes.md": exit_codes_page,
    "commands.md": commands_page,
    "hardware.md": hardware_page,
}


def main(argv: list[str]) -> int:
    """Write the pages, or with --check name those that are out of date."""
    stale = []
    for name, page in PAGES.items():
        file = ROOT / "docs" / name
        if file.is_file() and file.read_text(encoding="utf-8") == page():
            continue
        stale.append(name)
        if "--check" not in argv:
            file.write_text(page(), encoding="utf-8")
    if stale and "--check" in argv:
        print(f"out of date: {', '.join(stale)}; run: python3 build/docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
