"""What a head makes of sources that it has not seen, each source of the stores in its turn.

Splits are few and lack whole kinds of pictures; a store's own sources are many. They are divided in
parts, heads are fitted on all but one and score that one (cross-validation by groups), until every
picture has a score by a head that was not fitted to its source. This tells whom a detector accuses
wrongly: by the kind of picture, as the manifest's `content_type` says it.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from tellsign_training.crops import read_rows
from tellsign_training.data import DataError, Sample
from tellsign_training.metrics import (
    Array,
    Figure,
    Labels,
    auc,
    by_group,
    measured,
    threshold_at_fpr,
    tpr_at_fpr,
    wilson_share,
)
from tellsign_training.probe import features_of, fitted, head_plan, said
from tellsign_training.recipe import Recipe

FPRS = (0.01, 0.05)
LEAST = 20
"""Pictures that a kind or a source must have to be told of."""


def crossed(
    network: nn.Module,
    recipe: Recipe,
    stores: Sequence[Path],
    samples: Sequence[Sample],
    folds: int,
) -> dict[str, Any]:
    """The figures of a network over the pictures of stores; `samples` tell their kinds.

    A picture that is in several stores counts once, with the mean over all of its crops.

    Raises:
        DataError: a store has no features, or others than the first, or pictures that are not
            among the samples, or a fold has one class alone.
        RecipeError: the network is one whose head can't be fitted.
    """
    hidden, plan = head_plan(network, recipe)
    known = {str(s.path): s for s in samples}
    paths = [row["path"] for store in stores for row in read_rows(store)]
    if missing := [path for path in paths if path not in known]:
        raise DataError(f"A store holds {missing[0]}, which the data does not name.")
    features = features_of(network, recipe, stores)
    shown, index = np.unique(np.array(paths)[features.rows], return_inverse=True)
    pictures = [known[path] for path in shown]
    part = parts([pictures[i].source for i in index], folds)
    logits = np.empty(len(features.rows))
    for fold in range(folds):
        out = part == fold
        members = fitted(features.values[~out], features.ai[~out], hidden, plan)
        logits[out] = said(members, features.values[out])
    return figures(pictures, np.bincount(index, logits) / np.bincount(index))


def parts(sources: Sequence[str], folds: int) -> npt.NDArray[np.int64]:
    """Which of about equal parts each belongs to, [n]; those of a source are in the same.

    Raises:
        DataError: there are fewer sources than parts.
    """
    sizes = Counter(sources)
    if len(sizes) < folds:
        raise DataError(f"{len(sizes)} sources do not make {folds} parts.")
    load, place = [0] * folds, {}
    for source, size in sorted(sizes.items(), key=lambda one: (-one[1], one[0])):
        place[source] = load.index(min(load))
        load[place[source]] += size
    return np.array([place[source] for source in sources])


def figures(pictures: Sequence[Sample], score: Array) -> dict[str, Any]:
    """AUC and TPR over all pictures; by kind and source of the real ones the share that is accused.

    They are accused at the thresholds that 1 % and 5 % of all real pictures here reach.
    """
    ai: Labels = np.array([picture.ai for picture in pictures])
    named: dict[str, Figure] = {
        "auc": partial(auc, ai, score),
        **{f"tpr_at_{fpr:.0%}": partial(tpr_at_fpr, ai, score, fpr=fpr) for fpr in FPRS},
    }
    accused = {f"{fpr:.0%}": score[~ai] >= threshold_at_fpr(score[~ai], fpr) for fpr in FPRS}
    real = [picture for picture in pictures if not picture.ai]
    groups = {
        "content": [picture.content or "not known" for picture in real],
        "source": [picture.source or "not known" for picture in real],
    }
    return {
        "pictures": {"ai": int(ai.sum()), "real": int((~ai).sum())},
        **measured(named, ai),
        **{key: _accused(names, accused) for key, names in groups.items()},
    }


def _accused(names: Sequence[str], accused: dict[str, Labels]) -> dict[str, dict[str, Any]]:
    """By group of at least `LEAST`: how many, and the share that is accused; the worst first."""
    counts = {fpr: by_group(names, hit) for fpr, hit in accused.items()}
    first = next(iter(counts.values()))
    large = [name for name, (_, n) in first.items() if n >= LEAST]
    large.sort(key=lambda name: -first[name][0] / first[name][1])
    return {
        name: {
            "n": first[name][1],
            **{fpr: wilson_share(*found[name]) for fpr, found in counts.items()},
        }
        for name in large
    }
