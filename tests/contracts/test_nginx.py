"""nginx's configuration, run for real in front of a server of ours."""

import http.server
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Echo(http.server.BaseHTTPRequestHandler):
    """Says which headers arrived; /events sends two events half a second apart."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if self.path == "/events" else "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        parts = [b"data: 1\n\n", b"data: 2\n\n"] if self.path == "/events" else [str(dict(self.headers)).encode()]
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
            if self.path == "/events":
                self.server.gate.wait(20)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def proxy(require_tool: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[str, threading.Event]]:
    nginx = require_tool("nginx")
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    gate = upstream.gate = threading.Event()
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    key, cert = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*openssl, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    tls, plain = free_port(), free_port()
    text = (ROOT / "docker" / "nginx.conf").read_text()
    text = text.replace("server web:8000", f"server 127.0.0.1:{upstream.server_port}")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{tls} ssl").replace(
        "listen 80", f"listen 127.0.0.1:{plain}"
    )
    text = text.replace("/etc/nginx/tls/", f"{tmp_path}/").replace("/tmp/nginx.pid", str(tmp_path / "nginx.pid"))
    text = re.sub(r"worker_processes auto;", "worker_processes 1;\ndaemon off;", text)
    (tmp_path / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 20
    while socket.socket().connect_ex(("127.0.0.1", tls)):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    yield f"https://127.0.0.1:{tls}", gate
    gate.set()
    process.terminate()
    process.wait(timeout=20)
    upstream.shutdown()


def _open(url: str) -> http.client.HTTPResponse:
    trusting = ssl._create_unverified_context()
    return urllib.request.urlopen(url, context=trusting, timeout=20)


def test_the_server_behind_learns_of_https_and_gets_a_request_id(proxy: tuple[str, threading.Event]) -> None:
    body = _open(f"{proxy[0]}/healthz").read().decode()
    assert "'X-Forwarded-Proto': 'https'" in body and re.search(r"'X-Request-I[dD]': '[0-9a-f]{32}'", body)


def test_events_pass_through_when_they_are_sent(proxy: tuple[str, threading.Event]) -> None:
    url, gate = proxy
    answer = _open(f"{url}/events")
    assert answer.readline() == b"data: 1\n"  # while the server still waits to send the second
    gate.set()
    assert b"data: 2" in answer.read()
