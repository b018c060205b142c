"""Manifests: what is refused and how it is named, and what a session is given."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from clawmux.adapters.runtimes import manifest
from clawmux.adapters.runtimes.launch import Facts, Launch, prepare
from clawmux.adapters.runtimes.launcher import write_launcher
from clawmux.adapters.runtimes.manifest import Runtime, available, load_runtime, load_runtimes, needs_user
from clawmux.adapters.runtimes.manifest_keys import INPUT_KEYS, NEED_KEYS, RUNTIME_KEYS, SCREEN_KEYS
from clawmux.wire.errors import ClawMuxError

SHIPPED = Path(manifest.__file__).parent
GOOD = 'title = "X"\nprogram = "x"\nready = "first_contact"\n'


def facts(tmp_path: Path, **changed: Any) -> Facts:
    given: dict[str, Any] = {
        "session_id": "af_sky",
        "name": 'sky "the \\ first" é\n',
        "voice": "af_sky",
        "directory": tmp_path / "work",
        "folder": tmp_path / "own folder",
        "socket": tmp_path / "hub.sock",
        "interpreter": Path("/usr/bin/python3"),
        "package_root": Path("/opt/claw mux"),
        "environ": {"PATH": "/usr/bin", "HOME": "/home/u", "SHELL": "/bin/zsh"},
    }
    (tmp_path / "own folder").mkdir(exist_ok=True)
    return Facts(**{**given, **changed})


def prepared(name: str, tmp_path: Path, **changed: Any) -> Launch:
    return prepare(load_runtimes(tmp_path / "none")[name], facts(tmp_path, **changed))


def test_the_shipped_ones_load() -> None:
    assert set(load_runtimes(Path("/no/such/folder"))) == {"claude", "codex", "demo", "opencode", "shell"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + "colour = 1", ["colour", "is not a key", "title"]),
        ('program = "x"\nready = "x"', ["title", "missing", "a text"]),
        ('title = "x"\nready = "x"', ["program", "missing"]),
        ('title = "x"\nprogram = "x"', ["ready", "missing"]),
        ('title = 1\nprogram = "x"\nready = "x"', ["title", "1", "a text"]),
        ('title = "x"\nprogram = ""\nready = "x"', ["program", "name or path"]),
        ('title = "x"\nprogram = "x"\nready = "("', ["ready", "regular expression"]),
        (GOOD + 'arguments = "-x"', ["arguments", "a list of texts"]),
        (GOOD + "arguments = [1]", ["arguments", "a list of texts"]),
        (GOOD + 'arguments = ["{nmae}"]', ["{nmae}", "arguments", "{name}"]),
        (GOOD + 'instructions = "{instructions}"', ["{instructions}", "instructions"]),
        (GOOD + "converse_limit_seconds = -1", ["converse_limit_seconds", "seconds"]),
        (GOOD + "converse_limit_seconds = true", ["converse_limit_seconds", "seconds"]),
        (GOOD + "converse_limit_seconds = inf", ["converse_limit_seconds", "seconds"]),
        (GOOD + '[environment]\n"A-B" = "x"', ["environment", "variable names"]),
        (GOOD + "[environment]\nA = 1", ["environment", "variable names"]),
        (GOOD + '[files]\n"/etc/passwd" = "x"', ["files", "relative paths"]),
        (GOOD + '[files]\n"../x" = "x"', ["files", "relative paths"]),
        (GOOD + '[input]\nframe = "x"', ["input.prompt", "missing"]),
        (GOOD + '[input]\nprompt = "x"\nprompts = "y"', ["input.prompts", "is not a key"]),
        (GOOD + '[input]\nprompt = "x"\nchunk_chars = 1.5', ["input.chunk_chars", "whole number"]),
        (GOOD + '[input]\nprompt = "x"\nstash_key = "C-s"', ["input.stash_key", "control character"]),
        (GOOD + '[[needs]]\nscreen = "x"', ["needs[0].reason", "missing"]),
        (GOOD + '[[needs]]\nscreen = "["\nreason = "x"', ["needs[0].screen", "regular expression"]),
        (GOOD + '[[screens]]\nscreen = "x"', ["screens[0].activity", "missing"]),
        (GOOD + '[[screens]]\nscreen = "x"\nactivity = "asleep"', ["screens[0].activity", "'asleep'", "needs_you"]),
        (GOOD + '[[screens]]\nscreen = "x"\nactivity = "idle"\nkind = "nap"', ["screens[0].kind", "'nap'", "rate_limit"]),
        (GOOD + '[[screens]]\nscreen = "("\nactivity = "idle"', ["screens[0].screen", "regular expression"]),
        (GOOD + '[[screens]]\nscreen = "x"\nactivity = "idle"\nlines = -1', ["screens[0].lines", "whole number"]),
        (GOOD + "interrupt_presses = 9", ["interrupt_presses", "1 to 3"]),
        (GOOD + 'interrupt_key = "Escape"', ["interrupt_key", "one to four characters"]),
        (GOOD + "channel = 1", ["channel", "a table"]),
        (GOOD + "[channel]\nfirst = true", ["channel.kind", "missing"]),
        (GOOD + '[channel]\nkind = "x"\nfirst = 1', ["channel.first", "true or false"]),
        (GOOD + 'arguments = ["{secret}"]', ["{secret}", "arguments"]),
        (GOOD + "install = \n", ["line 4"]),
        ("\0", ["line 1"]),
    ],
)
def test_a_broken_manifest_names_file_key_and_what_was_expected(tmp_path: Path, text: str, named: list[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ClawMuxError) as caught:
        load_runtimes(tmp_path)
    assert caught.value.code == "bad_file"
    assert all(words in caught.value.text for words in [str(file), *named]), caught.value.text


def test_bad_bytes_and_bad_names(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff")
    with pytest.raises(ClawMuxError, match=r"mine\.toml"):
        load_runtime(tmp_path / "mine.toml")
    (tmp_path / "My Own.toml").write_text(GOOD)
    with pytest.raises(ClawMuxError, match="small letters"):
        load_runtime(tmp_path / "My Own.toml")


def test_a_users_file_takes_the_shipped_ones_place(tmp_path: Path) -> None:
    (tmp_path / "claude.toml").write_text(GOOD)
    (tmp_path / "mine.toml").write_text(GOOD)
    runtimes = load_runtimes(tmp_path)
    assert runtimes["claude"].title == "X" and "mine" in runtimes


def test_every_key_is_explained_in_claude_toml() -> None:
    text = (SHIPPED / "claude.toml").read_text()
    keys = {*RUNTIME_KEYS, *NEED_KEYS, *SCREEN_KEYS, *INPUT_KEYS}
    assert [key for key in keys if key not in text] == []


def test_available(tmp_path: Path) -> None:
    runtime = Runtime("x", "X", "no-such-program", "first_contact", install="make it")
    assert available(runtime, {"PATH": "/usr/bin"}) == "no-such-program is not installed. Install it: make it"
    assert available(Runtime("x", "X", "sh", "."), {"PATH": "/usr/bin:/bin"}) is None
    shipped = load_runtimes(tmp_path)
    assert available(shipped["demo"], {"PATH": ""}) is None
    assert available(shipped["shell"], {"PATH": "", "SHELL": "/bin/sh"}) is None
    (tmp_path / ".local" / "bin").mkdir(parents=True)
    (tmp_path / ".local" / "bin" / "claude").write_text("#!/bin/sh\n")
    (tmp_path / ".local" / "bin" / "claude").chmod(0o755)
    assert available(shipped["claude"], {"PATH": "/nothing", "HOME": str(tmp_path)}) is None


def test_needs_user_fills_in_the_name() -> None:
    claude = load_runtimes(Path("/none"))["claude"]
    assert "clawmux attach sky" in (needs_user(claude, "x\n Yes, I trust this folder", "sky") or "")
    assert needs_user(claude, "❯ ", "sky") is None


@pytest.mark.parametrize("name", ["claude", "codex", "demo", "opencode", "shell"])
def test_every_agent_gets_its_identity_and_only_its_own_folder_is_written(name: str, tmp_path: Path) -> None:
    launch = prepared(name, tmp_path)
    own = tmp_path / "own folder"
    assert launch.environ["CLAWMUX_SESSION_ID"] == launch.environ["VOICE_HUB_SESSION_ID"] == "af_sky"
    assert launch.environ["CLAWMUX_SOCKET"] == str(tmp_path / "hub.sock")
    assert launch.environ["PATH"].split(":")[:2] == [f"{own}/bin", "/usr/bin"]
    assert set(launch.files) == {path for path in own.rglob("*") if path.is_file()}
    assert list(tmp_path.iterdir()) == [own]
    assert all(path.stat().st_mode & 0o077 == 0 for path in own.rglob("*"))
    again = prepared(name, tmp_path)
    assert (launch.environ, launch.files) == (again.environ, again.files)
    assert without_ports(launch.argv) == without_ports(again.argv)
    assert not any(re.search(r"\{(json:)?[a-z_]+\}", word) for word in launch.argv)


def without_ports(argv: tuple[str, ...]) -> list[str]:
    return [word for word in argv if not word.isdigit()]


def test_each_opencode_has_a_port_of_its_own(tmp_path: Path) -> None:
    """Of their own choice all of them listen on 4096 together, and one gets what is meant for another."""
    launches = [prepared("opencode", tmp_path) for _ in range(2)]
    first, second = (int(launch.argv[launch.argv.index("--port") + 1]) for launch in launches)
    assert first != second and min(first, second) > 0


def test_claude_code_files(tmp_path: Path) -> None:
    launch = prepared("claude", tmp_path, environ={"PATH": "/usr/bin", "ANTHROPIC_API_KEY": "k", "OTHER_SECRET": "s"})
    own = tmp_path / "own folder"
    settings = json.loads((own / "claude" / "settings.json").read_text())
    assert settings["skipDangerousModePermissionPrompt"] is True
    assert int(settings["env"]["BASH_MAX_TIMEOUT_MS"]) >= 3_600_000 <= int(settings["env"]["BASH_DEFAULT_TIMEOUT_MS"])
    server = json.loads((own / ".mcp.json").read_text())["mcpServers"]["clawmux"]
    assert server["command"] == str(own / "bin" / "clawmux") and server["args"] == ["mcp"]
    assert server["env"]["VOICE_HUB_SESSION_ID"] == server["env"]["CLAWMUX_SESSION_ID"] == "af_sky"
    assert launch.argv[:2] == ("claude", "--dangerously-skip-permissions")
    given = launch.argv[launch.argv.index("--append-system-prompt") + 1]
    assert 'sky "the \\ first" é' in given and given + "\n" == (own / "instructions.md").read_text() + "\n"
    assert launch.environ["ANTHROPIC_API_KEY"] == "k" and "OTHER_SECRET" not in launch.environ
    assert "k" not in launch.argv and "IS_SANDBOX" not in launch.environ


def test_permissions_and_root(tmp_path: Path) -> None:
    assert "--dangerously-skip-permissions" not in prepared("claude", tmp_path, skip_permissions=False).argv
    assert prepared("claude", tmp_path, is_root=True).environ["IS_SANDBOX"] == "1"


def test_values_arrive_in_toml_and_json_as_they_are(tmp_path: Path) -> None:
    launch = prepared("codex", tmp_path)
    settings = tomllib.loads("\n".join(word for before, word in itertools.pairwise(launch.argv) if before == "-c"))
    assert 'sky "the \\ first" é\n' in settings["developer_instructions"]
    content = json.loads(prepared("opencode", tmp_path).environ["OPENCODE_CONFIG_CONTENT"])
    assert content["instructions"] == [f"{tmp_path}/own folder/instructions.md"]


def settings_of(launch: Launch) -> dict[str, Any]:
    """The TOML that Codex is given by -c, each a layer of its own."""
    merged: dict[str, Any] = {}
    for before, word in itertools.pairwise(launch.argv):
        if before == "-c":
            for key, value in tomllib.loads(word).items():
                merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return merged


def test_codex_is_told_that_exactly_our_hooks_are_trusted(tmp_path: Path) -> None:
    """As Codex 0.169 reckons it: the digest of the hook written as JSON, without blanks and sorted."""
    hooks = settings_of(prepared("codex", tmp_path))["hooks"]
    trusted = {key: value["trusted_hash"] for key, value in hooks.pop("state").items()}
    expected = {}
    for event, [group] in hooks.items():
        [hook] = group["hooks"]
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", event).lower()
        written = json.dumps({"event_name": name, "hooks": [{"async": False, **hook}]}, separators=(",", ":"), sort_keys=True)
        expected[f"/<session-flags>/config.toml:{name}:0:0"] = f"sha256:{hashlib.sha256(written.encode()).hexdigest()}"
    assert trusted == expected and len(expected) == 9


def test_a_secret_is_the_sessions_own_and_stays(tmp_path: Path) -> None:
    first = prepared("opencode", tmp_path).environ["OPENCODE_SERVER_PASSWORD"]
    assert len(first) == 32 and prepared("opencode", tmp_path).environ["OPENCODE_SERVER_PASSWORD"] == first
    (tmp_path / "other").mkdir()
    assert prepared("opencode", tmp_path, folder=tmp_path / "other").environ["OPENCODE_SERVER_PASSWORD"] != first


def test_the_launcher_names_interpreter_and_client_and_passes_words_on(tmp_path: Path) -> None:
    python = tmp_path / "py'thon"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    python.chmod(0o755)
    prepared("shell", tmp_path, interpreter=python)
    launcher = tmp_path / "own folder" / "bin" / "clawmux"

    def run(*words: str) -> list[str]:
        done = subprocess.run(
            [launcher, *words], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "x"}
        )
        return done.stdout.splitlines()

    assert run("converse", "a  b", "") == ["x", "-I", "-S", "/opt/claw mux/clawmux/cli/start_client.py", "converse", "a  b", ""]
    assert run("spawn", "$x") == ["x", "/opt/claw mux/clawmux/cli/start.py", "spawn", "$x"]
    assert run() == ["x", "/opt/claw mux/clawmux/cli/start.py"]


@pytest.mark.parametrize("gone", ["python", "client", ""])
def test_an_agent_that_outlives_its_version_uses_the_installed_command(gone: str, tmp_path: Path) -> None:
    python, installed, root = tmp_path / "python", tmp_path / "in stalled", tmp_path / "version"
    client = root / "clawmux" / "cli" / "start_client.py"
    client.parent.mkdir(parents=True)
    client.touch()
    for program in (python, installed):
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "{program.name}" "$@"\n')
        program.chmod(0o755)
    launcher = write_launcher(tmp_path, python, root, {"CLAWMUX_LAUNCHER": str(installed)})
    if gone:
        {"python": python, "client": client}[gone].unlink()
    done = subprocess.run([launcher, "converse", "a  b"], capture_output=True, text=True, check=True)
    expected = ["in stalled"] if gone else ["python", "-I", "-S", str(client)]
    assert done.stdout.splitlines() == [*expected, "converse", "a  b"]
