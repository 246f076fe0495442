"""`tellsign doctor`: what is wrong, in words."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from tellsign.commands.terminal import out

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red")}
WIDTH = 12


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check.")] = False,
) -> None:
    """Say what is wrong with Tellsign here, and what to do.

    Exit status 1 if there is a problem, 0 otherwise.
    """
    from tellsign.doctor import examine

    problems = 0
    for name, found in examine():
        problems += found.level == "problem"
        if as_json:
            print(json.dumps({"name": name, **asdict(found)}), flush=True)
            continue
        mark, style = MARKS[found.level]
        line = Text.assemble((mark, style), f" {name:<{WIDTH}}", found.what)
        out.print(line, soft_wrap=True)
        if found.todo:
            out.print(Text(" " * (WIDTH + 2) + found.todo, style="dim"), soft_wrap=True)
    raise typer.Exit(1 if problems else 0)
