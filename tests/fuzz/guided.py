"""Coverage-guided runs, by hand: atheris mutates what reaches new lines of the readers.

`pip install atheris` (3.0 has wheels for Python 3.11 to 3.13 on Linux), then
`python -m tests.fuzz.guided picture -atheris_runs=50000` or `… provenance …`; further arguments are
libFuzzer's. A file that fails is left in the current directory as crash-…, slow-unit-… or oom-….
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["PIL", "tellsign"]):
    from tellsign import picture, provenance  # noqa: F401
    from tests.daemon import test_picture_fuzz as of_pictures
    from tests.daemon.provenance import test_fuzz as of_provenance

LIMITS = ["-timeout=10", "-rss_limit_mb=3000", "-max_len=65536", "-report_slow_units=2"]


def _provenance(data: bytes) -> None:
    """The first byte chooses the format, as the bytes of the seeds are put together below."""
    formats = of_provenance.making.FORMATS
    of_provenance.read(formats[data[0] % len(formats)], data[1:])


def _seeds(target: str) -> list[bytes]:
    if target == "picture":
        return [data for _, data in of_pictures.files()]
    formats = of_provenance.making.FORMATS
    return [bytes([formats.index(format)]) + data for format, data in of_provenance.files()]


TARGETS: dict[str, Callable[[bytes], Any]] = {
    "picture": lambda data: of_pictures.read("", data),
    "provenance": lambda data: _provenance(data) if data else None,
}


def main(target: str, *options: str) -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(_seeds(target)):
            (Path(corpus) / str(number)).write_bytes(data)
        atheris.Setup([sys.argv[0], *LIMITS, *options, corpus], TARGETS[target])
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
