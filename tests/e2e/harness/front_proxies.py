"""Real proxies, in front of wsps or behind wspc: HAProxy and nginx with a test's configuration."""

from pathlib import Path

import pytest

from harness.programs import Program
from harness.reverse import tool

STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

HAPROXY = """
defaults
    timeout connect 10s
    timeout client 60s
    timeout server 60s
"""

NGINX = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
load_module {stream};
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    {http}
}}
stream {{
    {stream_block}
}}
"""


def haproxy(directory, port, config):
    """HAProxy that listens on `port`, among others."""
    binary = tool("haproxy", "haproxy")
    file = directory / "haproxy.cfg"
    file.write_text(HAPROXY + config)
    return Program(directory, port, binary, "-db", "-f", file)


def nginx(directory, port, http="", stream=""):
    """nginx that listens on `port`, among others; the contents of its blocks http and stream."""
    binary = tool("nginx", "nginx-light")
    if not STREAM.exists():
        pytest.skip("nginx has no stream module (package libnginx-mod-stream)")
    file = directory / "nginx.conf"
    file.write_text(NGINX.format(dir=directory, stream=STREAM, http=http, stream_block=stream))
    errors = directory / "error.log"
    return Program(directory, port, binary, "-e", errors, "-p", directory, "-c", file)
