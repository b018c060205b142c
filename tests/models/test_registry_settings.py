"""What pip's and npm's own files and variables say about reaching their registries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawmux.adapters.sources.registry_settings import RegistrySettings, npm_settings, pip_settings

PYPI = "https://pypi.org/simple"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, RegistrySettings((PYPI,))),
        ({"PIP_INDEX_URL": "https://a/simple/"}, RegistrySettings(("https://a/simple",))),
        ({"PIP_EXTRA_INDEX_URL": "https://b https://c"}, RegistrySettings((PYPI, "https://b", "https://c"))),
        ({"PIP_CERT": "/ca.pem", "PIP_PROXY": "http://p:1"}, RegistrySettings((PYPI,), "/ca.pem", "http://p:1")),
        ({"PIP_NO_INDEX": "true"}, RegistrySettings(())),
    ],
)
def test_pip_variables(environ: dict[str, str], expected: RegistrySettings, tmp_path: Path) -> None:
    quiet = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    assert pip_settings(quiet | environ, str(tmp_path)) == expected


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_pip_files_in_growing_strength(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}

    def index() -> str:
        return pip_settings(environ, str(tmp_path / "venv")).indexes[0]

    write(tmp_path / "xdg/pip/pip.conf", "[global]\nindex-url = https://xdg\n[download]\n")
    # /etc/pip.conf of this machine, if any, is stronger than the folders of XDG_CONFIG_DIRS.
    assert index() in ("https://xdg", pip_settings({"HOME": "/nowhere", "XDG_CONFIG_DIRS": "/nowhere"}, "/nowhere").indexes[0])
    write(tmp_path / "home/.pip/pip.conf", "[global]\nindex-url = https://old-user\n")
    assert index() == "https://old-user"
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nindex_url = https://user\n")
    assert index() == "https://user"
    write(tmp_path / "venv/pip.conf", "[global]\nindex-url = https://venv\n[download]\nindex-url = https://for-download\n")
    assert index() == "https://for-download"
    environ["PIP_CONFIG_FILE"] = str(write(tmp_path / "named.conf", "[global]\nindex-url = https://named\n"))
    assert index() == "https://named"
    environ["PIP_INDEX_URL"] = "https://variable"
    assert index() == "https://variable"


@pytest.mark.parametrize("text", ["no section = 1", "[global\n", "\xff\xfe"])
def test_broken_pip_file_says_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pip.conf"
    file.write_bytes(text.encode("latin-1"))
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": "/nowhere", "PIP_CONFIG_FILE": str(file)}
    assert pip_settings(environ | {"PIP_INDEX_URL": PYPI}, "/nowhere").indexes[0] == PYPI


NPM = "https://registry.npmjs.org"


@pytest.mark.parametrize(
    ("npmrc", "environ", "expected"),
    [
        ("", {}, RegistrySettings((NPM,))),
        ("registry=https://a/npm/\n", {}, RegistrySettings(("https://a/npm",))),
        ("# registry=https://no\n; registry=https://no\n", {}, RegistrySettings((NPM,))),
        ("registry=https://a\n", {"npm_config_registry": "https://b"}, RegistrySettings(("https://b",))),
        ("registry=https://a\n", {"NPM_CONFIG_REGISTRY": "https://c"}, RegistrySettings(("https://c",))),
        ("cafile=/ca.pem\nproxy=http://p:1\n", {}, RegistrySettings((NPM,), "/ca.pem", "http://p:1")),
        ("https-proxy=http://s:1\nproxy=http://p:1\n", {}, RegistrySettings((NPM,), None, "http://s:1")),
        ("//a/npm/:_authToken=${T}\n", {"T": "s"}, RegistrySettings((NPM,), tokens=(("//a/npm/", "Bearer s"),))),
        ("//a/:_auth = 'eDp5'\n", {}, RegistrySettings((NPM,), tokens=(("//a/", "Basic eDp5"),))),
    ],
)
def test_npm_settings(npmrc: str, environ: dict[str, str], expected: RegistrySettings, tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(npmrc)
    assert npm_settings({"HOME": str(tmp_path)} | environ) == expected


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://a/npm/x", {"Authorization": "Bearer s"}),
        ("https://a/other", {}),
        ("https://a.evil/npm/x", {}),
        ("https://evil/a/npm/x", {}),
    ],
)
def test_token_goes_only_where_it_belongs(url: str, headers: dict[str, str]) -> None:
    assert RegistrySettings((NPM,), tokens=(("//a/npm/", "Bearer s"),)).headers(url) == headers
