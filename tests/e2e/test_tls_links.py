"""Links by wss://: what they carry, whom they trust, and who may open one."""

import hashlib
import os
import socket

import pytest

from harness import guide, socks
from harness.channels import echoes, tcp
from harness.daemons import LISTENING
from harness.env import DIALECTS, volume
from harness.http_client import exchange, get
from harness.http_origin import HttpOrigin, pattern
from harness.net import connect, free_port, how_it_ends
from harness.programs import run
from harness.reverse import REGISTERED, request
from harness.secure import Pki
from harness.tcp_origins import HashOrigin, SourceOrigin

MIB = 1 << 20
BIG = volume(8 * MIB, 4 * MIB)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


# ---- what they carry


@pytest.fixture(scope="module", params=DIALECTS)
def carried(request, shared_farm, pki, echo):
    """(wspc with proxies, port of a channel to the echo service)."""
    port = shared_farm.wsps(ssl=pki.ssl()).config["port"]
    dialect = {"dialect": request.param}
    offer = pki.entry(port, dynamic=[], remote=[tcp("echo:pw", echo)], **dialect)
    shared_farm.wspc(offer).wait_line(REGISTERED)
    local = free_port()
    user = shared_farm.wspc(
        pki.entry(port, "socks5", "http", local=[f"tcp://echo:pw@127.0.0.1:{local}"], **dialect)
    )
    user.wait_line(LISTENING, count=3)
    user.dialect = request.param
    return user, local


