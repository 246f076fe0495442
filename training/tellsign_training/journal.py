"""A training's log: one JSON line an epoch, and a plot of it."""

import json
from pathlib import Path
from typing import Any

LOG, PLOT = "log.jsonl", "log.svg"
LOSSES = ("label", "pixels", "hints", "logits")


def write(out: Path, row: dict[str, Any]) -> None:
    """Append an epoch, in place of one of the same number, and draw the plot anew."""
    rows = [old for old in read(out) if old["epoch"] < row["epoch"]] + [row]
    part = out / (LOG + ".part")
    part.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    part.replace(out / LOG)
    _plot(rows, out / PLOT)


def read(out: Path) -> list[dict[str, Any]]:
    """The epochs so far."""
    path = out / LOG
    return (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    )


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    losses, accuracy = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    drawn = [name for name in LOSSES if name in rows[-1]]
    for name in drawn:
        losses.plot(epochs, [row.get(name) for row in rows], marker=".", label=name)
    losses.set(xlabel="epoch", ylabel="loss")
    if drawn:
        losses.legend()
    accuracy.plot(epochs, [row["val_auc"] for row in rows], marker=".", color="tab:red")
    accuracy.set(xlabel="epoch", ylabel="AUC on val")
    figure.savefig(path)
