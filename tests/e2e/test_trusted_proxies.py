"""trusted_proxies of wsps.json: who is believed in what he says of a visitor."""

import re

import pytest

from harness.daemons import PATH
from harness.front_proxies import haproxy, nginx
from harness.http_client import exchange
from harness.net import connect, free_port
from harness.proxy_header import v2
from harness.reverse import Rig, request

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
TRUSTED = [PROXY, "198.51.100.0/24", "2001:db8:aaaa::/48"]
CLAIMS = (
    "X-Forwarded-For: 192.0.2.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: www.example.org",
    "X-Real-IP: 192.0.2.1",
    "Forwarded: for=192.0.2.1;proto=https",
)


WRONG_LINK = request(
    f"GET {PATH}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: Uv38ByGCZU8WP18PmmIdcg==", "Proto: 0.10", "Auth: wrong", *CLAIMS
)  # fmt: skip


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    return Rig(shared_farm, shared_service.remote("api"), wsps={"trusted_proxies": TRUSTED})


def ask(rig, service, *fields, source=PROXY):
    """What the service gets of a request."""
    with connect(rig.port, source=source) as sock:
        assert exchange(sock, request("GET /api/x", *fields)).status == 200
    return service.only_request()


def refused_as(rig, *fields, source=PROXY, header=b""):
    """Whom the log names for a link that is refused."""
    mark = rig.wsps.mark()
    with connect(rig.port, source=source) as sock:
        link = request(f"GET {PATH}", "Upgrade: websocket", "Proto: 0.10", "Auth: wrong", *fields)
        assert exchange(sock, header + link, "GET").status == 401
    line = rig.wsps.wait_line(r"front \S+: link refused with 401", since=mark)
    return re.search(r"front (\S+): ", line).group(1)


# ---- what the service gets


def test_of_a_proxy(rig, service):
    """All that it says goes on, with its own address behind the visitor's."""
    got = ask(rig, service, *CLAIMS)
    assert got.all("x-forwarded-for") == [f"192.0.2.1, {PROXY}"]
    assert got.all("x-forwarded-proto") == ["https"]
    assert got.all("x-forwarded-host") == ["www.example.org"]
    assert got.all("x-real-ip") == ["192.0.2.1"]
    assert got.all("forwarded") == ["for=192.0.2.1;proto=https"]


def test_of_a_stranger(rig, service):
    """His X-Forwarded-For stays as it is, which is a claim: the last entry in it is ours."""
    got = ask(rig, service, *CLAIMS, source=STRANGER)
    assert got.all("x-forwarded-for") == [f"192.0.2.1, {STRANGER}"]
    assert got.all("x-forwarded-proto") == ["http"]
    assert got.all("x-forwarded-host") == ["127.0.0.1"]
    assert got.all("x-real-ip") == got.all("forwarded") == []


def test_what_a_proxy_leaves_out(rig, service):
    got = ask(rig, service, "X-Real-IP: 192.0.2.1")
    assert got.all("x-forwarded-for") == [f"192.0.2.1, {PROXY}"]
    assert got.all("x-forwarded-proto") == ["http"]
    assert got.all("x-forwarded-host") == ["127.0.0.1"]
    service.forget()
    assert ask(rig, service).all("x-forwarded-for") == [PROXY]


def test_connection_takes_nothing_out(rig, service):
    """A visitor's Connection, which a proxy may have passed on, cannot hide him."""
    names = ", ".join(line.split(":")[0] for line in CLAIMS)
    got = ask(rig, service, f"Connection: {names}", *CLAIMS)
    assert got.all("x-forwarded-for") == [f"192.0.2.1, {PROXY}"]
    assert got.all("x-forwarded-proto") == ["https"]
    assert got.all("x-real-ip") == ["192.0.2.1"]


# ---- whom wsps takes for the visitor

FORGED = "X-Forwarded-For: 203.0.113.66, 198.51.100.9"


@pytest.mark.parametrize(
    "fields, visitor",
    [
        (("X-Forwarded-For: 192.0.2.1",), r"192\.0\.2\.1"),
        (("X-Forwarded-For: [2001:db8::1]:99",), r"\[2001:db8::1\]:99"),
        ((FORGED, "X-Forwarded-For: 192.0.2.1, 198.51.100.7"), r"192\.0\.2\.1"),
        (("X-Forwarded-For: 192.0.2.1, unknown",), r"127\.0\.0\.1:\d+"),
        (("X-Real-IP: 2001:db8::1",), r"2001:db8::1"),
        ((), r"127\.0\.0\.1:\d+"),
    ],
)
def test_visitor(rig, fields, visitor):
    assert re.fullmatch(visitor, refused_as(rig, *fields))


def test_strangers_are_not_asked(rig):
    assert refused_as(rig, *CLAIMS, source=STRANGER).startswith(f"{STRANGER}:")


def test_nobody_is_trusted_by_default(farm):
    wsps = farm.wsps()
    rig = Rig.__new__(Rig)
    rig.wsps, rig.port = wsps, wsps.config["port"]
    assert refused_as(rig, *CLAIMS).startswith(f"{PROXY}:")


def test_behind_the_proxy_protocol(farm):
    """The address in the header is that of the connection: it is the one to be trusted or not."""
    rig = Rig.__new__(Rig)
    rig.wsps = farm.wsps(proxy_protocol="required", trusted_proxies=TRUSTED)
    rig.port = rig.wsps.config["port"]
    field = "X-Forwarded-For: 192.0.2.1"
    cdn, visitor = (v2(ip, "203.0.113.1", 5) for ip in ("198.51.100.7", "203.0.113.9"))
    assert refused_as(rig, field, header=cdn) == "192.0.2.1"
    assert refused_as(rig, field, header=visitor) == "203.0.113.9:5"


# ---- real proxies


def by_nginx(directory, port, target):
    fields = """
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection Upgrade;
    """
    place = f"location / {{ {fields} proxy_pass http://127.0.0.1:{target}; }}"
    return nginx(directory, port, http=f"server {{ listen 127.0.0.1:{port}; {place} }}")


def by_haproxy(directory, port, target):
    config = f"""
listen http
    mode http
    bind 127.0.0.1:{port}
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    server wsps 127.0.0.1:{target}
"""
    return haproxy(directory, port, config)


@pytest.mark.parametrize("proxy", [by_nginx, by_haproxy])
def test_real_proxies(rig, service, proxy, tmp_path):
    """A visitor behind one forges what he can, and is known all the same."""
    port = free_port()
    program = proxy(tmp_path, port, rig.port)
    try:
        with connect(port, source=STRANGER) as sock:
            assert exchange(sock, request("GET /api/x", *CLAIMS, host="a.example")).status == 200
        got = service.only_request()
        assert ", ".join(got.all("x-forwarded-for")) == f"192.0.2.1, {STRANGER}, {PROXY}"
        assert got.all("x-forwarded-proto") == ["https"] and got.all("host") == ["a.example"]
        mark = rig.wsps.mark()
        with connect(port, source=STRANGER) as sock:
            assert exchange(sock, WRONG_LINK).status == 401
        rig.wsps.wait_line(r"front 127\.0\.0\.2: link refused with 401", since=mark)
    finally:
        program.end()
