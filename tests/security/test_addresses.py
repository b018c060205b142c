"""Which Host and Origin are ours (S2, S3): the lists by table. That they are enforced: test_guard.py."""

from __future__ import annotations

import pytest

from clawmux.hub.addresses import Addresses
from clawmux.wire.errors import ClawMuxError

BOTH = [("127.0.0.1", 3460), ("::1", 3460)]

WRONG_HOSTS = [
    "", "evil.example", "evil.example:3460", "clawmux.localhost", "clawmux.localhost:80", "clawmux.localhost:3461",
    "clawmux.localhost.:3460", "clawmux.localhost.evil.example:3460", "evilclawmux.localhost:3460", "foo.localhost:3460",
    "0.0.0.0:3460", "169.254.169.254:3460", "[::]:3460", "[::ffff:127.0.0.1]:3460", "127.1:3460", "2130706433:3460",
    "127.0.0.1", "127.0.0.2:3460", "127.0.0.1:3460@evil.example", "evil@127.0.0.1:3460", "127.0.0.1:3460 ",
    "127.0.0.1:03460", "127.0.0.1:3460:3460", "localhost:3460", "http://127.0.0.1:3460",
]  # fmt: skip

WRONG_ORIGINS = [
    "", "null", "http://evil.example", "http://evil.example:3460", "http://clawmux.localhost", "http://clawmux.localhost:8080",
    "https://clawmux.localhost:3460", "ws://clawmux.localhost:3460", "http://clawmux.localhost:3460.evil.example",
    "http://clawmux.localhost:3460@evil.example", "http://evil.example#http://clawmux.localhost:3460",
    "http://clawmux.localhost:3460/", "http://localhost:3460", "http://0.0.0.0:3460", "chrome-extension://abcdef",
    "HTTP://CLAWMUX.LOCALHOST:3460", "http://clawmux.localhost:3460 http://evil.example", "file://",
]  # fmt: skip


@pytest.mark.parametrize("host", ["clawmux.localhost:3460", "CLAWMUX.localhost:3460", "127.0.0.1:3460", "[::1]:3460"])
def test_own_hosts(host: str) -> None:
    assert Addresses.of(BOTH).origin_of(host) == f"http://{host.lower()}"


@pytest.mark.parametrize("host", WRONG_HOSTS)
def test_wrong_hosts(host: str) -> None:
    assert Addresses.of(BOTH).origin_of(host) is None


@pytest.mark.parametrize("origin", ["http://clawmux.localhost:3460", "http://127.0.0.1:3460", "http://[::1]:3460"])
def test_own_origins(origin: str) -> None:
    assert Addresses.of(BOTH).knows(origin)


@pytest.mark.parametrize("origin", WRONG_ORIGINS)
def test_wrong_origins(origin: str) -> None:
    assert not Addresses.of(BOTH).knows(origin)


def test_ipv6_counts_only_when_bound() -> None:
    assert Addresses.of(BOTH[:1]).origin_of("[::1]:3460") is None


@pytest.mark.parametrize(
    ("bound", "host", "tls", "public", "hosts", "page"),
    [
        ("127.0.0.1", "", False, "", ["clawmux.localhost:3460", "127.0.0.1:3460"], "http://clawmux.localhost:3460"),
        ("127.0.0.2", "", False, "", ["127.0.0.2:3460"], "http://127.0.0.2:3460"),
        ("0.0.0.0", "0.0.0.0", True, "https://box.lan", ["box.lan", "box.lan:443", "127.0.0.1:3460"], "https://box.lan"),
        ("10.1.2.3", "box.lan", True, "", ["box.lan:3460", "10.1.2.3:3460"], "https://box.lan:3460"),
        ("127.0.0.1", "", False, "https://a.ts.net:8443/",
         ["clawmux.localhost:3460", "127.0.0.1:3460", "a.ts.net:8443"], "http://clawmux.localhost:3460"),
    ],
)  # fmt: skip
def test_configurations(bound: str, host: str, tls: bool, public: str, hosts: list[str], page: str) -> None:
    addresses = Addresses.of([(bound, 3460)], host, tls, public)
    assert list(addresses.origins) == hosts
    assert addresses.page_url == page


@pytest.mark.parametrize("port", [80, 443])
def test_the_schemes_own_port_may_be_left_out(port: int) -> None:
    addresses = Addresses.of([("10.1.2.3", port)], "box.lan", tls=port == 443)
    assert addresses.origin_of("box.lan") == addresses.origin_of(f"box.lan:{port}") == addresses.page_url


@pytest.mark.parametrize(
    "url", ["box.lan", "http://box.lan", "https://", "https://u@box.lan", "https://box.lan/path", "https://box.lan?x",
            "https://box.lan:port", "https://[::1"],
)  # fmt: skip
def test_wrong_public_url_is_named(url: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        Addresses.of(BOTH, public_url=url)
    assert refused.value.code == "usage"
    assert "hub.public_url" in refused.value.text


@pytest.mark.parametrize(
    ("host", "cookie"),
    [("clawmux.localhost:3460", ("clawmux_3460", False)), ("box.lan", ("__Host-clawmux_3460", True))],
)
def test_cookie_carries_the_port_and_is_secure_where_it_can(host: str, cookie: tuple[str, bool]) -> None:
    assert Addresses.of(BOTH, public_url="https://box.lan").cookie(host) == cookie
