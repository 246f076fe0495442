"""The shortcut probe: how far the file alone, without what it shows, gives the label away.

A gradient-boosted tree on size, format, JPEG quantisation tables, aspect ratio and flatness alone,
cross-validated by source (evaluation protocol, section Data). An AUC of 0.5 means that nothing is
given away. It is taken of the files as stored, and of the pictures as a network gets them, where
it should be at most `AIM`.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from tellsign.picture import FORMATS, Picture, PictureError, decode
from tellsign_training.crops import CropPlan, crops_of
from tellsign_training.data import DataError, Sample
from tellsign_training.delivery import LOSSLESS, limited
from tellsign_training.filefacts import FileFacts, facts_of
from tellsign_training.memory import Known, remembered
from tellsign_training.metrics import Labels

AIM = 0.55
FOLDS = 5
AS_STORED, AS_NETWORK = "as stored", "as a network gets them"

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Deliver = Callable[[Image.Image, bool, np.random.Generator], bytes]
"""A decoded picture, whether its file was lossless, and chance -> the bytes that arrive."""


@dataclass(frozen=True)
class Probe:
    """What file facts alone reach, as mean and spread of the AUC over folds of unseen sources."""

    auc: float
    spread: float
    pictures: int
    features: dict[str, float]
    """The AUC of each kind of fact on its own, largest first."""

    def __str__(self) -> str:
        most, value = next(iter(self.features.items()))
        return (
            f"AUC {self.auc:.3f} (± {self.spread:.3f} over folds, {self.pictures} pictures); "
            f"most by {most} ({value:.3f})"
        )


def probes(samples: Sequence[Sample], memory: Path, workers: int) -> dict[str, Probe | str]:
    """The probe of the files as stored and as a network gets them, or why there is none.

    The facts are kept in `memory`; see memory.py.
    """
    paths = [sample.path for sample in samples]
    known = remembered(_facts, paths, memory, workers, "reading file facts")
    return {
        name: tried(samples, [_revived(one[name]) for one in known])
        for name in (AS_NETWORK, AS_STORED)
    }


def tried(samples: Sequence[Sample], facts: Sequence[FileFacts | None]) -> Probe | str:
    """The probe of the pictures that could be read, or why there is none."""
    both = [(sample, file) for sample, file in zip(samples, facts, strict=True) if file]
    try:
        return probe_of([sample for sample, _ in both], [file for _, file in both])
    except DataError as error:
        return str(error)


def probe_of(samples: Sequence[Sample], facts: Sequence[FileFacts]) -> Probe:
    """The probe, with the facts of the samples' files at hand.

    Raises:
        DataError: fewer than two sources of a class.
    """
    columns = _columns(facts)
    ai = np.array([s.ai for s in samples], np.bool_)
    sources = np.array([s.source or s.path.stem for s in samples])
    folds = _folds(ai, sources)
    whole = _aucs(np.hstack(list(columns.values())), ai, folds)
    alone = {name: float(np.mean(_aucs(column, ai, folds))) for name, column in columns.items()}
    ordered = sorted(alone.items(), key=lambda item: -item[1])
    return Probe(float(np.mean(whole)), float(np.std(whole)), len(ai), dict(ordered))


def as_network(image: Image.Image, lossless: bool, rng: np.random.Generator) -> bytes:
    """A picture as a network gets it in training: one crop after a random delivery, as PNG.

    Its pixels are all that is left to tell of the file: the PNG's size says how well they compress.
    """
    crop = Image.fromarray(crops_of(image, lossless, CropPlan(passes=1), rng)[0])
    buffer = io.BytesIO()
    crop.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def delivered(picture: Picture, deliver: Deliver, seed: int) -> FileFacts | None:
    """The facts of what arrives; None if nothing is in it."""
    image = limited(picture.image, 1600)
    data = deliver(image, picture.format in LOSSLESS, np.random.default_rng((0, seed)))
    try:
        return facts_of(data, decode(data))
    except PictureError:
        return None


def _facts(path: Path) -> Known:
    """The facts of a file as they are kept, null where it can't be read."""
    try:
        data = path.read_bytes()
        picture = decode(data)
    except (OSError, PictureError):
        return {AS_STORED: None, AS_NETWORK: None}
    # Seeded by its bytes, a picture arrives in the same way whatever is measured beside it.
    arrived = delivered(picture, as_network, int(picture.sha256[:8], 16))
    return {
        AS_STORED: asdict(facts_of(data, picture)),
        AS_NETWORK: asdict(arrived) if arrived else None,
    }


def _revived(known: Known | None) -> FileFacts | None:
    if known is None:
        return None
    return FileFacts(**{**known, "luma": tuple(known["luma"]), "chroma": tuple(known["chroma"])})


def _columns(facts: Sequence[FileFacts]) -> dict[str, Array]:
    """The facts as numbers, float64 [n, columns] a kind; tables of zeros where there are none."""
    size = np.array([(f.width, f.height) for f in facts], np.float64)
    kinds: dict[str, Array] = {
        "width and height": np.hstack([size, size % 64]),
        "file size": np.array([(f.bytes, f.bytes / (f.width * f.height)) for f in facts]),
        "format": np.array([[FORMATS.index(f.format)] for f in facts], np.float64),
        "quantisation": np.array([_table(f.luma) + _table(f.chroma) for f in facts]),
        "aspect ratio": np.array([[f.aspect] for f in facts]),
        "flatness": np.array([[f.flatness] for f in facts]),
    }
    return kinds


def _table(table: tuple[int, ...]) -> list[float]:
    return list(map(float, table)) if len(table) == 64 else [0.0] * 64


def _folds(ai: Labels, sources: npt.NDArray[np.str_]) -> list[tuple[Indices, Indices]]:
    """Rows to learn from and rows to try on, no source in both, both classes in each."""
    fewest = min(len(set(sources[ai])), len(set(sources[~ai])))
    if fewest < 2:
        raise DataError("The shortcut probe needs at least two sources of each class.")
    split = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=0)
    folds = split.split(ai, ai, sources)
    usable = [(a, b) for a, b in folds if len(set(ai[a])) == len(set(ai[b])) == 2]
    if not usable:
        raise DataError("The sources are too uneven for the shortcut probe.")
    return usable


def _aucs(x: Array, ai: Labels, folds: list[tuple[Indices, Indices]]) -> list[float]:
    """The AUC of each fold."""
    result = []
    for learn, held_out in folds:
        tree = HistGradientBoostingClassifier(random_state=0).fit(x[learn], ai[learn])
        score = tree.predict_proba(x[held_out])[:, 1]
        result.append(float(roc_auc_score(ai[held_out], score)))
    return result
