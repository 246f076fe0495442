"""What the commands write to, and how they say what went wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def not_running() -> NoReturn:
    """Say so, and what to do; exit status 1."""
    err.print("Tellsign is not running. Start it with `tellsign serve`.")
    raise typer.Exit(1) from None


@contextmanager
def told(*errors: type[Exception]) -> Iterator[None]:
    """Turns these errors, and files that can't be used, into one sentence and exit status 1.

    Their first argument is the sentence. A Ctrl-C is no trouble: exit status 130.
    """
    try:
        yield
    except KeyboardInterrupt:
        err.print("Stopped.")
        raise typer.Exit(130) from None
    except errors as error:
        err.print(Text(str(error.args[0]), style="red"), soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        where = error.filename or "Tellsign"
        err.print(Text(f"{where}: {error.strerror or error}.", style="red"), soft_wrap=True)
        raise typer.Exit(1) from None
