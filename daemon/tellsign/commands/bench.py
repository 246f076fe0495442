"""`tellsign bench`: the figures of this machine, as a table or as JSON."""

import json
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tellsign.commands.terminal import err, out
from tellsign.settings import DEFAULT_MODEL

Result = dict[str, Any]


def bench(
    seconds: Annotated[float, typer.Option(min=1, help="About how long it may measure.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    model: Annotated[str, typer.Option(help="The model's name.")] = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="auto, openvino, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure how fast this machine looks at pictures, step by step and over HTTP.

    The pictures are made for it; a daemon of its own is started and stopped. Nothing else should be
    running meanwhile. Ctrl-C ends it with what has been measured by then.
    """
    from tellsign.bench.daemon import BenchError
    from tellsign.bench.run import run
    from tellsign.models import ModelError, UnknownModel

    result: Result = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    status = 0
    try:
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task("", total=1.0)

            def tell(what: str, done: float) -> None:
                bar.update(task, description=what, completed=done)

            run(result, tell, seconds, model, device)
    except KeyboardInterrupt:
        err.print("Stopped.")
        status = 130
    except (BenchError, UnknownModel, ModelError, ValueError) as error:
        err.print(str(error.args[0]), style="red")
        raise typer.Exit(2) from None
    print(json.dumps(result)) if as_json else _show(result)
    raise typer.Exit(status)


def _show(result: Result) -> None:
    """The result as far as it goes."""
    if "engine" not in result:
        return
    engine, machine = result["engine"], result["machine"]
    out.print(
        f"{result['model']['id']} on {engine['engine']} ({engine['device']}, "
        f"{engine['precision']}), {machine['cores']} cores, load {machine['load']} at the start"
    )
    for name, rows in result["pictures"].items():
        table = Table(title=f"{name}, {rows['bytes'] // 1000} kB", title_justify="left", box=None)
        table.add_column("")
        for column in ("pictures/s", "p50 ms", "p95 ms"):
            table.add_column(column, justify="right")
        for step, times in rows.items():
            if isinstance(times, dict):
                figures = (times[key] for key in ("per_second", "p50_ms", "p95_ms"))
                table.add_row(step, *(f"{figure:.1f}" for figure in figures))
        out.print(table)
        if "times_plain_torch" in rows:
            out.print(f"  whole over HTTP against plain torch: {rows['times_plain_torch']:.2f} x")
        out.print()
    _show_daemon(result.get("daemon", {}))


def _show_daemon(found: Result) -> None:
    words = {
        "first_verdict_s": "first verdict after the start: {} s",
        "memory_mb": "memory: {} MB",
        "idle_cpu_percent": "CPU with nothing to do: {} % of a core",
    }
    for key, sentence in words.items():
        if found.get(key) is not None:
            out.print(sentence.format(found[key]))
    if "seen_before" in found:
        out.print(f"a picture seen before: {found['seen_before']['p50_ms']} ms")
