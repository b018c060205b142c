"""Token, one-time keys, logins, login limit (S1, S10, S12, S14): with time as a number and files in a temporary folder."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from clawmux.hub.auth import Auth, Token
from clawmux.hub.logins import KEY_SECONDS, LOGIN_SECONDS, LOGINS_KEPT, SECONDS_PER_TRY, TRIES, Bucket, Logins
from clawmux.wire.errors import ClawMuxError

NOW = 1_700_000_000.0


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "data"


def logins(folder: Path, now: float = NOW) -> Logins:
    folder.mkdir(mode=0o700, exist_ok=True)
    return Logins.open(folder / "logins.json", now)


def test_token_is_made_private_and_kept(folder: Path) -> None:
    token = Token.open(folder / "token")
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Token.open(folder / "token").text() == token.text()
    assert [file.name for file in folder.iterdir()] == ["token"]


@pytest.mark.parametrize("wrong", ["", " ", "x", "é", "\udcff\udc80", "\0", "a" * 100_000])
def test_token_matches_only_itself(folder: Path, wrong: str) -> None:
    token = Token.open(folder / "token")
    assert token.matches(token.text())
    assert not token.matches(wrong)
    assert not token.matches(token.text() + "x" + wrong)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o620])
def test_token_that_others_reach_stops_the_start(folder: Path, mode: int) -> None:
    Token.open(folder / "token")
    (folder / "token").chmod(mode)
    with pytest.raises(ClawMuxError) as refused:
        Token.open(folder / "token")
    assert refused.value.code == "unsafe_files"
    assert str(folder / "token") in refused.value.text


def test_linked_token_or_folder_stops_the_start(root: Path, folder: Path) -> None:
    Token.open(folder / "token")
    (root / "link").symlink_to(folder)
    (folder / "other").symlink_to(folder / "token")
    for file in (root / "link" / "token", folder / "other"):
        with pytest.raises(ClawMuxError) as refused:
            Token.open(file)
        assert refused.value.code == "unsafe_files"


def test_open_folder_stops_the_start(folder: Path) -> None:
    Token.open(folder / "token")
    folder.chmod(0o755)
    with pytest.raises(ClawMuxError) as refused:
        Token.open(folder / "token")
    assert refused.value.code == "unsafe_files"


@pytest.mark.parametrize("content", ["", "short", "two words " * 9, "ü" * 40])
def test_broken_token_file_is_named(folder: Path, content: str) -> None:
    Token.open(folder / "token")
    (folder / "token").write_text(content, encoding="utf-8")
    with pytest.raises(ClawMuxError) as refused:
        Token.open(folder / "token")
    assert refused.value.code == "bad_file"
    assert str(folder / "token") in refused.value.text


def test_rotation_is_noticed_by_a_hub_that_runs(folder: Path) -> None:
    running, old = Token.open(folder / "token"), Token.open(folder / "token").text()
    new = Token.open(folder / "token").rotate()
    assert running.matches(new)
    assert not running.matches(old)
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("spoil", [lambda file: file.chmod(0o644), lambda file: file.unlink()])
def test_token_that_became_unfit_lets_nobody_in(folder: Path, spoil: object) -> None:
    token = Token.open(folder / "token")
    text = token.text()
    assert callable(spoil)
    spoil(folder / "token")
    assert not token.matches(text)
    assert not token.matches("")


def test_key_opens_once(folder: Path) -> None:
    here = logins(folder)
    key = here.issue_key(NOW)
    cookie, csrf = here.redeem(key, NOW + 1)
    assert cookie != csrf
    assert here.find(cookie, NOW + 1)
    with pytest.raises(ClawMuxError) as refused:
        here.redeem(key, NOW + 2)
    assert refused.value.code == "forbidden"


@pytest.mark.parametrize(("age", "good"), [(0.0, True), (KEY_SECONDS - 1, True), (KEY_SECONDS, False), (-5.0, False)])
def test_key_ages(folder: Path, age: float, good: bool) -> None:
    here = logins(folder)
    key = here.issue_key(NOW)
    if good:
        assert here.redeem(key, NOW + age)
    else:
        with pytest.raises(ClawMuxError):
            here.redeem(key, NOW + age)


def test_keys_do_not_pile_up(folder: Path) -> None:
    here = logins(folder)
    first = here.issue_key(NOW)
    for _ in range(LOGINS_KEPT):
        last = here.issue_key(NOW)
    with pytest.raises(ClawMuxError):
        here.redeem(first, NOW)
    assert here.redeem(last, NOW)


def test_oldest_login_makes_room(folder: Path) -> None:
    here = logins(folder)
    ended: list[frozenset[str]] = []
    here.on_ended = ended.append
    cookies = []
    for number in range(LOGINS_KEPT + 1):
        now = NOW + number * SECONDS_PER_TRY
        cookies.append(here.redeem(here.issue_key(now), now)[0])
    assert here.find(cookies[0], now) is None
    assert all(here.find(cookie, now) for cookie in cookies[1:])
    assert len(ended) == 1


def test_login_ends_after_a_month(folder: Path) -> None:
    here = logins(folder)
    cookie, _ = here.redeem(here.issue_key(NOW), NOW)
    assert here.find(cookie, NOW + LOGIN_SECONDS - 1)
    assert here.find(cookie, NOW + LOGIN_SECONDS) is None


def test_logins_outlive_the_hub_as_hashes(folder: Path) -> None:
    first = logins(folder)
    cookie, csrf = first.redeem(first.issue_key(NOW), NOW)
    file = folder / "logins.json"
    login = logins(folder).find(cookie, NOW)
    assert login
    assert login == first.find(cookie, NOW)
    assert logins(folder).fits(login, csrf)
    assert not {word for word in (cookie, csrf) if word in file.read_text(encoding="utf-8")}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"token": 1}', '{"token":"", "logins": {"a": "b"}}', "[" * 100_000])
def test_broken_login_file_only_logs_everybody_out(folder: Path, content: str) -> None:
    logins(folder)
    file = folder / "logins.json"
    file.touch(mode=0o600)
    file.write_text(content, encoding="utf-8")
    assert logins(folder).find("any", NOW) is None


def test_open_login_file_stops_the_start(folder: Path) -> None:
    here = logins(folder)
    here.redeem(here.issue_key(NOW), NOW)
    (folder / "logins.json").chmod(0o666)
    with pytest.raises(ClawMuxError) as refused:
        logins(folder)
    assert refused.value.code == "unsafe_files"


def test_a_csrf_value_fits_its_own_login_only(folder: Path) -> None:
    here = logins(folder)
    (one, csrf), (other, _) = (here.redeem(here.issue_key(NOW), NOW) for _ in range(2))
    mine, its = here.find(one, NOW), here.find(other, NOW)
    assert mine
    assert its
    assert here.fits(mine, csrf)
    assert not here.fits(its, csrf)
    assert not here.fits("", csrf)
    assert not [wrong for wrong in ("", one, csrf[:-1], "\udcff") if here.fits(mine, wrong)]


def test_logout_ends_one_login(folder: Path) -> None:
    here = logins(folder)
    ended: list[frozenset[str]] = []
    here.on_ended = ended.append
    (one, _), (other, _) = (here.redeem(here.issue_key(NOW), NOW) for _ in range(2))
    login = here.find(one, NOW)
    assert login
    here.end(login)
    assert (here.find(one, NOW), bool(here.find(other, NOW))) == (None, True)
    assert ended == [frozenset({login})]


@pytest.mark.parametrize("hub_runs", [True, False])
def test_new_token_ends_every_login(folder: Path, hub_runs: bool) -> None:
    auth = Auth.open(folder, dict)
    now = auth.clock()
    cookie, _ = auth.logins.redeem(auth.logins.issue_key(now), now)
    unused = auth.logins.issue_key(now)
    ended: list[frozenset[str]] = []
    auth.logins.on_ended = ended.append
    Token.open(folder / "token").rotate()
    after = auth if hub_runs else Auth.open(folder, dict)
    after.refresh()
    assert after.logins.find(cookie, now) is None
    assert json.loads((folder / "logins.json").read_text(encoding="utf-8"))["logins"] == {}
    if hub_runs:
        assert len(ended) == 1
        with pytest.raises(ClawMuxError):
            after.logins.redeem(unused, now)


def test_login_limit() -> None:
    bucket = Bucket()
    assert [bucket.take(NOW) for _ in range(TRIES + 2)] == [True] * TRIES + [False] * 2
    assert not bucket.take(NOW + SECONDS_PER_TRY - 0.1)
    assert bucket.take(NOW + SECONDS_PER_TRY + 0.1)
    assert not bucket.take(NOW + SECONDS_PER_TRY + 0.2)


def test_login_limit_survives_a_clock_set_back() -> None:
    bucket = Bucket()
    assert bucket.take(NOW)
    assert bucket.take(NOW - 3600)
    assert [bucket.take(NOW - 3600) for _ in range(4)] == [True, True, True, False]


def test_full_disk_keeps_nobody_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = logins(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert here.find(here.redeem(here.issue_key(NOW), NOW)[0], NOW)
