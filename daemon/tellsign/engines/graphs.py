"""The cache of converted graphs: a folder each, whole or not there, checked before use.

model.xml, model.bin  the graph, as OpenVINO saves it
entry.json            the SHA-256 of both, and torch's logits of the probe; or why there is no graph
"""

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tellsign import __version__
from tellsign.engines.engine import Logits
from tellsign.engines.openvino import library
from tellsign.models.folder import ModelFolder, sha256
from tellsign.settings import cache_dir

FILES = {"model.xml", "model.bin"}
HOUR = 3600.0


@dataclass(frozen=True)
class Entry:
    """A graph's path and the logits it has to give for the probe, or why there is none."""

    graph: Path | None
    logits: Logits
    refused: str


def forget(digest: str) -> None:
    """Delete all graphs of a model that is there no more, by the digest of its weights."""
    for path in _root().glob(f"{_prefix(digest)}-*"):
        shutil.rmtree(path, ignore_errors=True)


def _root() -> Path:
    return cache_dir() / "graphs"


def _prefix(digest: str) -> str:
    return digest.removeprefix("sha256:")[:16]


class Graphs:
    """The place of one model's graph; what made it is part of its name.

    Not so the CPU and the precision: the graph is the same for all, and whoever compiles it has to
    compare its logits with those that are kept beside it.
    """

    def __init__(self, folder: ModelFolder) -> None:
        versions = [__version__, *map(version, ("openvino", "torch", "timm")), platform.machine()]
        config = {k: v for k, v in folder.config.items() if k != "precision"}
        what = json.dumps([versions, folder.digest, config], sort_keys=True)
        self._model = _prefix(folder.digest)
        self._root = _root()
        name = f"{self._model}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"
        self.path = self._root / name

    def get(self) -> Entry | None:
        """What the cache has, if it is as it was put there; if not, it is thrown away."""
        try:
            entry = json.loads((self.path / "entry.json").read_text("utf-8"))
            refused, digests = str(entry["refused"]), dict(entry["sha256"])
            logits = np.array(entry["logits"], np.float32)
            intact = set(digests) == (set() if refused else FILES) and all(
                sha256(self.path / name) == digest for name, digest in digests.items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            self.discard()
            return None
        return Entry(None if refused else self.path / "model.xml", logits, refused)

    def put(self, graph: Any, logits: Logits) -> None:
        """Keep a graph, with torch's logits of the probe, in place of older ones of the model."""
        self._write(graph, logits, "")

    def refuse(self, why: str) -> None:
        """Remember that the model has no graph that could be used."""
        self._write(None, np.empty(0, np.float32), why)

    def discard(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _write(self, graph: Any, logits: Logits, refused: str) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".", dir=self._root))
        try:
            if graph is not None:
                library().save_model(graph, made / "model.xml", compress_to_fp16=False)
            digests = {path.name: sha256(path) for path in made.iterdir()}
            entry = {"refused": refused, "sha256": digests, "logits": logits.tolist()}
            (made / "entry.json").write_text(json.dumps(entry), "utf-8")
            self.discard()
            os.replace(made, self.path)
        except OSError:
            if not self.path.exists():  # if it does, another process was faster
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
        self._sweep()

    def _sweep(self) -> None:
        """Delete what other versions made of the same model, and what killed processes left."""
        old = [path for path in self._root.glob(f"{self._model}-*") if path != self.path]
        left = [p for p in self._root.glob(".*") if time.time() - p.stat().st_mtime > HOUR]
        for path in [*old, *left]:
            shutil.rmtree(path, ignore_errors=True)
