"""Which pictures of a split are measured, and what speaks against the figures: leaks, shortcuts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tellsign_training.data import DataError, Sample
from tellsign_training.leaks import Leaking, fingerprints, leaking
from tellsign_training.shortcuts import AIM, AS_NETWORK, Probe, probes

SEED = 0
SHOWN = 10
"""Leaks of a kind that the terminal names."""


class LeakError(ValueError):
    """A split shares something with another one; the message names it and says what to do."""


@dataclass(frozen=True)
class Selection:
    """The pictures that are measured, out of the whole split, and what was found of the data.

    `found` is what report.json holds of it: `split`; `leaks`, with the number of pictures of other
    splits that were `compared` and what was `left_out` for each kind; `shortcuts`, the probes; and
    `part`, None where all that is left is measured.
    """

    samples: list[Sample]
    whole: list[Sample]
    found: dict[str, Any]


def select(
    samples: Sequence[Sample],
    split: str,
    memory: Path,
    workers: int,
    drop_leaks: bool = False,
    most: int | None = None,
) -> Selection:
    """Choose the pictures of a split that are measured, out of the samples of all splits.

    Those that leak are left out if `drop_leaks`; `most` is the most of each class. What is read
    out of the files is kept in the folder `memory`. The probe is taken of all that do not leak,
    whatever `most` says: it tells of the data.

    Raises:
        LeakError: pictures leak and are not to be left out.
        DataError: nothing is left.
    """
    whole = [s for s in samples if s.split == split]
    prints = fingerprints(samples, memory / "fingerprints.jsonl", workers)
    leaks = leaking(samples, prints, split)
    if leaks and not drop_leaks:
        raise LeakError(_refusal(leaks, split, len(whole)))
    gone = {sample.path for one in leaks.values() for sample in one.pictures}
    clean = [sample for sample in whole if sample.path not in gone]
    if not clean:
        raise DataError(f"Nothing of {split} is left without the pictures that leak.")
    found = {
        "split": split,
        "leaks": {
            "compared": len(samples) - len(whole),
            "left_out": {
                kind: {"pictures": len(one.pictures), "leaks": [str(leak) for leak in one.leaks]}
                for kind, one in leaks.items()
            },
        },
        "shortcuts": {
            name: asdict(probe) if isinstance(probe, Probe) else {"problem": probe}
            for name, probe in probes(clean, memory / "facts.jsonl", workers).items()
        },
        "part": _part(clean, most) if most else None,
    }
    return Selection(evenly(clean, most) if most else clean, whole, found)


def evenly(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many pictures of each class, drawn as evenly over its sources as these allow.

    Those drawn for a smaller number are among those for a larger one.
    """
    taken: Counter[tuple[bool, str]] = Counter()
    turns = []
    for i in np.random.default_rng(SEED).permutation(len(samples)).tolist():
        of = samples[i].ai, samples[i].source
        turns.append((taken[of], i))
        taken[of] += 1
    order = [i for _, i in sorted(turns, key=lambda turn: turn[0])]
    chosen = [[i for i in order if samples[i].ai == ai][:most] for ai in (True, False)]
    return [samples[i] for i in sorted(chain(*chosen))]


def remarks(found: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What a person must know of the data before the figures, and whether it is a warning."""
    leaks, split = found["leaks"], found["split"]
    if not leaks["compared"]:
        yield f"Leak check: there is no other split than {split} to compare with.", True
    elif not leaks["left_out"]:
        yield f"Leak check: {split} shares nothing with the other splits.", False
    for kind, one in leaks["left_out"].items():
        yield f"Left out of {split}, for a shared {kind}: {one['pictures']} pictures.", True
        yield from ((f"  {leak}", False) for leak in one["leaks"][:SHOWN])
    for name, probe in found["shortcuts"].items():
        yield from _probed(name, probe)
    if part := found["part"]:
        of = f"{part['of']['ai']} AI and {part['of']['real']} real ones"
        yield (
            f"At most {part['most']} pictures of each class are measured, of {of}, drawn evenly "
            f"over the sources (seed {part['seed']}).",
            True,
        )


def _probed(name: str, probe: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    if "problem" in probe:
        yield f"Shortcut probe, {name}: not possible. {probe['problem']}", True
        return
    auc = f"AUC {probe['auc']:.3f} (± {probe['spread']:.3f}, {probe['pictures']} pictures)"
    yield f"Shortcut probe, {name}: {auc}", False
    if name == AS_NETWORK and probe["auc"] > AIM:
        yield (
            f"WARNING: that is over {AIM}. The files give the labels away: a detector may be good "
            "for the wrong reasons, whatever the figures say.",
            True,
        )


def _part(samples: Sequence[Sample], most: int) -> dict[str, Any]:
    ai = sum(sample.ai for sample in samples)
    return {"most": most, "seed": SEED, "of": {"ai": ai, "real": len(samples) - ai}}


def _refusal(leaks: Mapping[str, Leaking], split: str, size: int) -> str:
    lines = []
    for kind, one in leaks.items():
        lines.append(f"{len(one.pictures)} of {size} pictures of {split} leak by {kind}:")
        lines += [f"  {leak}" for leak in one.leaks[:SHOWN]]
        if len(one.leaks) > SHOWN:
            lines.append(f"  and {len(one.leaks) - SHOWN} more")
    return "\n".join(
        [
            *lines,
            "A detector may know them from its training, so figures on them are worth nothing. Put "
            "what is alike into one split (tellsign-train check shows all of it), or leave these "
            "pictures out with --drop-leaks.",
        ]
    )
