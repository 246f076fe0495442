"""The facts of a data set as one self-contained HTML page."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice, zip_longest

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tellsign_training.data import SPLITS, Sample
from tellsign_training.facts import LONG_SIDE, Facts
from tellsign_training.filefacts import FileFacts
from tellsign_training.html import STYLE, environment, svg, thumbnail
from tellsign_training.leaks import Leak
from tellsign_training.shortcuts import AIM

LISTED = 200
"""Files of a kind that the page names; of the rest it gives the number."""
SHEET = 48
"""Thumbnails a class."""
PAIRS = 24
"""Pairs of near-duplicates that are shown."""

COLOURS = {"real": "#0072b2", "ai": "#d55e00"}
"""Okabe and Ito's blue and vermilion, which colour-blind people tell apart."""


def page(facts: Facts, title: str) -> str:
    """The HTML page; everything in it is in the text itself."""
    ai = [s for s in facts.samples if s.ai]
    real = [s for s in facts.samples if not s.ai]
    template = environment().get_template("facts.html")
    return template.render(
        title=title,
        facts=facts,
        aim=AIM,
        listed=LISTED,
        long_side=LONG_SIDE,
        splits=SPLITS,
        counts=count_rows(facts.samples),
        sources=_by_name(facts.samples, lambda s: s.source),
        generators=_by_name(ai, lambda s: s.generator),
        cameras=_by_name(real, lambda s: s.generator),
        unreadable=[f"{s.path}: {reason}" for s, reason in facts.unreadable],
        oversized=[f"{s.path}: {f.width}x{f.height}, {f.bytes} bytes" for s, f in facts.oversized],
        formats=_formats(facts),
        charts=_charts(facts),
        sheets={"Real": _sheet(real), "AI": _sheet(ai)},
        pairs=[(twin, thumbnail(twin.a), thumbnail(twin.b)) for twin in _shown(facts)],
    )


def _shown(facts: Facts) -> list[Leak]:
    return [twin for twin in facts.twins if twin.kind == "picture"][:PAIRS]


def count_rows(samples: Sequence[Sample]) -> list[tuple[str, str, int, int, int, int]]:
    """Split, class, and numbers of pictures, sources, generators and uncertain labels."""
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.split, _label(sample)].append(sample)
    return [
        (
            *names,
            len(group),
            len({s.source for s in group} - {""}),
            len({s.generator for s in group} - {""}),
            sum(not s.certain for s in group),
        )
        for names, group in sorted(groups.items(), key=lambda g: (SPLITS.index(g[0][0]), g[0][1]))
    ]


def _by_name(
    samples: Iterable[Sample], name: Callable[[Sample], str]
) -> list[tuple[str, dict[str, int]]]:
    """How many pictures each name has, in all and by split; the largest first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        counts[name(sample) or "(unknown)"].update([sample.split, "all"])
    return sorted(((n, dict(c)) for n, c in counts.items()), key=lambda item: -item[1]["all"])


def _formats(facts: Facts) -> list[tuple[str, int, int]]:
    """Format, and how many real and AI pictures have it."""
    counts = Counter((file.format, sample.ai) for sample, file in facts.readable)
    names = sorted({format for format, _ in counts})
    return [(name, counts[name, False], counts[name, True]) for name in names]


def _label(sample: Sample) -> str:
    return "ai" if sample.ai else "real"


def _charts(facts: Facts) -> dict[str, str]:
    """The histograms, each a data URI of an SVG picture."""
    files = facts.readable
    if not files:
        return {}
    sides = np.geomspace(32, max(max(f.width, f.height) for _, f in files) + 1, 40)
    classes: dict[str, list[FileFacts]] = {name: [] for name in COLOURS}
    for sample, file in files:
        classes[_label(sample)].append(file)
    return {
        "Width": _histogram(classes, lambda f: f.width, sides, "pixels"),
        "Height": _histogram(classes, lambda f: f.height, sides, "pixels"),
        "Aspect ratio": _histogram(
            classes, lambda f: f.aspect, np.geomspace(0.25, 4, 41), "width / height"
        ),
        "JPEG quality": _histogram(
            classes, lambda f: f.quality, np.arange(0.5, 101), "nearest quality of libjpeg", False
        ),
    }


def _histogram(
    classes: dict[str, list[FileFacts]],
    value: Callable[[FileFacts], float | None],
    edges: npt.NDArray[np.float64],
    axis: str,
    log: bool = True,
) -> str:
    """Shares of each class in each bin; what lies outside counts for the outermost bins."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 2.6), layout="constrained")
        axes = figure.subplots()
        for name, files in classes.items():
            values = [v for file in files if (v := value(file)) is not None]
            if values:
                inside = np.clip(values, edges[0], edges[-1])
                share = np.full(len(inside), 100 / len(inside))
                axes.hist(
                    inside, edges.tolist(), weights=share, alpha=0.55, color=COLOURS[name],
                    label=f"{name} ({len(inside)})",
                )  # fmt: skip
        if log:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(axis)
        axes.set_ylabel("% of the class")
        axes.legend(frameon=False)
        return svg(figure)


def _sheet(samples: Sequence[Sample]) -> list[tuple[Sample, str]]:
    """Thumbnails of some pictures, taken in turn from the sources."""
    sources: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        sources[sample.source].append(sample)
    turns = chain.from_iterable(zip_longest(*sources.values()))
    shown = ((s, thumbnail(s)) for s in turns if s)
    return list(islice(((s, uri) for s, uri in shown if uri), SHEET))
