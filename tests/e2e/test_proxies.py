"""wspc through the proxies of others: squid, tinyproxy, microsocks, our own, and unfriendly ones."""

import base64
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from harness import socks
from harness.certificates import Authority
from harness.daemons import AUTH, PASSWORD, PATH, USER, entry
from harness.net import connect, free_port, how_it_ends, read_exact, read_until
from harness.programs import Program, run
from harness.reverse import tool
from harness.tcp_origins import ScriptOrigin, TcpOrigin

NAME = "wsps.test"  # of the server, which squid alone can resolve
CLEAN = {v: "" for n in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
         for v in (n, n.upper())}  # fmt: skip

# ---- the proxies, all of which want a user and password


class Proxy:
    scheme = "http"
    user, password = USER, PASSWORD
    refusal = "407 Proxy Authentication Required"  # of who does not know them

    def url(self, password=None):
        login = f"{quote(self.user, safe='')}:{quote(password or self.password, safe='')}"
        return f"{self.scheme}://{login}@127.0.0.1:{self.port}"

    def close(self):
        self.program.end()


class Squid(Proxy):
    """Leads to the server's port only, and to one that is closed."""

    config = """
http_port 127.0.0.1:{port}
pid_filename none
cache_log /dev/null
access_log none
netdb_filename none
coredump_dir {place}
hosts_file {place}/hosts
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
auth_param basic program /usr/lib/squid/basic_ncsa_auth {place}/users
acl known proxy_auth REQUIRED
acl ours port {allowed} {closed}
acl tunnel method CONNECT
http_access allow tunnel ours known
http_access deny all
"""

    def __init__(self, allowed):
        program = tool("squid", "squid")
        self.port, self.closed = free_port(), free_port()
        self.place = tempfile.TemporaryDirectory()  # squid leaves root, and could not read ours
        place = Path(self.place.name)
        place.chmod(0o755)
        hashed = run("openssl", "passwd", "-apr1", "-stdin", data=self.password.encode()).decode()
        (place / "users").write_text(f"{self.user}:{hashed}")
        (place / "hosts").write_text(f"127.0.0.1 {NAME}\n")
        config = place / "squid.conf"
        config.write_text(self.config.format(port=self.port, closed=self.closed, allowed=allowed,
                                             place=place))  # fmt: skip
        self.program = Program(place, self.port, program, "-N", "-f", config)

    def close(self):
        super().close()
        self.place.cleanup()


class Tinyproxy(Proxy):
    user, password = "user", "pass-s3cret"
    refusal = "401 Unauthorized"

    def __init__(self, directory):
        program = tool("tinyproxy", "tinyproxy")
        self.port = free_port()
        config = directory / "tinyproxy.conf"
        config.write_text(f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\n"
                          f"BasicAuth {self.user} {self.password}\n")  # fmt: skip
        self.command = directory, self.port, program, "-d", "-c", config
        self.program = Program(*self.command)

    def restart(self):
        self.program = Program(*self.command)


class Microsocks(Proxy):
    scheme = "socks5"
    refusal = "login refused"

    def __init__(self, directory):
        program = tool("microsocks", "microsocks")
        self.port = free_port()
        self.program = Program(directory, self.port, program, "-i", "127.0.0.1", "-p", self.port,
                               "-u", self.user, "-P", self.password)  # fmt: skip


class Own(Proxy):
    """A listener of another wspc."""

    def __init__(self, wspc, scheme):
        self.scheme, self.port = scheme, wspc.port(scheme, 1)
        self.refusal = "login refused" if scheme == "socks5" else Proxy.refusal

    def close(self):
        pass


@pytest.fixture(scope="module")
def server(shared_farm):
    return shared_farm.wsps()


@pytest.fixture(scope="module")
def squid(server):
    proxy = Squid(server.config["port"])
    yield proxy
    proxy.close()


@pytest.fixture
def tinyproxy(tmp_path):
    proxy = Tinyproxy(tmp_path)
    yield proxy
    proxy.close()


@pytest.fixture(params=["squid", "tinyproxy", "microsocks", "own http", "own socks5"])
def proxy(request, tmp_path):
    if request.param.startswith("own"):
        yield Own(request.getfixturevalue("proxies"), request.param.split()[1])
    elif request.param == "microsocks":
        proxy = Microsocks(tmp_path)
        yield proxy
        proxy.close()
    else:
        yield request.getfixturevalue(request.param)


def works(wspc, echo):
    with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
        sock.sendall(b"round trip")
        assert read_exact(sock, 10) == b"round trip"


def through(url, server):
    return entry(server.config["port"], "socks5", proxy=url)


# ---- right and wrong credentials


