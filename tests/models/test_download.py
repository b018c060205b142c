"""One file from one address, against a real server on loopback."""

from __future__ import annotations

import hashlib
import random
import socket
from pathlib import Path

import pytest

from clawmux import download
from clawmux.download import BACKOFF_SECONDS, Client, SourceFailed, Wanted
from tests.stand_ins.file_host import FileHost, Page

CONTENT = random.Random(1).randbytes(3_000_000)
WANTED = Wanted(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(waits: list[float]) -> Client:
    return Client(sleep=waits.append)


def fetch(client: Client, url: str, part: Path, wanted: Wanted = WANTED) -> list[int]:
    told: list[int] = []
    client.fetch(url, wanted, part, told.append)
    return told


def refused(client: Client, url: str, part: Path, wanted: Wanted = WANTED) -> SourceFailed:
    with pytest.raises(SourceFailed) as caught:
        client.fetch(url, wanted, part, lambda _: None)
    return caught.value


def test_whole_file_with_progress(host: FileHost, client: Client, tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT)
    told = fetch(client, host.url("/file"), tmp_path / "deep" / "part")
    assert (tmp_path / "deep" / "part").read_bytes() == CONTENT
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)
    assert len(told) > 5


def test_resumes_after_cuts(host: FileHost, client: Client, waits: list[float], tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT, cuts=[1_200_000, 1_200_000])
    fetch(client, host.url("/file"), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert host.ranges_of("/file") == [None, "bytes=1200000-", "bytes=2400000-"]
    assert host.served_bytes == len(CONTENT)
    assert waits == [BACKOFF_SECONDS[0]] * 2, "a try that brought a lot starts the count again"


def test_resumes_what_an_earlier_run_left(host: FileHost, client: Client, tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT)
    (tmp_path / "part").write_bytes(CONTENT[:2_000_000])
    fetch(client, host.url("/file"), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert host.ranges_of("/file") == ["bytes=2000000-"]


def test_complete_part_asks_nobody(host: FileHost, client: Client, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    fetch(client, host.url("/file"), tmp_path / "part")
    assert host.seen == []


@pytest.mark.parametrize("earlier", [b"x" * 1_000_000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_wrong_bytes_of_an_earlier_run_are_replaced(host: FileHost, client: Client, tmp_path: Path, earlier: bytes) -> None:
    host.pages["/file"] = Page(CONTENT)
    (tmp_path / "part").write_bytes(earlier)
    fetch(client, host.url("/file"), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_gives_up_when_nothing_comes(host: FileHost, client: Client, waits: list[float], tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT, cuts=[1000] * 9)
    failure = refused(client, host.url("/file"), tmp_path / "part")
    assert failure.reason == "the connection ended early, 5 times"
    assert waits == list(BACKOFF_SECONDS)
    assert (tmp_path / "part").read_bytes() == CONTENT[:5000], "another source goes on from here"


def test_server_without_ranges_starts_over(host: FileHost, client: Client, tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT, ranges=False, cuts=[1_500_000])
    fetch(client, host.url("/file"), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert host.served_bytes == 1_500_000 + len(CONTENT)


def test_other_range_than_asked_for_starts_over(host: FileHost, client: Client, tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT, headers={"Content-Range": f"bytes 5-9/{len(CONTENT)}"})
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    fetch(client, host.url("/file"), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert host.ranges_of("/file") == ["bytes=1000-", None]


def test_wrong_content_leaves_nothing(host: FileHost, client: Client, tmp_path: Path) -> None:
    flipped = bytearray(CONTENT)
    flipped[1_234_567] ^= 1
    host.pages["/file"] = Page(bytes(flipped))
    failure = refused(client, host.url("/file"), tmp_path / "part")
    assert failure.reason.startswith("wrong content: SHA-256 ")
    assert not failure.unreachable
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_other_length_is_refused_before_it_is_read(host: FileHost, client: Client, tmp_path: Path, length: int) -> None:
    host.pages["/file"] = Page((CONTENT * 2)[:length])
    failure = refused(client, host.url("/file"), tmp_path / "part")
    assert failure.reason == f"it has {length} bytes there instead of {len(CONTENT)}"
    assert list(tmp_path.iterdir()) == []


def test_endless_answer_is_cut_at_the_size(host: FileHost, client: Client, tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT + b"more", headers={"Content-Length": "x"})
    fetch(client, host.url("/file"), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_redirect_keeps_the_range_but_not_the_login(host: FileHost, client: Client, tmp_path: Path) -> None:
    with FileHost() as other:
        other.pages["/real"] = Page(CONTENT)
        host.pages["/file"] = Page(status=302, headers={"Location": other.url("/real")})
        (tmp_path / "part").write_bytes(CONTENT[:10])
        fetch(client, f"http://me:secret@{host.name}/file", tmp_path / "part")
        assert host.seen[0].headers["authorization"] == "Basic bWU6c2VjcmV0"
        assert other.ranges_of("/real") == ["bytes=10-"]
        assert "authorization" not in other.seen[0].headers
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_missing_file_is_asked_for_once(host: FileHost, client: Client, waits: list[float], tmp_path: Path) -> None:
    failure = refused(client, host.url("/file"), tmp_path / "part")
    assert (failure.reason, failure.unreachable) == ("HTTP 404 Not Found", False)
    assert (len(host.seen), waits) == (1, [])


def test_busy_server_is_asked_again_when_it_says(host: FileHost, client: Client, waits: list[float], tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT, headers={"Retry-After": "7"}, busy=[503, 429, 500])
    fetch(client, host.url("/file"), tmp_path / "part")
    assert waits == [7.0, 7.0, 7.0]


def test_nobody_waits_an_hour_for_retry_after(host: FileHost, client: Client, waits: list[float], tmp_path: Path) -> None:
    host.pages["/file"] = Page(CONTENT, headers={"Retry-After": "3600"}, busy=[503])
    fetch(client, host.url("/file"), tmp_path / "part")
    assert waits == [download.LONGEST_WAIT_SECONDS]


def test_silent_server_is_cut(
    host: FileHost, client: Client, waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.1)
    host.pages["/file"] = Page(CONTENT, hold_after=10)
    failure = refused(client, host.url("/file"), tmp_path / "part")
    assert failure.reason == "nothing came for 0.1 s, 5 times"
    assert len(waits) == 4


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_dead_host_is_asked_once(client: Client, waits: list[float], tmp_path: Path) -> None:
    port = closed_port()
    first = refused(client, f"http://127.0.0.1:{port}/a", tmp_path / "part")
    assert (first.reason, first.unreachable) == ("connection refused", True)
    with FileHost(port) as late:
        late.pages["/b"] = Page(CONTENT)
        second = refused(client, f"http://127.0.0.1:{port}/b", tmp_path / "part")
        assert late.seen == []
    assert second.reason == "connection refused"
    assert waits == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "nothing", ""])
def test_only_http(client: Client, tmp_path: Path, url: str) -> None:
    assert refused(client, url, tmp_path / "part").reason == "only http and https addresses can be fetched"


def test_redirect_to_a_file_is_refused(host: FileHost, client: Client, tmp_path: Path) -> None:
    host.pages["/file"] = Page(status=302, headers={"Location": "file:///etc/hostname"})
    assert "not allowed" in refused(client, host.url("/file"), tmp_path / "part").reason


def test_address_that_is_none(client: Client, tmp_path: Path) -> None:
    assert "no address" in refused(client, "http://127.0.0.1:port/x", tmp_path / "part").reason


def test_proxy_of_the_environment(host: FileHost, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host.url(""))
    host.pages["http://models.example/file"] = Page(CONTENT)
    fetch(client, "http://models.example/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_proxy_that_refuses(host: FileHost, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", host.url(""))
    failure = refused(client, "https://models.example/file", tmp_path / "part")
    assert failure.unreachable
    assert "501" in failure.reason, "http.server knows no CONNECT"


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    client = Client(certificates=str(tmp_path / "none.pem"))
    failure = refused(client, "https://models.example/file", tmp_path / "part")
    assert failure.reason.startswith(f"the certificates {tmp_path}/none.pem cannot be read")


def test_small_documents(host: FileHost, client: Client) -> None:
    host.pages["/page"] = Page("grüße".encode(), headers={"Content-Type": "text/html; charset=utf-8"}, busy=[503])
    assert client.read(host.url("/page"), 100) == ("grüße", "text/html")
    with pytest.raises(SourceFailed, match="longer than 3 bytes"):
        client.read(host.url("/page"), 3)


def test_file_in_place_is_whole(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    (tmp_path / "final").write_bytes(b"old")
    download.move_into_place(tmp_path / "part", tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == CONTENT
    assert not (tmp_path / "part").exists()
