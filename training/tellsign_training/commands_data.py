"""The commands of the data room: `tellsign-train check` and `tellsign-train curate`."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tellsign_training.curate import MANIFEST, CuratePlan
from tellsign_training.curate import curate as make_copy
from tellsign_training.data import DataError, Sample, read
from tellsign_training.facts import Facts, gather
from tellsign_training.facts_page import count_rows, page
from tellsign_training.terminal import WORKERS, stop

SHOWN = 20
"""Files of a kind that the terminal names; the page names more."""

Data = Annotated[Path, typer.Argument(help="A manifest (CSV) or a folder of pictures.")]
Workers = Annotated[int, typer.Option(help="Processes.", min=1)]

console = Console(soft_wrap=True)


def check(
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the page of facts goes.")] = Path("facts.html"),
    workers: Workers = WORKERS,
) -> None:
    """Check pictures and splits, and write a page of facts.

    Exit status 1 if a file can't be read or two splits share something.
    """
    facts = gather(_read(data), workers)
    out.write_text(page(facts, data.name), "utf-8")
    _summarise(facts)
    console.print(f"Wrote {out}.", markup=False)
    raise typer.Exit(0 if facts.sound else 1)


def curate(
    data: Data,
    out: Annotated[Path, typer.Argument(help="Folder of the cleaned copy and its manifest.")],
    long_side: Annotated[
        int | None, typer.Option(help="Make larger pictures smaller, to this many pixels.", min=64)
    ] = None,
    grid: Annotated[
        str, typer.Option(help="Every picture is a grid: its columns and rows, as 3x4.")
    ] = "",
    workers: Workers = WORKERS,
) -> None:
    """Copy pictures without signature strips, caption bars and grids; goes on where it stopped."""
    if data.is_dir() and out.absolute().is_relative_to(data.absolute()):
        stop(f"{out} lies in {data}: choose a folder outside of it.")
    try:
        done = make_copy(_read(data), out, CuratePlan(long_side, _grid(grid)), workers)
    except DataError as error:
        stop(str(error))
    steps = Counter(step for one in done for step in one.steps)
    _list("unreadable files left out", [f"{d.original}: {d.problem}" for d in done if d.problem])
    console.print(
        f"{sum(len(one.files) for one in done)} pictures out of {len(done)} in {out / MANIFEST}: "
        f"{steps['cut']} cut, {steps['split']} grids split, {steps['scaled']} made smaller.",
        markup=False,
    )


def _grid(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    if not (named := re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", text)):
        stop(f"--grid {text}: say columns and rows, as 3x4.")
    return int(named[1]), int(named[2])


def _summarise(facts: Facts) -> None:
    table = Table("split", "class", "pictures", "sources", "generators", "uncertain")
    for row in count_rows(facts.samples):
        table.add_row(*map(str, row))
    console.print(table)
    _list("unreadable files", [f"{s.path}: {reason}" for s, reason in facts.unreadable])
    _list("leaks across splits", list(map(str, facts.leaks)))
    inside = [str(twin) for twin in facts.twins if not twin.across]
    _list("duplicates and near-duplicates within splits", inside)
    sizes = [f"{s.path}: {file.width}x{file.height}" for s, file in facts.oversized]
    _list("oversized pictures", sizes)
    for name, probe in facts.probes.items():
        console.print(f"Shortcut probe, {name}: {probe}", markup=False, highlight=False)


def _list(what: str, entries: list[str]) -> None:
    console.print(f"{len(entries)} {what}", style="yellow" if entries else "green")
    for entry in entries[:SHOWN]:
        console.print(f"  {entry}", markup=False, highlight=False)
    if len(entries) > SHOWN:
        console.print(f"  and {len(entries) - SHOWN} more")


def _read(data: Path) -> list[Sample]:
    try:
        return read(data)
    except DataError as error:
        stop(str(error))
