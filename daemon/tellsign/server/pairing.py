"""Who is paired, and how one comes to be: a code that a person carries over, for a token."""

import hmac
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tellsign.files import read_private, write_private
from tellsign.server.errors import ApiError
from tellsign.server.logs import problem
from tellsign.server.passes import Passes, token_digest

CODE_SECONDS = 60
CODE_TRIES = 5
CONTROL = "control"
"""The name under which the same user's command line appears; its token is in daemon.json."""
PAGE = "page"
"""The name under which the daemon's own check page appears."""

CodeState = Literal["none", "pending", "used", "expired"]


@dataclass(frozen=True)
class Client:
    """A paired program: an id, a name for people, and the SHA-256 of its token."""

    id: str
    name: str
    sha256: str
    created: int


class Clients:
    """The paired programs, kept in `clients.json`. Tokens themselves are never stored."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clients.json"
        self._clients = self._read()

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, name: str) -> tuple[str, Client]:
        """Pair a program; the token is returned this one time."""
        token = secrets.token_urlsafe(32)
        client = Client(
            id="c_" + secrets.token_hex(4),
            name=clean_name(name),
            sha256=token_digest(token),
            created=int(time.time()),
        )
        clients = [*self._clients, client]
        write_private(self._path, {"clients": [asdict(client) for client in clients]})
        self._clients = clients
        return token, client

    def find(self, token: str) -> Client | None:
        """The client of a token, in a time that tells nothing about the tokens there are."""
        digest = token_digest(token)
        found = None
        for client in self._clients:
            if hmac.compare_digest(client.sha256, digest):
                found = client
        return found

    def _read(self) -> list[Client]:
        try:
            content = read_private(self._path) or {"clients": []}
            return [Client(**client) for client in content["clients"]]
        except (ValueError, KeyError, TypeError):
            # Better to pair again than not to start; the old file is kept to look at.
            os.replace(self._path, self._path.with_suffix(".damaged"))
            problem("clients_damaged", kept=self._path.with_suffix(".damaged"))
            return []


@dataclass
class Codes:
    """At most one pairing code at a time: six digits, 60 seconds, five tries, one use."""

    clock: Callable[[], float] = time.monotonic
    state: CodeState = "none"
    paired: str = ""
    _code: str = ""
    _ends: float = 0
    _tries: int = 0

    def issue(self) -> str:
        """A new code; an older one is void from now on."""
        self._code = f"{secrets.randbelow(10**6):06}"
        self._ends = self.clock() + CODE_SECONDS
        self._tries = CODE_TRIES
        self.state, self.paired = "pending", ""
        return self._code

    def seconds_left(self) -> int:
        """Also notices that time is up."""
        if self.state == "pending" and self.clock() >= self._ends:
            self._void("expired")
        return round(self._ends - self.clock()) if self.state == "pending" else 0

    def redeem(self, code: str, name: str) -> None:
        """Use the code up.

        Raises:
            ApiError: `no_code` if none is pending, `wrong_code` otherwise.
        """
        self.seconds_left()
        if self.state != "pending":
            message = "No pairing code is waiting. Run `tellsign pair` to get a new one."
            raise ApiError(410, "no_code", message)
        if hmac.compare_digest(token_digest(code), token_digest(self._code)):
            self._void("used")
            self.paired = clean_name(name)
            return
        self._tries -= 1
        left = self._tries
        if not left:
            self._void("expired")
        message = "This is not the code." if left else "Wrong code. Run `tellsign pair` again."
        raise ApiError(403, "wrong_code", message, more={"tries_left": left})

    def _void(self, state: CodeState) -> None:
        self.state, self._code = state, ""


@dataclass
class Keys:
    """All that opens the daemon's doors."""

    clients: Clients
    codes: Codes = field(default_factory=Codes)
    passes: Passes = field(default_factory=Passes)
    control: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def client(self, token: str) -> str | None:
        """The id of the client that a token belongs to."""
        if hmac.compare_digest(token_digest(self.control), token_digest(token)):
            return CONTROL
        if self.passes.good(token):
            return PAGE
        client = self.clients.find(token)
        return client.id if client else None


def clean_name(name: str) -> str:
    """A name fit to be shown and logged."""
    printable = "".join(c for c in name if c.isprintable()).strip()
    return printable[:64] or "A program"
