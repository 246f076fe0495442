"""`tellsign check`: verdicts for files, folders and standard input."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tellsign.provenance.evidence import marks_ai
from tellsign.settings import DEFAULT_MODEL, MAX_BODY

if TYPE_CHECKING:
    from tellsign.detector import Detector

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .avif .gif .bmp .tif .tiff".split()  # noqa: SIM905
)
STYLES = {"suspected": "bold red", "unsure": "yellow", "none": "dim", "error": "magenta"}
DECLARES = Text("Declares AI", style="bold cyan")
WORDS = {"suspected": "Suspected AI", "unsure": "Unsure", "none": "No sign found"}
STDIN = Path("-")


class Method(StrEnum):
    """Ways of explaining that `--method` knows."""

    gradcam = "gradcam"
    pixels = "pixels"


def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Pictures, folders, or - for stdin.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
    model: Annotated[str, typer.Option(help="The model's name.")] = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    heatmap: Annotated[
        Path | None,
        typer.Option(
            help="Write the picture with its evidence in red to this PNG (one file only)."
        ),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(help="How the heatmap is made; by default as suits the model best."),
    ] = None,
) -> None:
    """Say for each picture whether it is suspected to be AI-made, and how sure that is.

    "No sign found" does not mean that a picture is real. Exit status 0 when every file could be
    read, 1 otherwise, 130 when stopped with Ctrl-C.
    """
    errors = Console(stderr=True)
    files = [file for path in paths for file in (pictures_in(path) if path.is_dir() else [path])]
    if heatmap is not None and len(files) != 1:
        errors.print("--heatmap takes exactly one picture.")
        raise typer.Exit(2)
    detector = _load(model, device, errors)
    if method and method not in detector.methods:
        errors.print(f"{detector.info.id} can be explained by: {', '.join(detector.methods)}.")
        raise typer.Exit(2)
    table = None if as_json else _Rows(Console())
    status = 0
    try:
        with _progress(errors, len(files), quiet=as_json and not errors.is_terminal) as progress:
            for path in progress.track(files, description="checking"):
                result = _check(detector, path, heatmap, method)
                status |= "error" in result
                table.add(result) if table else _print_json(result)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        status = 130
    if table:
        table.finish()
    raise typer.Exit(status)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder and its subfolders, by suffix, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _load(model: str, device: str, errors: Console) -> "Detector":
    from tellsign.detector import Detector
    from tellsign.models import ModelError, UnknownModel, folder

    try:
        return Detector.load(folder(model), device)
    except (UnknownModel, ModelError, ValueError) as error:
        errors.print(str(error.args[0]), style="red")
        raise typer.Exit(2) from None


def _check(
    detector: "Detector", path: Path, heatmap: Path | None, method: Method | None
) -> dict[str, Any]:
    from tellsign.picture import PictureError, decode

    try:
        data = _read(path)
        result = detector.check(data)
        if heatmap is not None:
            picture = decode(data)
            detector.explain(picture.image, method or "").over(picture.pixels).save(heatmap, "PNG")
    except PictureError as error:
        return {"path": str(path), "error": {"code": error.code, "message": error.message}}
    except OSError as error:
        reason = error.strerror or str(error)
        return {"path": str(path), "error": {"code": "not_read", "message": f"{reason}."}}
    return {"path": str(path), **result}


def _read(path: Path) -> bytes:
    from tellsign.picture import PictureError

    if path == STDIN:
        data = sys.stdin.buffer.read(MAX_BODY + 1)
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BODY + 1)
    if len(data) > MAX_BODY:
        limit = f"The file is over the limit of {MAX_BODY // 2**20} MiB."
        raise PictureError("too_large", limit)
    return data


def _progress(console: Console, count: int, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    hidden = quiet or count < 3 or not console.is_terminal
    return Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden
    )


def _print_json(result: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class _Rows:
    """The readable table, printed at the end; what it holds is kept on Ctrl-C."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.table = Table(box=None, pad_edge=False)
        self.table.add_column("verdict")
        self.table.add_column("AI", justify="right")
        self.table.add_column("file says")
        self.table.add_column("file", overflow="fold")
        self.table.add_column("picture", style="dim")
        self.reasons: set[str] = set()
        self.silent = False

    def add(self, result: dict[str, Any]) -> None:
        path = Text(result["path"])
        if "error" in result:
            message = Text(result["error"]["message"], style=STYLES["error"])
            self.table.add_row(Text("Error", style=STYLES["error"]), "", "", path, message)
            return
        verdict, picture, evidence = result["verdict"], result["picture"], result["evidence"]
        for entry in evidence:
            path.append(f"\n{entry['summary']}", style="dim")
        self.silent |= not evidence
        self.table.add_row(
            Text(WORDS[verdict], style=STYLES[verdict]),
            f"{result['probability']:.0%}",
            DECLARES if any(map(marks_ai, evidence)) else "",
            path,
            f"{picture['format']} {picture['width']}x{picture['height']}",
        )
        self.reasons.add(result["verdict"])

    def finish(self) -> None:
        self.console.print(self.table)
        if "none" in self.reasons:
            self.console.print('"No sign found" does not mean that a picture is real.', style="dim")
        if self.silent:
            nothing = "A file that says nothing of itself means nothing: that is easily stripped."
            self.console.print(nothing, style="dim")
