"""c2pa's native code: alone on this machine, in many threads, and no other library."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tellsign import provenance
from tellsign.provenance import native

from . import making
from .conftest import Read
from .signing import Authority, states


class Listener(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        Listener.asked.clear()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("trusted")
def test_nothing_is_fetched(listener: str, authority: Authority, read: Read) -> None:
    """Neither who could tell of revocation nor the place of a remote manifest is asked."""
    packet = making.xmp(dcterms_provenance=f"{listener}/store.c2pa")
    data = authority.signer(ocsp=f"{listener}/ocsp").sign(making.plain())
    assert read(making.with_xmp(data, packet))
    entry = read(data)["content_credentials"]
    assert states(entry) == (True, True, True, None)
    remote = read(making.with_xmp(making.plain(), packet))["content_credentials"]
    assert states(remote) == (False, None, None, None)
    assert "127.0.0.1" in remote["summary"]
    assert Listener.asked == []


def test_many_threads(signed: bytes) -> None:
    """The daemon reads in several threads."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: provenance.read(signed, "JPEG"), range(40)))
    assert {entry.valid for entries in found for entry in entries} == {True}
    assert {len(entries) for entries in found} == {1}


def test_only_its_own_library_is_loaded(tmp_path: Path, signed: bytes) -> None:
    """c2pa-python itself would load one that lies in the current directory."""
    package = Path(native.c2pa().__file__).parent
    [library] = [p for p in (package / "libs").iterdir() if p.suffix in (".so", ".dylib", ".dll")]
    (tmp_path / library.name).symlink_to(library)
    (tmp_path / "signed.jpg").write_bytes(signed)
    code = (
        "from tellsign import provenance; from pathlib import Path;"
        "[entry] = provenance.read(Path('signed.jpg').read_bytes(), 'JPEG'); assert entry.valid;"
        "import c2pa.c2pa; print(c2pa.c2pa._lib._name)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert Path(done.stdout.strip()) == library, done.stderr
