"""`tellsign models list|install|use|remove`: which models there are and which one is used."""

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from tellsign.commands.terminal import err, out, told
from tellsign.server import choices, local
from tellsign.server.local import Running
from tellsign.settings import DEFAULT_MODEL, state_dir

if TYPE_CHECKING:  # they bring torch
    from tellsign.models.catalogue import Offer
    from tellsign.models.registry import Entry


app = typer.Typer(
    help="Which models there are and which one is used.",
    no_args_is_help=True,
)

MB = 1e6


@dataclass(frozen=True)
class Row:
    """A model as `tellsign models list` shows it; numbers that are not known are 0."""

    id: str
    title: str
    state: str
    in_use: bool
    bytes: int
    parameters: int
    view: int
    views: int
    digest: str
    problem: str = ""

    @property
    def costs(self) -> str:
        """What a picture takes, in words."""
        parts = [f"{self.parameters / 1e6:.1f} M parameters"] if self.parameters else []
        if self.views:
            parts.append(f"{self.views} view{'s' * (self.views > 1)} of {self.view} px")
        return ", ".join(parts)


@app.command("list")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a model.")] = False,
) -> None:
    """Show the bundled, installed and downloadable models, with a tick at the one in use.

    A model costs the more, the more parameters it has and the more views of a picture it reads.
    """
    rows = _rows()
    if as_json:
        for row in rows:
            print(json.dumps(asdict(row)))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "model", "title", "", "size", "costs at most, a picture"):
        table.add_column(name, justify="right" if name == "size" else "left")
    for row in rows:
        tick = Text("✓" if row.in_use else " ", style="green")
        size = f"{row.bytes / MB:.0f} MB" if row.bytes else ""
        style = "red" if row.problem else "dim"
        table.add_row(
            tick, Text(row.id), Text(row.title), Text(row.state, style), size, Text(row.costs)
        )
    out.print(table)
    for row in rows:
        if row.problem:
            err.print(Text(row.problem, style="red"))


@app.command("install")
def install(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, a ZIP archive, a model of the hub as owner/name@commit, or the name of "
            "a downloadable one.",
        ),
    ],
) -> None:
    """Install a model, or put a newer one in its place.

    It is checked before it gets its name: an interrupted installation leaves everything as it was,
    and an interrupted download is gone on with. HF_ENDPOINT names another hub.
    """
    from tellsign.models.install import install

    with _told(), _Bar() as bar:
        done = install(source, bar.tell)
    if done.replaced and done.replaced != done.info.digest:
        _forget_graphs(done.replaced)
    out.print(Text(f"Installed: {done.info.id}, {done.info.title}."))
    running = local.find(state_dir())
    if running and _in_use(running) == done.info.id:
        _tell(running, done.info.id)
        out.print("The daemon uses it from now on.")
    else:
        out.print(Text(f"Use it with `tellsign models use {done.info.id}`."))


@app.command("use")
def use(model_id: Annotated[str, typer.Argument(metavar="ID", help="The model's name.")]) -> None:
    """Use a model, now if the daemon runs, and from the next start on."""
    from tellsign.models import ModelFolder, folder

    with _told():
        ModelFolder(folder(model_id))
        running = local.find(state_dir())
        state = _tell(running, model_id) if running else ""
        choices.set_model(state_dir(), model_id)
    if state == "loading":
        out.print(Text(f"{model_id} is being loaded; until then the one before is used."))
    elif running:
        out.print(Text(f"In use: {model_id}."))
    else:
        out.print(Text(f"Tellsign will start with {model_id}."))


@app.command("remove")
def remove(
    model_id: Annotated[str, typer.Argument(metavar="ID", help="The model's name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an installed model. The one in use gives way to the default first."""
    from tellsign.models import folder
    from tellsign.models.install import check_removable, remove

    with _told():
        check_removable(folder(model_id))
        running = local.find(state_dir())
        used = _in_use(running) == model_id
        if used:
            out.print(Text(f"{model_id} is in use; {DEFAULT_MODEL} will take its place."))
        if not yes:
            typer.confirm(f"Remove {model_id}?", abort=True)
        if used and running:
            _tell(running, DEFAULT_MODEL)
        if choices.model(state_dir()) == model_id:
            choices.set_model(state_dir(), DEFAULT_MODEL)
        _forget_graphs(remove(model_id))
    out.print(Text(f"Removed: {model_id}."))


def _rows() -> list[Row]:
    from tellsign.models.catalogue import offers
    from tellsign.models.registry import entries

    used = _in_use(local.find(state_dir()))
    rows = [_of_entry(entry) for entry in entries()]
    there = {row.id for row in rows}
    rows += [_of_offer(offer) for offer in offers() if offer.id not in there]
    return [replace(row, in_use=row.id == used) for row in rows]


def _of_entry(entry: "Entry") -> Row:
    if entry.folder is None:
        return Row(entry.id, "", "damaged", False, 0, 0, 0, 0, "", entry.problem)
    info, plan = entry.folder.info, entry.folder.plan
    state = "bundled" if entry.bundled else "installed"
    views = plan.crops + plan.whole
    size, parameters = info.bytes, info.parameters
    return Row(entry.id, info.title, state, False, size, parameters, plan.size, views, info.digest)


def _of_offer(offer: "Offer") -> Row:
    size, parameters = offer.bytes, offer.parameters
    state = "downloadable"
    return Row(offer.id, offer.title, state, False, size, parameters, 0, 0, offer.digest)


def _in_use(running: Running | None) -> str:
    """The running daemon's model, or the one that the next will start with."""
    if running:
        try:
            _, answer = running.call("GET", "/v1/model")
            current = answer.get("current")
            return str(current["id"]) if current else ""
        except (OSError, ValueError):
            pass
    return choices.model(state_dir()) or DEFAULT_MODEL


def _tell(running: Running, model_id: str) -> str:
    """Have the daemon use a model; the state that it is in then.

    Raises:
        Refused: it can't.
    """
    try:
        status, answer = running.call("PUT", "/v1/model", {"id": model_id})
    except (OSError, ValueError):
        return ""  # it has stopped meanwhile; the next one will know
    if status != 200:
        raise Refused(answer["error"]["message"])
    return str(answer["state"])


def _forget_graphs(digest: str) -> None:
    """Drop what was made of a model's weights, unless another model has the same."""
    from tellsign.engines.graphs import forget
    from tellsign.models import available

    if digest and digest not in {info.digest for info in available()}:
        forget(digest)


class Refused(RuntimeError):
    """The daemon does not do what it was asked for; the message says why."""


def _told() -> AbstractContextManager[None]:
    from tellsign.models import ModelError, UnknownModel
    from tellsign.models.files import InstallError

    return told(InstallError, ModelError, Refused, UnknownModel)


class _Bar(Progress):
    """A row for each file on its way."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        super().__init__(*columns, console=err, transient=True, disable=not err.is_terminal)
        self._rows: dict[str, TaskID] = {}

    def tell(self, name: str, done: int, size: int) -> None:
        if name not in self._rows:
            self._rows[name] = self.add_task(name)
        self.update(self._rows[name], completed=done, total=size)
