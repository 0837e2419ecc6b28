"""An archive that does everything wrong, each thing under an address of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Misbehaving(BaseHTTPRequestHandler):
    """Answers by the first part of the address."""

    protocol_version = "HTTP/1.1"
    hang = threading.Event()
    heard: list[str] = []

    def do_GET(self) -> None:
        mode = self.path.split("/")[1]
        type(self).heard.append(self.headers.get("Authorization", ""))
        if mode == "slow":
            self.hang.wait(5)
        elif mode == "trickle":
            self.trickle()
        elif mode == "hangup":
            self.close_connection = True
        elif mode == "redirect":
            self.answer(302, b"", Location="http://169.254.169.254/latest/meta-data")
        elif mode.isdecimal():
            self.answer(int(mode), b"{}")
        elif mode == "page":
            self.answer(200, b"<html>Welcome</html>", **{"Content-Type": "text/html"})
        elif mode == "list":
            self.answer(200, b'[1, 2, "three"]')
        elif mode == "half":
            self.answer(200, b'[{"0020000D"', length=500)
            self.close_connection = True
        elif mode == "empty":
            self.answer(200, b"[{}]")

    def answer(self, status: int, body: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/dicom+json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.hang.wait(0.05):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def a_misbehaving_server() -> Iterator[str]:
    """Its address; `/<mode>` below it says how it misbehaves."""
    Misbehaving.hang.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        Misbehaving.hang.set()
        server.shutdown()
        server.server_close()
