"""The texts that service managers are given, read by those who will read them: systemd-analyze and plistlib."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from clawmux.adapters.service_unit import Header, Unit, environment_of, launchd_text, read_header, systemd_text
from clawmux.adapters.user_service import is_the_service
from clawmux.wire.errors import ClawMuxError

ODD = ["plain", "a space", "per%cent %h", 'a "quote"', "it's", "back\\slash", "$HOME", "ümlaut 语", "-dash", "a;b#c", "--two--"]


def unit(program: str = "/opt/clawmux", *arguments: str, **environment: str) -> Unit:
    return Unit((program, "start", "--foreground", *arguments), tuple(environment.items()), Path("/home/u/data"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here (Debian package systemd)")
@pytest.mark.parametrize("name", ODD)
def test_systemd_takes_the_unit_whatever_the_path(name: str, tmp_path: Path) -> None:
    program = tmp_path / name / "clawmux"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    file = tmp_path / "clawmux.service"
    file.write_text(systemd_text(unit(str(program), name, PATH=f"/{name}:/bin", CLAWMUX_HOME=f"/{name}")), encoding="utf-8")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(file)], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_words_of_the_unit_are_escaped() -> None:
    text = systemd_text(unit("/a b/100%$x", "$HOME", 'say "%h"', PATH='/"x":%t:$y'))
    assert '\nExecStart="/a b/100%%$x" "start" "--foreground" "$$HOME" "say \\"%%h\\""\n' in text
    assert '\nEnvironment="PATH=/\\"x\\":%%t:$y"\n' in text


def test_a_program_that_systemd_would_refuse_is_run_by_sh() -> None:
    text = systemd_text(unit("/it's/$x/clawmux"))
    assert '\nExecStart="/bin/sh" "-c" "exec \\"$$@\\"" "sh" "/it\'s/$$x/clawmux" "start" "--foreground"\n' in text


def test_the_unit_promises_what_the_agents_need() -> None:
    lines = systemd_text(unit()).splitlines()
    assert {"KillMode=process", "OOMPolicy=continue", "Restart=on-failure", "WantedBy=default.target"} <= set(lines)


@pytest.mark.parametrize("name", ODD)
def test_launchd_is_told_the_same_words(name: str) -> None:
    text = launchd_text(unit(f"/{name}/clawmux", name, PATH=f"/{name}"))
    facts = plistlib.loads(text.encode())
    assert facts["ProgramArguments"] == [f"/{name}/clawmux", "start", "--foreground", name]
    assert facts["EnvironmentVariables"] == {"PATH": f"/{name}"}
    assert facts["AbandonProcessGroup"] is True
    assert facts["KeepAlive"] == {"SuccessfulExit": False}


@pytest.mark.parametrize("name", ODD)
def test_a_file_of_ours_is_known_again(name: str) -> None:
    ours = Unit(("/opt/clawmux",), (), Path(f"/{name}"), folders_made=2)
    assert read_header(systemd_text(ours)) == read_header(launchd_text(ours)) == Header(Path(f"/{name}"), 2)


@pytest.mark.parametrize("text", ["", "[Service]\nExecStart=/bin/clawmux\n", "# {}\n", '# {"data": "/x", "folders_made": 1}\n'])
def test_another_file_is_not_taken_for_ours(text: str) -> None:
    assert read_header(text) is None


@pytest.mark.parametrize("bad", ["/new\nline", "/\udcff", "/tab\t", "relative/clawmux"])
def test_what_no_file_can_hold_is_refused(bad: str) -> None:
    for text in (systemd_text, launchd_text):
        with pytest.raises(ClawMuxError) as refused:
            text(unit(bad))
        assert refused.value.code == "usage"


def test_no_secret_is_handed_on() -> None:
    environ = {"PATH": "/bin", "CLAWMUX_HOME": "/h", "CLAWMUX_SPEECH_TOKEN": "s", "ANTHROPIC_API_KEY": "s", "XDG_DATA_HOME": ""}
    assert environment_of(environ) == (("PATH", "/bin"), ("CLAWMUX_HOME", "/h"))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"SYSTEMD_EXEC_PID": "7"}, True),
        ({"SYSTEMD_EXEC_PID": "8"}, False),  # our terminal's service, or a hub started by a service
        ({"XPC_SERVICE_NAME": "io.clawmux.hub"}, True),
        ({"XPC_SERVICE_NAME": "0"}, False),
    ],
)
def test_who_started_us(environ: dict[str, str], expected: bool) -> None:
    assert is_the_service(environ, 7) is expected
