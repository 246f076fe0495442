"""The CPU at its fastest: OpenVINO where the model's graph is at hand, else torch.

Where there is no graph yet, torch answers, and another process makes one once enough has been asked
for to be worth it; then OpenVINO takes over. A start never waits for a conversion.
"""

import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tellsign.engines.engine import EngineStatus, Logits, Views
from tellsign.engines.graphs import Entry, Graphs
from tellsign.engines.openvino import OpenVINOEngine, able
from tellsign.engines.probe import LOWER_TOLERANCE, TOLERANCE, difference, probe
from tellsign.models.folder import ModelFolder

if TYPE_CHECKING:
    from tellsign.engines.torch import TorchEngine

WORTH = 64
"""Views after which a conversion pays: those of a dozen pictures."""
MOST_SECONDS = 900.0
"""For a conversion."""

log = logging.getLogger(__name__)


class Unfit(RuntimeError):
    """A graph that can't stand in for torch; the message says why."""


def opened(entry: Entry, folder: ModelFolder, precision: str = "f32") -> OpenVINOEngine:
    """The engine of a model's graph, if it does what torch does.

    Raises:
        Unfit: there is none, or it can't be run, or says something else on the probe.
    """
    if entry.graph is None:
        raise Unfit(entry.refused)
    try:
        engine = OpenVINOEngine(entry.graph, precision)
        off = difference(engine.logits(probe(folder.plan.size)), entry.logits)
    except RuntimeError as error:
        raise Unfit(f"its graph can't be run ({str(error).splitlines()[0]})") from None
    if off > (TOLERANCE if precision == "f32" else LOWER_TOLERANCE):
        raise Unfit(f"its logits are off by {off:.2g}")
    return engine


class CpuEngine:
    """OpenVINO or torch, whichever there is by now.

    Raises:
        ModelError: the network can't be made.
    """

    def __init__(self, folder: ModelFolder, precision: str = "auto") -> None:
        self._folder = folder
        self._asked = precision
        self._precision = "f32"
        self._graphs: Graphs | None = None
        self._fast: OpenVINOEngine | None = None
        self._torch: TorchEngine | None = None
        self._seen = 0
        self._conversion: threading.Thread | None = None
        try:
            self._graphs = Graphs(folder)
            self._adopt()
        except ImportError as error:
            self._give_up(f"OpenVINO can't be used ({error})")
        if self._fast is None:
            self._torch = self._load()

    @property
    def status(self) -> EngineStatus:
        slow, fast = self._torch, self._fast  # in this order: the one comes before the other goes
        if fast:
            return EngineStatus("openvino", "cpu", self._precision, fast.streams)
        assert slow
        return slow.status

    @property
    def eager(self) -> "TorchEngine":
        # Once OpenVINO has taken over, torch's copy is gone, until an explanation asks for it.
        slow = self._torch  # read once: it may be let go meanwhile
        if slow is None:
            slow = self._torch = self._load()
        return slow

    def logits(self, views: Views) -> Logits:
        slow, fast = self._torch, self._fast
        if fast:
            return fast.logits(views)
        assert slow
        self._seen += len(views)
        if self._graphs and self._seen >= WORTH:
            self._start_conversion()
        return slow.logits(views)

    def prepare(self) -> None:
        if self._fast is None and self._graphs:
            self._start_conversion().join()

    def _start_conversion(self) -> threading.Thread:
        """Have the graph made, unless that has begun; the thread ends when it is in use, or not."""
        if self._conversion is None:
            self._conversion = threading.Thread(
                target=self._convert, name="tellsign-convert", daemon=True
            )
            self._conversion.start()
        return self._conversion

    def _convert(self) -> None:
        command = [sys.executable, "-m", "tellsign.engines.convert", str(self._folder.path)]
        with subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,  # whose end tells it that this process has gone
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ) as process:
            timer = threading.Timer(MOST_SECONDS, process.kill)
            timer.daemon = True
            timer.start()
            assert process.stderr
            errors = process.stderr.read().strip().splitlines()
            timer.cancel()
        self._adopt()
        if self._fast is None and self._graphs:
            last = errors[-1] if errors else f"status {process.returncode}"
            self._give_up(f"the conversion failed ({last})")

    def _adopt(self) -> None:
        """Use the graph that is in the cache, if there is one and it does what torch does."""
        entry = self._graphs.get() if self._graphs else None
        if entry is None:
            return
        for precision in self._precisions():
            try:
                self._fast = opened(entry, self._folder, precision)
            except Unfit as why:
                unfit = str(why)
            else:
                self._precision, self._torch = precision, None
                return
        self._give_up(unfit)

    def _precisions(self) -> list[str]:
        """Those to try, the fastest first: a lower one only if asked for or measured to do."""
        if self._asked != "auto":
            return [self._asked]
        measured = self._folder.precision
        return [measured, "f32"] if measured != "f32" and able(measured) else ["f32"]

    def _give_up(self, why: str) -> None:
        self._graphs = None
        log.warning("%s runs on torch, OpenVINO not being used: %s.", self._folder.id, why)

    def _load(self) -> "TorchEngine":
        from tellsign.engines.torch import TorchEngine

        folder = self._folder
        return TorchEngine(folder.network(), folder.mean, folder.std, "cpu", self._asked)
