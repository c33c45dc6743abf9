"""The programs of examples/, built against the installed library, with real daemons around them."""

import threading

import pytest

from harness.channels import Opener, tcp
from harness.curl import curl, fetch
from harness.daemons import AUTH, LINK_FAILED, PATH, descriptors, entry
from harness.env import ROOT, volume
from harness.http_client import exchange
from harness.net import connect, eventually, free_port, read_all, read_exact
from harness.programs import run
from harness.reverse import REGISTERED, request, services
from harness.tcp_origins import TcpOrigin

PAGE = b"a page of the web server\n"
LINKS = "/wsp"  # where the two web servers take them


class WebServer:
    """One of the two examples that are web servers; it ends with status 0 or the test fails."""

    def __init__(self, farm, program):
        self.port = free_port()
        self.daemon = farm.start(program, None, args=[self.port], env={"WSP_AUTH": AUTH})
        eventually(self._is_up, "the web server listens")

    def _is_up(self):
        return curl("-o", "/dev/null", self.url("/")).status == 0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def links(self):
        return int(fetch(self.url("/links")).split(b":")[1])


@pytest.fixture(params=["lws-server", "microhttpd-server"])
def web(request, farm, program):
    return WebServer(farm, program(request.param))


@pytest.fixture
def lws(farm, program):
    return WebServer(farm, program("lws-server"))


@pytest.fixture
def app(lws, farm, origin):
    """A service on the same port."""
    remote = f"http://{origin.authority}?mode=path&value=app"
    farm.wspc(services(lws.port, remote, path=LINKS)).wait_line(REGISTERED)


# ---- web servers


def test_the_web_server_goes_on(web):
    assert fetch(web.url("/")) == PAGE
    assert fetch("-H", f"Cookie: {'c' * 2500}", web.url("/")) == PAGE
    nothing = curl("-o", "/dev/null", "-w", "%{http_code}", web.url("/nothing"))
    assert nothing.body == b"404"


def test_links_come_and_go(web, farm, origin):
    before = descriptors(web.daemon)  # maybe with the connection of who has just looked
    for _ in range(3):
        wspc = farm.wspc(entry(web.port, "socks5", path=LINKS))
        proxy = f"127.0.0.1:{wspc.port('socks5')}"
        assert fetch("--socks5-hostname", proxy, origin.url("/length/5"))
        assert web.links() == 1
        wspc.stop()
        eventually(lambda: web.links() == 0, "the link has ended")
    eventually(lambda: descriptors(web.daemon) <= before, "their descriptors are closed")


def test_a_wrong_secret_is_refused(web, farm):
    wspc = farm.wspc(entry(web.port, path=LINKS, auth="another"), link=False)
    wspc.wait_line(LINK_FAILED.format(1, "401"))
    assert web.links() == 0


def test_it_ends_while_links_are_up(web, farm):
    wspc = farm.wspc(entry(web.port, path=LINKS))
    web.daemon.stop()
    wspc.wait_line(r"link 1: down")


def test_pages_beside_services(lws, app):
    for _ in range(volume(20, 5)):
        assert fetch(lws.url("/app/length/3000"), lws.url("/"))[3000:] == PAGE


def test_a_connection_for_both(lws, app):
    """Services keep it; the web server answers once, and it ends."""
    with connect(lws.port) as sock:
        for _ in range(3):
            assert len(exchange(sock, request("GET /app/length/10")).body) == 10
        assert exchange(sock, request("GET /")).body == PAGE
        assert read_all(sock) == b""


def test_a_request_that_comes_in_pieces(lws):
    with connect(lws.port) as sock:
        for byte in request("GET /")[:-1]:
            sock.sendall(bytes([byte]))
        assert exchange(sock, b"\n", "GET").body == PAGE


# ---- clients


@pytest.fixture
def shout(farm, program):
    """The glib program, and somebody who can open its channel."""
    port = farm.wsps().config["port"]
    url = f"ws://127.0.0.1:{port}{PATH}"
    service = farm.start(program("glib-service"), None, args=[url, "shout"], env={"WSP_AUTH": AUTH})
    service.wait_line("serving shout")
    return Opener(farm, port, "shout")


def test_a_service_without_a_port(shout):
    with connect(shout.ports["shout"]) as one, connect(shout.ports["shout"]) as other:
        for text in (b"hello", b"and again"):
            for sock in (one, other):
                sock.sendall(text)
                assert read_exact(sock, len(text)) == text.upper()
        one.shutdown(1)
        assert read_all(one) == b""


def test_back_pressure(shout):
    """Who does not read is not read from, and holds up nobody else; then nothing is missing."""
    data = b"what everybody says, " * (volume(8 << 20, 1 << 20) // 21)
    with shout.connect("shout") as full, shout.connect("shout") as other:
        sender = threading.Thread(target=lambda: (full.sendall(data), full.shutdown(1)))
        sender.start()
        for _ in range(10):
            other.sendall(b"me?")
            assert read_exact(other, 3) == b"ME?"
        assert read_all(full) == data.upper()
        sender.join()


class Greeter(TcpOrigin):
    def serve(self, sock):
        sock.sendall(b"good morning\n")


@pytest.fixture
def greeter():
    with Greeter() as greeter:
        yield greeter


@pytest.mark.parametrize("name", ["open-stream", "open-stream-cpp"])
def test_a_stream(farm, program, installed, greeter, name):
    port = farm.wsps().config["port"]
    url = f"ws://127.0.0.1:{port}{PATH}"
    farm.wspc(services(port, tcp("clock", greeter))).wait_line(REGISTERED)
    environment = {**installed.environment, "WSP_AUTH": AUTH}
    command = program("open-stream", name)
    assert run(command, url, "clock", env=environment) == b"good morning\n"
    run(command, url, "nothing", status=1, env=environment)
    run(command, "http://127.0.0.1/", "clock", status=1, env=environment)
    run(command, status=1, env=environment)
    if name == "open-stream":
        assert run(command, url, "127.0.0.1", greeter.port, env=environment) == b"good morning\n"
        run(command, url, "127.0.0.1", free_port(), status=1, env=environment)


ARCHIVE = "-l:libwsp.a -lcares -lcjson -lssl -lcrypto"  # as docs/embedding.md has it


def test_the_archive(installed, sources):
    assert ARCHIVE in (ROOT / "docs/embedding.md").read_text()
    flags = [*installed.environment["CFLAGS"].split(), f"-I{installed.prefix}/include"]
    libraries = [f"-L{installed.environment['LD_LIBRARY_PATH']}", *ARCHIVE.split()]
    program = sources / "static"
    run("cc", "-o", program, sources / "examples/open-stream/open-stream.c", *flags, *libraries)
    assert b"libwsp" not in run("ldd", program)
    run(program, status=1)