def test_link_through(farm, server, proxy, echo):
    wspc = farm.wspc(through(proxy.url(), server), log={"level": "trace"})
    shown = f"{proxy.scheme}://127.0.0.1:{proxy.port}"
    wspc.wait_line(f'link 1: goes through the proxy {shown}, which is set in "proxy"')
    wspc.wait_line(f"link 1: up, to ws://.* through {shown},")
    works(wspc, echo)
    for secret in (proxy.password, quote(proxy.password, safe=""),
                   base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()):  # fmt: skip
        assert secret not in wspc.log()


def test_wrong_password(farm, server, proxy):
    wspc = farm.wspc(through(proxy.url("wr0ng-s3cret"), server), link=False)
    shown = f"proxy {proxy.scheme}://127.0.0.1:{proxy.port}"
    wspc.wait_link_failed(1, f"{shown}: {proxy.refusal}.*; user or password are wrong in .proxy.")
    assert "wr0ng-s3cret" not in wspc.log()


def test_no_password(farm, server, squid, proxies):
    """407, and no method in common; both say what is missing."""
    for proxy, refusal in (squid, "407"), (Own(proxies, "socks5"), "no way to authenticate"):
        url = f"{proxy.scheme}://127.0.0.1:{proxy.port}"
        wspc = farm.wspc(through(url, server), link=False)
        wspc.wait_link_failed(1, f"{refusal}.*; give user and password in .proxy.")


# ---- refusals, losses


def test_refused_connect_then_a_link_lost_and_found(farm, squid, echo):
    """squid forbids one port and finds nobody behind another, until there is somebody."""
    port = squid.closed
    forbidden = farm.wspc(entry(free_port(), proxy=squid.url()), link=False)
    forbidden.wait_link_failed(1, "403 Forbidden")
    wspc = farm.wspc(entry(port, "socks5", proxy=squid.url()), link=False)
    wspc.wait_link_failed(1, "503 Service Unavailable")
    first = farm.wsps(port=port)
    wspc.wait_link()
    since = wspc.mark()
    first.kill()
    wspc.wait_line("link 1: down", since=since)
    farm.wsps(port=port)
    wspc.wait_link(since=since)
    works(wspc, echo)


def test_proxy_that_goes_away_and_comes_back(farm, server, tinyproxy, echo):
    wspc = farm.wspc(through(tinyproxy.url(), server))
    since = wspc.mark()
    tinyproxy.close()
    shown = f"proxy http://127.0.0.1:{tinyproxy.port}"
    wspc.wait_link_failed(1, f"{shown}: dial tcp .*: connection refused", since=since)
    tinyproxy.restart()
    wspc.wait_link(since=since)
    works(wspc, echo)


# ---- unfriendly proxies


