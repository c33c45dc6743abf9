"""The reverse proxy between programs of others: nginx and Node.js behind it, curl and load."""

import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from harness.curl import curl, fetch
from harness.env import SANITIZED, SCHEME, patience
from harness.http_client import read_response
from harness.http_origin import pattern
from harness.net import connect, eventually, free_port, read_exact
from harness.programs import Program
from harness.reverse import Rig, request, tool

MIB = 1 << 20
LONG = os.environ.get("WSP_LONG") == "1"
SECONDS = 20 if LONG else 2  # of load

NGINX = """
daemon off;
master_process off;
worker_rlimit_nofile 4096;
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    types {{ text/plain txt; text/html html; }}
    gzip on;
    gzip_types text/plain;
    gzip_min_length 100;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {dir}/www;
        location /short/ {{ alias {dir}/www/; keepalive_requests 3; }}
        location /closing/ {{ alias {dir}/www/; keepalive_timeout 0; }}
        location /put/ {{ dav_methods PUT DELETE; create_full_put_path on;
                          client_max_body_size 100m; }}
        location /who {{ return 200 "$http_host $http_x_forwarded_for $http_x_forwarded_proto"; }}
        location /moved {{ return 301 /elsewhere; }}
        location /secret {{ return 401; add_header WWW-Authenticate 'Basic realm="x"' always; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    binary = tool("nginx", "nginx-light")
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "www").mkdir()
    (directory / "www" / "small.txt").write_bytes(pattern(2000))
    (directory / "www" / "large.bin").write_bytes(pattern(16 * MIB))
    (directory / "www" / "index.html").write_text("<p>it works\n")
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(NGINX.format(dir=directory, port=port))
    errors = directory / "error.log"
    program = Program(directory, port, binary, "-e", errors, "-p", directory, "-c", config)
    yield program
    program.end()
    assert not re.search(r"\[(alert|emerg|crit)\]", errors.read_text()), errors.read_text()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    binary = tool("node", "nodejs")
    port = free_port()
    script = Path(__file__).parent / "harness" / "node_service.js"
    program = Program(tmp_path_factory.mktemp("node"), port, binary, script, port)
    yield program
    program.end()


def remotes(name, program):
    url = f"http://127.0.0.1:{program.port}"
    return f"{url}?mode=path&value={name}", f"{url}?mode=domain&value={name}.example"


@pytest.fixture(scope="module")
def by_nginx(shared_farm, nginx):
    return Rig(shared_farm, *remotes("nginx", nginx))


@pytest.fixture(scope="module")
def by_node(shared_farm, node):
    return Rig(shared_farm, *remotes("node", node))


# ---- nginx


def test_files(by_nginx):
    assert fetch(by_nginx.url("/nginx/small.txt")) == pattern(2000)
    assert fetch(by_nginx.url("/nginx/large.bin")) == pattern(16 * MIB)
    assert fetch(by_nginx.url("/nginx/")) == b"<p>it works\n"
    domain = f"nginx.example:{by_nginx.port}"
    there = f"{domain}:127.0.0.1"
    assert fetch("--resolve", there, f"http://{domain}/small.txt") == pattern(2000)
    assert fetch("--resolve", there, f"http://{domain}/who").split() == [
        domain.encode(), b"127.0.0.1", SCHEME.encode()]  # fmt: skip


def test_compressed_and_partial(by_nginx):
    """gzip arrives in chunks; a range and a condition are nginx's to judge."""
    head = curl("-D", "-", "-o", "/dev/null", "--compressed", by_nginx.url("/nginx/small.txt")).body
    assert b"Content-Encoding: gzip" in head and b"Transfer-Encoding: chunked" in head
    assert fetch("--compressed", by_nginx.url("/nginx/small.txt")) == pattern(2000)
    assert fetch("-r", "100-199", by_nginx.url("/nginx/large.bin")) == pattern(200)[100:]
    url = by_nginx.url("/nginx/small.txt")
    tag = re.search(rb"(?i)\r\netag: (.*)\r\n", curl("-I", url).body).group(1).decode()
    codes = curl("-w", "%{http_code}", "-H", f"If-None-Match: {tag}", url)
    assert codes.body == b"304"


def test_statuses(by_nginx):
    codes = {"missing": "404", "moved": "301", "secret": "401", "small.txt": "200"}
    for path, code in codes.items():
        args = ("-o", "/dev/null", "-w", "%{http_code}", by_nginx.url(f"/nginx/{path}"))
        assert curl(*args).body.decode() == code
        assert curl("-I", *args).body.decode() == code


@pytest.mark.parametrize("framing", [(), ("-H", "Transfer-Encoding: chunked")])
def test_uploads(by_nginx, framing):
    """With Expect: 100-continue, as curl does it for large bodies."""
    body = pattern(8 * MIB)
    url = by_nginx.url(f"/nginx/put/{len(framing)}.bin")
    done = curl("-T", "-", "-H", "Expect: 100-continue", *framing, "-w", "%{http_code}", url,
                data=body)  # fmt: skip
    assert done.body.endswith(b"201"), done
    assert fetch(url) == body
    assert curl("-X", "DELETE", "-w", "%{http_code}", url).body.endswith(b"204")


