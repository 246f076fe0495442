"""A cleaned copy of a data set: marks cut away, grids split, large pictures made smaller.

    out/<split>/<class>/<name>-<digest>[-tile].<suffix>
    out/journal.jsonl   the plan, then a line for each picture that is done: what it became
    out/curated.csv     the manifest of all that is done

A picture in which nothing changes is copied byte for byte. Of the others a lossy file becomes a
JPEG of quality 95 and a lossless one a PNG, because delivery.py treats the two differently. The
journal is written line by line, so that a run that was stopped goes on where it was.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from tellsign.picture import PictureError, decode, digest
from tellsign_training.data import DataError, Sample
from tellsign_training.delivery import LOSSLESS, encoded, limited
from tellsign_training.marks import cells, tiles, unmarked
from tellsign_training.pooled import pooled

MANIFEST = "curated.csv"
QUALITY = 95


@dataclass(frozen=True)
class CuratePlan:
    """What is done beside cutting and splitting.

    Attributes:
        long_side: in pixels, or None to keep sizes.
        grid: columns and rows of equal cells that every picture is known to have; without it
            grids of four are looked for.
    """

    long_side: int | None = None
    grid: tuple[int, int] | None = None


@dataclass(frozen=True)
class Done:
    """What one picture became: files (relative to the folder), steps taken, or the problem."""

    original: str
    sha256: str = ""
    files: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    problem: str = ""


def curate(samples: Sequence[Sample], out: Path, plan: CuratePlan, workers: int) -> list[Done]:
    """Make the copy, or go on with it; what became of every sample, in their order.

    The manifest is written also when the work is stopped. Unreadable pictures are left out and
    tried again by the next run.

    Raises:
        DataError: the folder holds a copy that was made by another plan.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = _resumed(out / "journal.jsonl", plan)
    todo = [s for s in samples if _key(s) not in done]
    work = partial(_curated, out=out, plan=plan)
    try:
        with (
            (out / "journal.jsonl").open("a", encoding="utf-8") as journal,
            closing(pooled(work, todo, workers, "curating")) as results,
        ):
            for result in results:
                done[result.original] = result
                if not result.problem:
                    print(json.dumps(asdict(result)), file=journal, flush=True)
    finally:
        _write_manifest(samples, done, out / MANIFEST)
    return [done[_key(s)] for s in samples]


def cleaned(image: Image.Image, plan: CuratePlan) -> tuple[list[Image.Image], tuple[str, ...]]:
    """What a picture becomes, and the names of the steps that changed it."""
    whole = unmarked(image)
    parts = cells(whole, *plan.grid) if plan.grid else tiles(whole)
    small = [limited(part, plan.long_side) if plan.long_side else part for part in parts]
    changed = {
        "cut": whole.size != image.size,
        "split": len(parts) > 1,
        "scaled": [part.size for part in small] != [part.size for part in parts],
    }
    return small, tuple(step for step, took_place in changed.items() if took_place)


def _key(sample: Sample) -> str:
    return str(sample.path.absolute())


def _curated(sample: Sample, out: Path, plan: CuratePlan) -> Done:
    """Write what becomes of one picture."""
    try:
        data = sample.path.read_bytes()
        picture = decode(data)
    except PictureError as error:
        return Done(_key(sample), problem=error.message)
    except OSError as error:
        return Done(_key(sample), problem=f"The file can't be opened: {error.strerror}.")
    parts, steps = cleaned(picture.image, plan)
    name = f"{sample.split}/{'ai' if sample.ai else 'real'}/{sample.path.stem}-{digest(data)[:8]}"
    if not steps:
        files = {name + sample.path.suffix: data}
    else:
        suffix, save = (".png", _png) if picture.format in LOSSLESS else (".jpg", _jpeg)
        tails = [""] if len(parts) == 1 else [f"-{i}" for i in range(1, len(parts) + 1)]
        files = {
            f"{name}{tail}{suffix}": save(part) for tail, part in zip(tails, parts, strict=True)
        }
    for path, content in files.items():
        _write(out / path, content)
    return Done(_key(sample), picture.sha256, tuple(files), steps)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", QUALITY)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def _resumed(journal: Path, plan: CuratePlan) -> dict[str, Done]:
    """What an earlier run has done; begins the journal if there is none.

    A line that a kill has torn is cut off.
    """
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    mine = json.dumps({"plan": asdict(plan)})
    if not whole:
        whole = [mine.encode() + b"\n"]
    _write(journal, b"".join(whole))
    head, *records = map(json.loads, whole)
    if head != json.loads(mine):
        raise DataError(f"{journal.parent} was made with {head['plan']}: choose another folder.")
    return {record["original"]: _done(record) for record in records}


def _done(record: dict[str, Any]) -> Done:
    return Done(**{**record, "files": tuple(record["files"]), "steps": tuple(record["steps"])})


def _write_manifest(samples: Iterable[Sample], done: dict[str, Done], path: Path) -> None:
    """The manifest of what is done, in the order of the samples."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["path", "split", "label", "generator", "source_id", "content_type", "certainty",
         "steps", "original_sha256"]
    )  # fmt: skip
    for sample in samples:
        if (result := done.get(_key(sample))) is None:
            continue
        known = [
            sample.split, "ai" if sample.ai else "real", sample.generator, sample.source,
            sample.content, "high" if sample.certain else "med", " ".join(result.steps),
        ]  # fmt: skip
        writer.writerows([file, *known, result.sha256] for file in result.files)
    _write(path, text.getvalue().encode())
