"""A stand-in for the Hugging Face hub: the few calls that a download makes, and its bad manners."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder as those of every repository, at one commit."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers, in lower case, of every request."""
        self.stall_after: int | None = None
        """Bytes of the weights after which no more come."""
        self.surplus = b""
        """Sent after each file, whose length is not told then."""
        self.sizes: dict[str, int] = {}
        """What is said of files instead of their sizes."""
        self.go_on = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, head: bool) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers))
        name = self.path.rpartition("/")[2]
        path = self.server.folder / name
        if f"/resolve/{COMMIT}/" not in self.path or not path.exists():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        start = int(headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", f'"{name}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if head or not self.server.surplus:
            self.send_header("Content-Length", str(self.server.sizes.get(name, len(data) - start)))
        self.end_headers()
        if not head:
            self._send(name, data[start:])

    def _send(self, name: str, data: bytes) -> None:
        stall = self.server.stall_after if name == "model.safetensors" else None
        try:
            self.wfile.write(data[:stall] if stall else data + self.server.surplus)
            if stall:
                self.server.go_on.wait(60)
        except ConnectionError:
            pass  # the client was killed

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[Hub]:
    with Hub(folder) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            hub.go_on.set()
            hub.shutdown()
            thread.join()