def test_socks5_bulk(carried):
    user, _ = carried
    with SourceOrigin(pattern(MIB)) as source:
        sock = socks.open_socks(user.port("socks5"), "127.0.0.1", source.port)
        sock.sendall(BIG.to_bytes(8, "big"))
        assert how_it_ends(sock, 20) == (pattern(MIB) * (BIG // MIB), "eof")
    with HashOrigin() as target:
        sock = socks.open_socks(user.port("socks5"), "127.0.0.1", target.port)
        sock.sendall(BIG.to_bytes(8, "big") + pattern(BIG))
        assert how_it_ends(sock, 20) == (hashlib.sha256(pattern(BIG)).digest(), "eof")


def test_http_proxy(carried):
    user, _ = carried
    with HttpOrigin() as origin, connect(user.port("http")) as sock:
        assert exchange(sock, get(origin.url("/length/100000"))).body == pattern(100000)


def test_channel(carried):
    _, local = carried
    with connect(local) as sock:
        assert echoes(sock, pattern(MIB))


def test_half_close(carried, echo):
    user, local = carried
    for sock in (socks.open_socks(user.port("socks5"), "127.0.0.1", echo.port), connect(local)):
        sock.sendall(pattern(300_000))
        sock.shutdown(socket.SHUT_WR)
        data, how = how_it_ends(sock)
        assert how == "eof"
        assert data == pattern(300_000) or user.dialect == "0.10"


# ---- whom they trust

CHECK = "tls: certificate check failed: "
VERDICTS = [
    ({}, None),
    ({"host": "127.0.0.1"}, None),
    ({"sni": "a.example"}, None),
    ({"sni": "x.wild.example"}, None),
    ({"sni": "chained.example"}, None),
    ({"sni": "revoked.example"}, None),  # without the list
    ({"insecure": True, "ca": None, "sni": "expired.example"}, None),
    ({"insecure": True, "ca": None, "sni": "foreign.example"}, None),
    ({"ca": None}, CHECK + "unable to get local issuer certificate: /CN=default"),
    ({"sni": "expired.example"}, CHECK + "certificate has expired: /CN=expired"),
    ({"sni": "foreign.example"}, CHECK + "unable to get local issuer certificate: /CN=foreign"),
    (
        {"sni": "wrong.example"},
        "tls: host name check failed: the certificate is not for wrong.example",
    ),
    ({"host": "[::1]"}, "tls: address check failed: the certificate is not for "),
    ({"crl": True}, None),
    ({"crl": True, "sni": "chained.example"}, None),
    ({"crl": True, "sni": "revoked.example"}, CHECK + "certificate revoked: /CN=revoked"),
    ({"crl": True, "sni": "orphan.example"}, CHECK + "certificate revoked: /CN=lost"),
]


def test_trust(farm, pki):
    labels = ("a", "wild", "wrong", "expired", "revoked", "chained", "orphan", "foreign")
    wsps = farm.wsps(bind=None, ssl=pki.ssl(*labels))
    entries = []
    for options, _ in VERDICTS:
        options = {**options, "crl": pki.crl} if "crl" in options else options
        entries.append(pki.entry(wsps.config["port"], dynamic=[], **options))
    wspc = farm.wspc(*entries, link=False)
    for number, (options, fault) in enumerate(VERDICTS, 1):
        if fault:
            wspc.wait_link_failed(number, f": {fault}")
        else:
            wspc.wait_link(number)
    assert all(f"link {n}: up" not in wspc.log() for n, (_, f) in enumerate(VERDICTS, 1) if f)


def test_insecure_is_warned_about_each_time(farm, pki):
    wsps = farm.wsps(ssl=pki.ssl())
    wspc = farm.wspc(pki.entry(wsps.config["port"], dynamic=[], ca=None, insecure=True))
    warning = r' warn link 1(\.2)?: "insecure" is set: whoever answers is taken for the server'
    wspc.wait_line(warning)
    since = wspc.mark()
    wsps.stop()
    farm.wsps(port=wsps.config["port"], ssl=pki.ssl())
    wspc.wait_link(since=since)
    wspc.wait_line(warning, since=since)


def test_server_without_tls(farm, pki):
    wspc = farm.wspc(pki.entry(farm.wsps().config["port"], dynamic=[]), link=False)
    wspc.wait_link_failed(1, r": tls: handshake failed: wrong version number \(does the service")


def test_files_that_are_no_good(farm, pki, tmp_path):
    """They end the start."""
    for key, text in (("ca", "certificates from"), ("crl", "revoked certificates from")):
        config = {"client": [pki.entry(1, dynamic=[], **{key: "/nonexistent"})]}
        wspc = farm.start("wspc", config)
        assert wspc.wait_end() == 1
        assert f'link 1: tls: cannot load {text} "/nonexistent": No such file' in wspc.log()


# ---- who may open one

CLIENTS = [
    ("a", None),  # any certificate of the authority will do
    ("chained", None),
    (None, "no client certificate"),
    ("expired", "certificate has expired"),
    ("revoked", "certificate revoked"),
    ("orphan", "certificate revoked"),
    ("foreign", "unable to get local issuer certificate"),
]


@pytest.fixture(scope="module")
def mutual(shared_farm, pki):
    """A wsps whose links need certificates, and the port of a service that it has."""
    wsps = shared_farm.wsps(ssl=pki.ssl("wild", client_ca=pki.ca, crl=pki.crl))
    with HttpOrigin() as origin:
        remote = f"http://127.0.0.1:{origin.port}?mode=path&value=api"
        only = pki.entry(wsps.config["port"], dynamic=[], remote=[remote], **pki.pair("a"))
        shared_farm.wspc(only).wait_line(REGISTERED)
        yield wsps


@pytest.mark.parametrize("sni", [None, "x.wild.example"])
def test_clients(farm, pki, mutual, sni):
    since = mutual.mark()
    entries = [
        pki.entry(mutual.config["port"], dynamic=[], sni=sni, **(pki.pair(who) if who else {}))
        for who, _ in CLIENTS
    ]
    wspc = farm.wspc(*entries, link=False)
    for number, (_, fault) in enumerate(CLIENTS, 1):
        if fault:
            wspc.wait_link_failed(number, f"403.*client certificate: {fault}")
            mutual.wait_line(f"link refused with 403: client certificate: {fault}", since=since)
        else:
            wspc.wait_link(number)


@pytest.mark.parametrize("label", [None, "a", "revoked", "foreign"])
@pytest.mark.parametrize("name", ["localhost", "x.wild.example"])
def test_visitors_need_none(pki, mutual, label, name):
    with pki.connect(mutual.config["port"], name=name, label=label) as sock:
        assert exchange(sock, request("GET /api/length/9", host="localhost")).body == pattern(9)


def test_without_auth_it_is_not_enough(farm, pki, mutual):
    """A certificate stands beside `auth`, not for it."""
    wspc = farm.wspc(
        pki.entry(mutual.config["port"], dynamic=[], auth="no", **pki.pair("a")), link=False
    )
    wspc.wait_link_failed(1, 'refuses our "auth"')


def test_authority_of_the_page(farm, pki, tmp_path):
    """The commands of docs/operations.md: a certificate for a client, and how it is revoked."""
    make, issue, revoke = (
        block.commands() for block in guide.BLOCKS if block.heading == "Certificates for clients"
    )
    directory = tmp_path / "authority"
    run("bash", "-ec", make + issue, cwd=tmp_path)
    ssl = pki.ssl(client_ca=str(directory / "ca.pem"))
    wsps = farm.wsps(ssl=ssl)
    home = {key: str(directory / f"home.{end}") for key, end in (("cert", "pem"), ("key", "key"))}
    link = pki.entry(wsps.config["port"], dynamic=[], **home)
    farm.wspc(link)
    run("bash", "-ec", revoke, cwd=directory)
    wsps.reload(ssl={**ssl, "crl": str(directory / "crl.pem")})
    farm.wspc(link, link=False).wait_link_failed(1, "403: client certificate: certificate revoked")


# ---- files that change


def copy(pki, label, directory):
    """Puts a certificate and its key in place, as a renewal does."""
    for source, name in zip(pki.files(label), ("cert.pem", "key.pem")):
        (directory / "new").write_bytes(source.read_bytes())
        os.replace(directory / "new", directory / name)
    return {name: str(directory / f"{name}.pem") for name in ("cert", "key")}


def shown(pki, port):
    with socket.create_connection(("127.0.0.1", port)) as sock:
        context = pki.context()
        context.check_hostname = False
        with context.wrap_socket(sock, server_hostname="x") as tls:
            return dict(part[0] for part in tls.getpeercert()["subject"])["commonName"]


def test_renewal(farm, pki, tmp_path, echo):
    """New connections get the new certificate; nothing that is open notices."""
    files = copy(pki, "default", tmp_path)
    wsps = farm.wsps(ssl={"enable": True, **files})
    port = wsps.config["port"]
    wspc = farm.wspc(pki.entry(port, "socks5"))
    with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
        visitor = pki.connect(port)
        assert echoes(sock)
        copy(pki, "a", tmp_path)
        wsps.reload()
        assert shown(pki, port) == "a"
        assert echoes(sock)
        assert exchange(visitor, request("GET /x", host="localhost")).status == 404
        visitor.close()
    assert "link 1: down" not in wspc.log()


def test_renewal_that_is_no_good(farm, pki, tmp_path):
    files = copy(pki, "default", tmp_path)
    wsps = farm.wsps(ssl={"enable": True, **files})
    port = wsps.config["port"]
    refused = r" error ws.s: not reloaded, nothing has changed: ssl: tls: "
    (tmp_path / "cert.pem").write_text("no certificate")
    wsps.reload(refused + r'cannot load the certificate from ".*/cert.pem": there is none in it')
    assert shown(pki, port) == "default"
    (tmp_path / "cert.pem").write_bytes(pki.files("a")[0].read_bytes())
    wsps.reload(refused + r'the key in ".*/key.pem" does not belong to the certificate in ')
    assert shown(pki, port) == "default"
    copy(pki, "a", tmp_path)
    wsps.reload()
    assert shown(pki, port) == "a"


def test_tls_comes_and_goes(farm, pki):
    """With a reload; what is open stays as it is."""
    modes = {False: {"enable": False}, True: pki.ssl()}
    wsps = farm.wsps(ssl=modes[False])
    half, rest = request("GET /x").split(b"\r\n", 1)
    for secure in (False, True):
        with pki.connect(wsps.config["port"]) if secure else connect(wsps.config["port"]) as sock:
            sock.sendall(half)
            wsps.reload(ssl=modes[not secure])
            assert exchange(sock, b"\r\n" + rest, "GET").status == 404


def test_certificate_of_a_client_is_renewed(farm, pki, mutual, tmp_path):
    """wspc looks at its files at each connection."""
    files = copy(pki, "expired", tmp_path)
    wspc = farm.wspc(pki.entry(mutual.config["port"], dynamic=[], **files), link=False)
    wspc.wait_link_failed(1, "certificate has expired")
    (tmp_path / "cert.pem").write_text("no certificate")
    wspc.wait_line(r" error link 1: tls: cannot load the certificate .* loaded before stays in use")
    copy(pki, "a", tmp_path)
    wspc.wait_link(1)
