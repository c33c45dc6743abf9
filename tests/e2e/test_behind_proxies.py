"""The configurations of docs/operations.md for a wsps behind nginx, HAProxy and Caddy, as they stand
there but for addresses, ports and files: the links of a wspc over wss://, and visitors over https."""

import contextlib
import json
import os
import re
import ssl
from dataclasses import dataclass

import pytest

from harness import frames, front_proxies
from harness.certificates import Authority
from harness.daemons import entry
from harness.curl import fetch
from harness.env import ROOT, patience
from harness.http_client import exchange, read_response
from harness.http_origin import pattern
from harness.net import connect, free_port, read_exact, read_until
from harness.programs import Program
from harness.reverse import REGISTERED, request, tool
from harness.socks import open_socks
from harness.tcp_origins import EchoOrigin

NAME = "wsps.example.org"
VISITOR = "127.0.0.7"
SECTION = re.search(
    r"\n## Behind another proxy\n(.*?)\n## ", (ROOT / "docs/operations.md").read_text(), re.S
).group(1)


def blocks(heading, language):
    """The blocks of code below a heading of the section; "" is the text before the first."""
    text = dict(zip(*[iter(["", *re.split(r"\n### (.*)\n", SECTION)])] * 2))[heading]
    return re.findall(rf"\n```{language}\n(.*?)```\n", text, re.S)


@dataclass
class Files:
    authority: Authority
    cert: str
    key: str
    both: str


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ca")
    authority = Authority(directory)
    cert, key = authority.issue("front", [f"DNS:{NAME}", "DNS:localhost"])
    both = directory / "both.pem"
    both.write_text(cert.read_text() + key.read_text())
    return Files(authority, str(cert), str(key), str(both))


def adapted(text, port, target, files):
    """What a test has to change: it has loopback only, ports of its own, and its own authority."""
    changes = {
        r"listen 443": f"listen 127.0.0.1:{port}",
        r"\[::\]:443": f"[::1]:{port}",
        r"bind :443": f"bind 127.0.0.1:{port}",
        r"127\.0\.0\.1:8010": f"127.0.0.1:{target}",
        r"/etc/\S*\.pem\b": files.both,
        r"/etc/\S*\.crt\b": files.cert,
        r"/etc/\S*\.key\b": files.key,
    }
    for old, new in changes.items():
        text = re.sub(old, new, text)
    return text


def nginx(directory, port, target, files):
    (http,) = blocks("nginx", "nginx")
    return front_proxies.nginx(directory, port, http=adapted(http, port, target, files))


def haproxy(directory, port, target, files):
    (config,) = blocks("HAProxy", "haproxy")
    return front_proxies.haproxy(directory, port, adapted(config, port, target, files))