OK_HEAD, OK_REPLY = b"HTTP/1.1 200 OK\r\n\r\n", b"\x05\x00\x00\x01" + bytes(6)
TEAPOT = b"HTTP/1.1 418 Tea\r\n\r\n"
STRANGE = [
    ("http", b"", "it closed the connection"),
    ("http", OK_HEAD[:-1], "it closed the connection"),
    ("http", b"SSH-2.0-x\r\n", "its answer is not valid HTTP"),
    ("http", b"HTTP/1.1 502 \x1b[31m\r\n\r\n", "its answer is not valid HTTP"),
    ("http", b"HTTP/1.1 502 \xfc\r\n\r\n", r": 502 \?; next"),
    ("http", b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n", "does not offer Basic"),
    ("http", b"HTTP/1.1 100 x\r\n\r\n" * 5000, "it answers without end"),
    ("http", OK_HEAD + TEAPOT, "unexpected HTTP response status: 418"),
    ("socks5", b"HTTP/1.1 400 Bad\r\n\r\n", "its answer is not SOCKS5"),
    ("socks5", b"\x05\x02", "it wants to authenticate in a way not offered"),
    ("socks5", b"\x05\x00\x05\x05\x00\x01", "SOCKS5 reply 5: connection refused"),
    ("socks5", b"\x05\x00" + OK_REPLY + TEAPOT, "unexpected HTTP response status: 418"),
]


@pytest.mark.parametrize("scheme, answer, text", STRANGE, ids=range(len(STRANGE)))
def test_strange_answers(farm, scheme, answer, text):
    """What comes behind a good answer is the tunnel's, glued to it or not."""
    with ScriptOrigin() as script:
        wspc = farm.wspc(entry(1, proxy=f"{scheme}://127.0.0.1:{script.port}"), link=False)
        with script.accept() as sock:
            sock.sendall(answer)
            with suppress(OSError):  # an answer that is wrong in its middle ends it before
                sock.shutdown(1)
            wspc.wait_link_failed(1, text)


def test_proxy_that_stalls(farm):
    """Before the tunnel is open the proxy is blamed, behind it the server."""
    with ScriptOrigin() as script:
        shown = f"http://127.0.0.1:{script.port}"
        wspc = farm.wspc(entry(1, proxy=shown), time={"handshake": 0.5}, link=False)
        with script.accept() as sock:
            head = b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"
            assert how_it_ends(sock)[0] == head
        wspc.wait_link_failed(1, f"proxy {shown}: no answer in time")
        with script.accept() as sock:
            read_until(sock, b"\r\n\r\n")
            sock.sendall(OK_HEAD)
            assert how_it_ends(sock)[0].startswith(b"GET /proxy HTTP/1.1\r\n")
        wspc.wait_link_failed(1, "no answer to the handshake in time")


class Crumbs(TcpOrigin):
    """A proxy whose first 600 bytes come one by one."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def serve(self, sock):
        read_until(sock, b"\r\n\r\n")
        with connect(self.target) as far:
            far.settimeout(None)
            for byte in b"HTTP/1.0 200 Connection established\r\nVia: a\r\n\r\n":
                sock.sendall(bytes([byte]))
            back = threading.Thread(target=self.pump, args=(sock, far, 1 << 16), daemon=True)
            back.start()
            self.pump(far, sock, 1)

    @staticmethod
    def pump(source, sink, step):
        total = 0
        try:
            while data := source.recv(step):
                sink.sendall(data)
                total += len(data)
                step = step if total < 600 else 1 << 16
            sink.shutdown(1)
        except OSError:
            pass


def test_answers_in_crumbs(farm, server, echo):
    with Crumbs(server.config["port"]) as crumbs:
        wspc = farm.wspc(through(f"http://127.0.0.1:{crumbs.port}", server))
        works(wspc, echo)


# ---- the environment


def by_name(server, **extra):
    url = f"ws://{NAME}:{server.config['port']}{PATH}"
    return entry(1, "socks5", server=url, **extra)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_variable(farm, server, squid, echo, variable):
    launch = {"env": {**CLEAN, variable: squid.url()}}
    wspc = farm.wspc(by_name(server), launch=launch)
    wspc.wait_line(f"goes through the proxy http://127.0.0.1:.*, which is set in {variable}")
    works(wspc, echo)
    assert squid.password not in wspc.log()


@pytest.mark.parametrize("extra, more", [
    ({"proxy": "none"}, {}),
    ({}, {"no_proxy": "x, .test"}),
    ({}, {"NO_PROXY": "*"}),
])  # fmt: skip
def test_direct_all_the_same(farm, server, squid, extra, more):
    """Then the name is looked up here, where nobody knows it."""
    launch = {"env": {**CLEAN, "http_proxy": squid.url(), **more}}
    wspc = farm.wspc(by_name(server, **extra), time={"dial": 1}, link=False, launch=launch)
    wspc.wait_link_failed(1, f": dial tcp: lookup {NAME}")


def test_secured_link(farm, squid, echo, tmp_path):
    """The other variable; and the certificate is asked of who is behind the tunnel."""
    authority = Authority(tmp_path)
    cert, key = authority.issue("wsps", [f"DNS:{NAME}"])
    farm.wsps(port=squid.closed, ssl={"enable": True, "cert": str(cert), "key": str(key)})
    launch = {"env": {**CLEAN, "http_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": squid.url()}}
    url = f"wss://{NAME}:{squid.closed}{PATH}"
    works(farm.wspc(entry(1, "socks5", server=url, ca=str(authority.file)), launch=launch), echo)


def test_loopback_needs_no_proxy(farm, server, echo):
    launch = {"env": {**CLEAN, "all_proxy": "http://127.0.0.1:1"}}
    works(farm.wspc(entry(server.config["port"], "socks5"), launch=launch), echo)


def test_socks5_proxy_gets_the_name(farm, server):
    with ScriptOrigin() as script:
        launch = {"env": {**CLEAN, "ALL_PROXY": f"socks5h://127.0.0.1:{script.port}"}}
        farm.wspc(by_name(server), link=False, launch=launch)
        with script.accept() as sock:
            assert read_exact(sock, 3) == b"\x05\x01\x00"
            sock.sendall(b"\x05\x00")
            wanted = socks.request_bytes(NAME, server.config["port"])
            assert read_exact(sock, len(wanted)) == wanted


def test_unusable_variable(farm, server):
    config = {"client": [{"server": f"ws://{NAME}", "auth": AUTH}]}
    wspc = farm.start("wspc", config, env={**CLEAN, "http_proxy": "https://u:s3cret@p:1"})
    wspc.wait_line(r"client\[0\]: environment variable http_proxy: https:// proxies are not")
    assert wspc.wait_end() == 1
    assert "s3cret" not in wspc.log()
