"""A report for people: words wherever there are colours. Plain text in a pipe, rich on a terminal. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from clawmux import __version__
from clawmux.doctor.examination import DEEP_ONLY, NOT_HERE, Grouped, Report
from clawmux.finding import Finding, Verdict
from clawmux.hardware import Gpu, Hardware
from clawmux.tiers import Engine, Recommendation, amount

WORDS = {Verdict.OK: "ok", Verdict.WARN: "warning", Verdict.FAIL: "FAILED", Verdict.SKIP: "-"}
_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red", Verdict.SKIP: "dim"}
_WIDTH = max(map(len, WORDS.values()))

Rows = list[tuple[str, str]]


def card(machine: Hardware) -> Rows:
    """The machine in a few lines: a word and what is so."""
    around = [
        f"in {machine.container}" if machine.container else "",
        f"WSL{machine.wsl}" if machine.wsl else "",
        machine.jetson,
    ]
    system = [f"{machine.system.capitalize()} {machine.release}", machine.architecture, machine.libc, *around]
    rows = [("system", ", ".join(filter(None, system))), ("processor", _processor(machine)), ("memory", _memory(machine))]
    rows += [("graphics", _gpu(gpu)) for gpu in machine.gpus] or [("graphics", "none that can be used")]
    if machine.driver:
        cuda = f", CUDA {machine.cuda[0]}.{machine.cuda[1]}" if machine.cuda else ""
        rows.append(("driver", f"NVIDIA {machine.driver}{cuda}"))
    return rows


def _processor(machine: Hardware) -> str:
    cores = f"{machine.cores:g} cores"
    if machine.cores < machine.cores_of_host:
        cores = f"{machine.cores:g} of {machine.cores_of_host} cores"
    return ", ".join(filter(None, [machine.cpu_name or "unknown", cores, " ".join(sorted(machine.cpu_features))]))


def _memory(machine: Hardware) -> str:
    if not machine.memory_bytes:
        return "unknown"
    total = amount(machine.memory_bytes)
    if machine.memory_bytes < machine.memory_of_host_bytes:
        total += f" of the machine's {amount(machine.memory_of_host_bytes)}"
    return f"{total}, {amount(machine.memory_free_bytes)} free"


def _gpu(gpu: Gpu) -> str:
    facts = [gpu.name]
    if gpu.memory_bytes:
        shared = " shared with the processor" if gpu.is_unified else ""
        free = f", {amount(gpu.free_bytes)} free" if gpu.free_bytes is not None else ""
        facts.append(f"{amount(gpu.memory_bytes)}{shared}{free}")
    if gpu.compute_capability:
        facts.append(f"compute capability {gpu.compute_capability[0]}.{gpu.compute_capability[1]}")
    return ", ".join(facts) + (f"; not used: {gpu.unusable}" if gpu.unusable else "")


def advice(found: Recommendation) -> Rows:
    rows = [("mode", f"{found.mode.value}: {_MODES[found.mode.value]}")]
    if found.mode.value == "local":
        rows += [
            ("quality", found.tier.value),
            ("recognition", _engine(found.recogniser)),
            ("speaking", _engine(found.speaker)),
        ]
    return rows


_MODES = {
    "thin": "only the page here, everything else on another machine",
    "split": "hub and agents here, speech on another machine",
    "local": "everything on this machine",
}


def _engine(engine: Engine) -> str:
    return f"{engine.model} by {engine.package} on {engine.device}, {engine.precision}"


def summary(report: Report) -> str:
    """The last line."""
    verdicts = [row.finding.verdict for row in report.findings]
    failed, warned = verdicts.count(Verdict.FAIL), verdicts.count(Verdict.WARN)
    counts = [_count(failed, "failure"), _count(warned, "warning")]
    return " and ".join(filter(None, counts)) + "." if failed or warned else "All is well."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}" if number else ""


def _groups(report: Report) -> Iterator[tuple[str, list[Finding]]]:
    shown = [row for row in report.findings if row.finding.detail not in _LEFT_OUT]
    order = list(dict.fromkeys(row.group for row in shown))
    shown.sort(key=lambda row: order.index(row.group))
    for group, rows in groupby(shown, key=_group_of):
        yield group, [row.finding for row in rows]


def _group_of(row: Grouped) -> str:
    return row.group


def left_out(report: Report) -> list[str]:
    """One line for each reason, in place of one for each check."""
    lines = []
    for detail, form in _LEFT_OUT.items():
        if names := [row.finding.what for row in report.findings if row.finding.detail == detail]:
            lines.append(form.format(", ".join(names)))
    return lines


_LEFT_OUT = {
    NOT_HERE: "Not needed on this machine, which shows the page of a hub elsewhere: {}.",
    DEEP_ONLY: "Not tried: {}. `clawmux doctor --deep` tries them too.",
}


def plain(report: Report) -> str:
    lines = [f"ClawMux {__version__}"]
    if report.hardware:
        lines += ["", "This machine", *_columns(card(report.hardware))]
    if report.recommendation:
        lines += ["", "Recommended for it", *_columns(advice(report.recommendation))]
        lines += [f"  - {reason}" for reason in report.recommendation.reasons]
    for group, findings in _groups(report):
        lines += ["", group]
        for finding in findings:
            lines.append(f"  {WORDS[finding.verdict].ljust(_WIDTH)}  {finding.what}: {finding.detail}")
            lines += [f"  {' ' * _WIDTH}  {finding.remedy}"] if finding.remedy else []
    return "\n".join([*lines, "", *left_out(report), summary(report)])


def _columns(rows: Rows) -> list[str]:
    width = max(len(word) for word, _ in rows)
    return [f"  {word.ljust(width)}  {text}" for word, text in rows]


def rich_page(report: Report) -> str:
    """For a terminal, as wide as it is. Raises ImportError where rich is not installed."""
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.text import Text

    head: list[object] = [_grid(card(report.hardware))] if report.hardware else []
    if report.recommendation:
        reasons = Text("\n".join(report.recommendation.reasons))
        head += [Text("\nRecommended for it", style="bold"), _grid(advice(report.recommendation)), Text(), reasons]
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(Panel(Group(*head), title=f"ClawMux {__version__} on this machine", title_align="left", border_style="dim"))  # type: ignore[arg-type]
        for group, findings in _groups(report):
            console.print(Text(f"\n{group}", style="bold"))
            console.print(_findings(findings))
        console.print()
        for line in left_out(report):
            console.print(Text(line, style="dim"))
        worst = (Verdict.OK, Verdict.WARN, Verdict.FAIL)[report.exit_code]
        console.print(Text(summary(report), style=_COLOURS[worst]))
    return captured.get().rstrip()


def _grid(rows: Rows) -> object:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for word, text in rows:
        # Text and no markup: a name with square brackets would be read as a colour.
        grid.add_row(Text(word, style="dim"), Text(text))
    return grid


def _findings(findings: Sequence[Finding]) -> object:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=_WIDTH + 2, no_wrap=True)
    for finding in findings:
        told = Text.assemble((finding.what, "bold"), "  ", finding.detail)
        if finding.remedy:
            told.append(f"\n{finding.remedy}", style="cyan" if finding.verdict in (Verdict.WARN, Verdict.FAIL) else "dim")
        grid.add_row(Text(f"  {WORDS[finding.verdict]}", style=_COLOURS[finding.verdict]), told)
    return grid