def caddy(directory, port, target, files):
    """It would get a certificate for the name; here it is told one."""
    (site,) = blocks("Caddy", "caddyfile")
    site = adapted(site, port, target, files)
    listens = f"https://{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {files.cert} {files.key}"
    site = site.replace(f"{NAME} {{", listens, 1)
    file = directory / "Caddyfile"
    file.write_text("{\n    admin off\n    auto_https disable_redirects\n}\n" + site)
    binary = tool("caddy", "caddy")
    home = {**os.environ, "HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    command = ("env", *(f"{k}={v}" for k, v in home.items() if k.startswith(("HOME", "XDG"))))
    return Program(directory, port, *command, binary, "run", "--config", file)


def haproxy_tcp(directory, port, target, files):
    (config,) = blocks("With the PROXY protocol", "haproxy")
    return front_proxies.haproxy(directory, port, adapted(config, port, target, files))


def nginx_tcp(directory, port, target, files):
    (config,) = blocks("With the PROXY protocol", "nginx")
    config = adapted(config, port, target, files)
    inner = re.fullmatch(r"stream \{\n(.*)\}\n", config, re.S).group(1)
    return front_proxies.nginx(directory, port, stream=inner)


TERMINATES, PASSES_ON = (nginx, haproxy, caddy), (haproxy_tcp, nginx_tcp)


class Behind:
    """wsps and a wspc with the proxy between them."""

    def __init__(self, farm, directory, proxy, files, *remotes):
        self.port, self.files = free_port(), files
        (text,) = blocks("" if proxy in TERMINATES else "With the PROXY protocol", "json")
        config = json.loads(adapted(text, 0, 0, files))
        config["port"] = free_port()
        self.host = config["host"]
        self.wsps = farm.wsps(**{"path": None, **config})
        self.proxy = proxy(directory, self.port, config["port"], files)
        client = entry(0, auth=config["auth"], remote=list(remotes), ca=str(files.authority.file))
        client["server"] = f"wss://localhost:{self.port}/"
        client["headers"] = {"Host": NAME}
        client["sni"] = NAME
        self.wspc = farm.wspc(client)
        self.wspc.wait_line(REGISTERED, count=len(remotes))

    @contextlib.contextmanager
    def visitor(self):
        context = ssl.create_default_context(cafile=self.files.authority.file)
        with connect(self.port, source=VISITOR) as sock:
            with context.wrap_socket(sock, server_hostname=NAME) as tls:
                yield tls


@pytest.fixture(scope="module")
def echo_service():
    with EchoOrigin() as origin:
        yield origin


@pytest.fixture(scope="module", params=[*TERMINATES, *PASSES_ON], ids=lambda p: p.__name__)
def behind(request, shared_farm, shared_service, echo_service, files, tmp_path_factory):
    tcp = f"tcp://127.0.0.1:{echo_service.port}?mode=path&value=tcp"
    directory = tmp_path_factory.mktemp(request.param.__name__)
    remotes = shared_service.remote("api"), tcp
    behind = Behind(shared_farm, directory, request.param, files, *remotes)
    behind.kind, behind.terminates = request.param, request.param in TERMINATES
    yield behind
    behind.wspc.stop()
    behind.proxy.end()


def test_forward_proxy(behind, origin):
    """A link carries what it carries without them."""
    with open_socks(behind.wspc.port("socks5"), origin.host, origin.port) as sock:
        assert exchange(sock, request("GET /length/3000000")).body == pattern(3_000_000)


def test_what_a_service_is_told(behind, service):
    """A visitor forges what he can."""
    forged = (
        "X-Forwarded-For: 192.0.2.66",
        "X-Forwarded-Proto: gopher",
        "X-Forwarded-Host: evil.example",
        "X-Real-IP: 192.0.2.66",
        "Forwarded: for=192.0.2.66",
    )
    with behind.visitor() as tls:
        for fields in (), forged:
            service.forget()
            assert exchange(tls, request("GET /api/x?y", *fields, host=NAME)).status == 200
            got = service.only_request()
            chain = re.split(r",\s*", ",".join(got.all("x-forwarded-for")))
            own = [VISITOR, "127.0.0.1"] if behind.terminates else [VISITOR]
            assert chain[-len(own) :] == own
            assert chain[: -len(own)] in ([], ["192.0.2.66"] if fields else [])
            assert got.target == "/x?y" and got.all("host") == [NAME]
            assert got.all("x-forwarded-proto") == ["https"]
            assert got.all("x-forwarded-host") == [NAME]
            assert got.all("x-real-ip") in ([], [VISITOR]) and got.all("forwarded") == []


def test_curl(behind):
    """In HTTP/2, where the proxy speaks it."""
    tls = ("--cacert", behind.files.authority.file, "--resolve", f"{NAME}:{behind.port}:127.0.0.1")
    url = f"https://{NAME}:{behind.port}/api/length/200000"
    assert fetch(*tls, url, url) == pattern(200_000) * 2
    version = fetch(*tls, "-w", "%{http_version}", "-o", "/dev/null", url)
    assert version == (b"2" if behind.kind in (haproxy, caddy) else b"1.1")


def test_streams(behind, service):
    """Half a response arrives before there is another half; a large request goes through."""
    with behind.visitor() as tls:
        tls.sendall(request("GET /api/gated", host=NAME))
        assert read_until(tls, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert read_exact(tls, 6) == b"first "
        service.gate.set()
        assert read_exact(tls, 6) == b"second"
        body = pattern(3_000_000)
        head = request("POST /api/echo", f"Content-Length: {len(body)}", host=NAME)
        tls.sendall(head + body)
        tls.settimeout(patience(10))
        assert read_response(tls).body == body


def test_websocket(behind):
    key = frames.new_key().decode()
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    with behind.visitor() as tls:
        tls.sendall(request("GET /tcp", *fields, f"Sec-WebSocket-Key: {key}", host=NAME))
        assert read_until(tls, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        tls.sendall(frames.encode(frames.BINARY, b"hello", masked=True))
        parser, got = frames.Parser(masked=False), b""
        while len(got) < 5:
            got += b"".join(frame.payload for frame in parser.feed(tls.recv(1000)))
        assert got == b"hello"


def test_log(behind):
    """The address of the wspc, which comes from loopback, is that of nobody between."""
    line = behind.wsps.wait_line(r"link 1: up, from ")
    own = r"(127\.0\.0\.1|::1)$" if behind.terminates else r"(127\.0\.0\.1|\[::1\]):\d+$"
    assert re.search("from " + own, line)
    link = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: Uv38ByGCZU8WP18PmmIdcg==", "Proto: 0.10", "Auth: no")  # fmt: skip
    with behind.visitor() as tls:
        assert exchange(tls, request("GET /", *link, host=NAME)).status == 401
    behind.wsps.wait_line(rf"front {re.escape(VISITOR)}(:\d+)?: link refused with 401")