def test_nginx_that_closes(by_nginx):
    """Every third request, or every one, is the last of its connection."""
    urls = [by_nginx.url(f"/nginx/{kind}/small.txt") for kind in ("short", "closing")] * 20
    assert fetch(*urls) == pattern(2000) * 40


def test_pipelined_to_nginx(by_nginx):
    with by_nginx.connect() as sock:
        sock.sendall(request("GET /nginx/small.txt", host="h") * 40)
        for _ in range(40):
            assert read_response(sock).body == pattern(2000)


# ---- Node.js


def test_node_sees_the_request(by_node):
    url = by_node.url("/node/request?a=%2F")
    seen = json.loads(fetch("-X", "PATCH", "-H", "x-OdD: 1", "-H", "X-odd: 2", url))
    assert (seen["method"], seen["target"]) == ("PATCH", "/request?a=%2F")
    names, values = seen["rawHeaders"][::2], seen["rawHeaders"][1::2]
    assert names[0] == "Host" and values[0] == f"127.0.0.1:{by_node.port}"
    assert "x-OdD" in names and "X-odd" in names
    assert values[names.index("X-Forwarded-For")] == "127.0.0.1"


@pytest.mark.parametrize("framing", [(), ("-H", "Transfer-Encoding: chunked")])
def test_node_gets_uploads(by_node, framing):
    body = pattern(16 * MIB)
    got = fetch("-T", "-", *framing, by_node.url("/node/sha"), data=body)
    assert got.decode() == hashlib.sha256(body).hexdigest()


def test_node_chunks(by_node):
    want = b"".join(b"chunk %d\n" % n for n in range(5000))
    assert fetch(by_node.url("/node/chunks?n=5000")) == want


def test_node_events(by_node, node):
    """They arrive as they are sent; the service hears that curl has left."""
    url = by_node.url("/node/events")
    reader = subprocess.Popen(["curl", "-q", "-sSN", url], stdout=subprocess.PIPE)
    try:
        for number in range(8):
            line = reader.stdout.readline().split()
            assert line[:2] == [b"data:", b"%d" % number]
            assert time.time() * 1000 - int(line[2]) < patience(500), "an event was held back"
            assert reader.stdout.readline() == b"\n"
    finally:
        reader.kill()
        reader.wait()
    eventually(lambda: "events closed" in node.output.read_text(), "node hears of it", timeout=2)


def test_node_upgrade(by_node):
    with by_node.connect() as sock:
        sock.sendall(request("GET /node/x", "Upgrade: echo", "Connection: Upgrade", body=b"early"))
        assert read_response(sock).status == 101
        assert read_exact(sock, 5) == b"early"
        sock.sendall(pattern(100_000))
        assert read_exact(sock, 100_000) == pattern(100_000)


def test_node_closes_idle_connections(by_node):
    """Around its keep-alive timeout: no request is lost to a dying connection."""
    with by_node.connect() as sock:
        for turn in range(12):
            sock.sendall(request(f"GET /node/{turn}"))
            assert read_response(sock).body == b"GET /%d\n" % turn
            time.sleep(0.19 + turn % 4 * 0.01)


def test_node_closes_after_each_reply(by_node):
    urls = [by_node.url(f"/node/close?n={size}") for size in range(0, 20_000, 100)]
    assert fetch(*urls) == b"x" * sum(range(0, 20_000, 100))


# ---- load


def run(*command, limit):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, timeout=patience(limit), check=False
    )
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text
    return text


@pytest.mark.parametrize("path", ["small.txt", "closing/small.txt"])
def test_wrk(by_nginx, path):
    """64 kept connections; wrk tells of every error and every answer that is no 2xx."""
    wrk = tool("wrk", "wrk")
    url = by_nginx.url(f"/nginx/{path}")
    text = run(wrk, "-t2", "-c64", f"-d{SECONDS}s", "--timeout", "10s", url, limit=SECONDS + 20)
    assert "Socket errors" not in text and "Non-2xx" not in text, text
    count = int(re.search(r"(\d+) requests in", text).group(1))
    assert count > (20 if SANITIZED else 200) * SECONDS, text
    print(text)


@pytest.mark.limit(90)
def test_h2load(by_nginx):
    """It counts every byte: as many as that many answers have, no more, no fewer."""
    h2load = tool("h2load", "nghttp2-client")
    count = 2000 if SANITIZED else 100_000 if LONG else 10_000
    url = by_nginx.url("/nginx/small.txt")
    text = run(h2load, "--h1", "-t2", "-c64", f"-n{count}", url, limit=60)
    assert re.search(rf"{count} succeeded, 0 failed, 0 errored, 0 timeout", text), text
    assert re.search(rf"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx", text), text
    data = re.search(r"\((\d+)\) data", text)
    assert int(data.group(1)) == count * 2000, text
    print(text)
