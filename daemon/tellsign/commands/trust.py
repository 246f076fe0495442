"""`tellsign trust show|set|reset`: whose signatures on Content Credentials are trusted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from tellsign.commands.terminal import out, told

if TYPE_CHECKING:
    from tellsign.provenance.trust import TrustList


app = typer.Typer(help="Whose signatures on Content Credentials are trusted.", no_args_is_help=True)


@app.command("show")
def show() -> None:
    """Show the trust list in use: its date and its certificates."""
    from tellsign.provenance import trust

    _show(trust.current())


@app.command("set")
def replace(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Certificates in PEM form.")],
) -> None:
    """Put the certificates of a file in the place of the trust list.

    For example the official C2PA trust list, C2PA-TRUST-LIST.pem.
    """
    from tellsign.provenance import trust

    with told(trust.TrustError):
        _show(trust.replace(file))


@app.command("reset")
def reset() -> None:
    """Use the trust list again that comes with Tellsign."""
    from tellsign.provenance import trust

    _show(trust.reset())


def _show(trusted: "TrustList") -> None:
    kind = "Your own trust list" if trusted.own else "The trust list that comes with Tellsign"
    day = f"of {trusted.date}" if trusted.date else "without a date"
    count = len(trusted.anchors)
    out.print(f"{kind}, {day}: {count} certificate{'' if count == 1 else 's'}.")
    if not trusted.anchors:
        out.print("It is empty: signatures are checked, but no signer counts as trusted.")
        out.print("Put a list in its place with `tellsign trust set FILE`.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("certificate", overflow="fold")
    table.add_column("until")
    table.add_column("SHA-256", style="dim")
    for anchor in trusted.anchors:
        until = Text(anchor.expires.isoformat(), style="red" if anchor.expired else "")
        table.add_row(Text(anchor.name), until, anchor.sha256[:16])
    out.print(table)
