"""install.ps1: no PowerShell can be had here, so two grammars that know nothing of each other read it, and rules are held."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
import tree_sitter_pwsh

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "install.ps1").read_bytes()
TEXT = SCRIPT.decode("ascii")
LANGUAGES = {
    "powershell": tree_sitter.Language(tree_sitter_powershell.language()),
    "pwsh": tree_sitter.Language(tree_sitter_pwsh.language()),
}
# Without comments, for rules about what is done.
CODE = re.sub(r"(?m)^\s*#.*$", "", TEXT)


def parse(script: bytes, language: str) -> tree_sitter.Node:
    return tree_sitter.Parser(LANGUAGES[language]).parse(script).root_node


def nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def words(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_both_grammars_accept_it(language: str, end: bytes) -> None:
    root = parse(SCRIPT.replace(b"\n", end), language)
    assert [(node.start_point, words(node)) for node in nodes(root) if node.is_error or node.is_missing] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_grammars_would_tell_a_fault(language: str) -> None:
    assert parse(SCRIPT.replace(b"return $true\n}", b"return $true\n", 1), language).has_error


def test_a_cut_copy_runs_nothing() -> None:
    """Wherever it is cut, either a brace is open, which is an error before anything runs, or only functions are there."""
    call = SCRIPT.index(b"\n$ClawMuxExitCode")
    for cut in range(0, call, 7):
        root = parse(SCRIPT[:cut], "pwsh")
        top = [node for child in root.children for node in (child.children if child.type == "statement_list" else [child])]
        ran = [words(node) for node in top if node.type not in ("comment", "function_statement")]
        # A cut in the word function itself is a command that does not exist.
        assert root.has_error or all("function".startswith(text) for text in ran), cut


def test_only_known_commands_and_no_aliases() -> None:
    # A name at the start of a statement, behind a pipe, or inside a bracket.
    used = set(re.findall(r"(?m)(?:^\s*|\|\s*|\(\s*|return |= )([A-Z][a-z]+-[A-Za-z]+)\b", CODE))
    own = set(re.findall(r"(?m)^function (\S+)", CODE))
    known = {
        "Get-Command", "Get-FileHash", "Invoke-WebRequest", "Join-Path", "New-Item", "Out-Host", "Out-Null", "Remove-Item",
        "Set-StrictMode", "Test-Path", "Write-Host",
    }  # fmt: skip
    assert used - own == known
    assert not re.search(r"(?im)(^|[|({;]|return)\s*(irm|iex|iwr|curl|wget|ls|cd|rm|echo|where|foreach-object|%|\?)\s", CODE)


def test_rules() -> None:
    assert "Set-StrictMode -Version 2.0" in CODE and "$ErrorActionPreference = 'Stop'" in CODE
    assert CODE.count("Invoke-WebRequest") == CODE.count("Invoke-WebRequest -UseBasicParsing") == 1
    assert CODE.index("SecurityProtocolType]::Tls12") < CODE.index("Invoke-WebRequest")
    assert CODE.index("Get-FileHash") < CODE.index("tar -xzf")
    # One statement a line, and nothing that PowerShell 5.1 lacks.
    assert not re.search(r";|\?\?|\?\.|&&|\|\|", CODE)
    assert b"\t" not in SCRIPT and b"\r" not in SCRIPT


def test_exit_stands_only_where_a_file_is_run() -> None:
    """Under ``irm ... | iex`` it would close the user's window."""
    assert re.findall(r"(?m)^(.*)\n\s*exit\b", CODE) == ["if ($PSCommandPath) {"]
    assert CODE.count("exit ") == 1


def test_each_answer_is_one_value() -> None:
    """Words go through Write-Host: what is written out would become part of the exit code."""
    assert "Write-Output" not in CODE
    assert all(line.rstrip().endswith("| Out-Host") for line in CODE.splitlines() if re.match(r"\s*& wsl\.exe", line))


def stamps(folder: Path) -> list[tuple[str, str]]:
    """Address and sum in install.ps1 and in install.sh."""
    shell = (folder / "install.sh").read_text(encoding="utf-8")
    text = (folder / "install.ps1").read_text(encoding="ascii")
    pairs = []
    for ours, theirs in (("ReleaseUrl", "release_url"), ("ReleaseSha256", "release_sha256")):
        [mine] = re.findall(rf"(?m)^    \${ours} = '(.*)'$", text)
        [other] = re.findall(rf"(?m)^{theirs}='(.*)'$", shell)
        pairs.append((mine, other))
    return pairs


def test_address_and_sum_are_those_of_install_sh(tmp_path: Path) -> None:
    assert stamps(ROOT) == [("", ""), ("", "")]
    program = str(ROOT / "build" / "release.py")
    command = [sys.executable, program, "--base-url", "https://example.org/v1", "--output", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    [url, digest] = stamps(tmp_path)
    assert url[0] == url[1] and re.fullmatch(r"https://example\.org/v1/clawmux-[^/]+\.tar\.gz", url[0])
    assert digest[0] == digest[1] == hashlib.sha256((tmp_path / url[0].rsplit("/", 1)[1]).read_bytes()).hexdigest()
    for language in LANGUAGES:
        assert not parse((tmp_path / "install.ps1").read_bytes(), language).has_error
