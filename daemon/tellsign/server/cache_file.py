"""The file of known verdicts: SQLite, private, bounded, and made anew when it is damaged.

All functions are slow and run in a thread. None raises: without its file the cache lives in memory.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from tellsign.server.logs import event, problem

FORMAT = 1
"""SQLite's user_version of the file; one of another format is thrown away."""
LOCK_SECONDS = 2.0
"""How long a second daemon on the same file is waited for."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""What SQLite says of a torn file, of one that is none of its own, and of one with other tables."""

Row = tuple[bytes, bytes]
"""A key and a verdict's JSON."""

T = TypeVar("T")


class _Damaged(Exception):
    """A file in which is not what this program writes."""


class CacheFile:
    """Opened for every call: nothing is held, and a file that a person removes comes back."""

    def __init__(self, path: Path, max_entries: int) -> None:
        self._path = path
        self._max_entries = max_entries
        self._told = False

    def load(self) -> list[Row]:
        """The most recently used rows, those last; others are deleted."""
        return self._try(self._load, [])

    def save(self, rows: Sequence[Row], gone: Sequence[bytes]) -> None:
        """Write rows as the most recently used ones, the last most of all, and delete others."""

        def write(connection: sqlite3.Connection) -> None:
            first = _last(connection) + 1
            numbered = [(key, text, used) for used, (key, text) in enumerate(rows, first)]
            connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", numbered)
            connection.executemany("DELETE FROM verdicts WHERE key = ?", [(key,) for key in gone])

        self._try(write, None)

    def _load(self, connection: sqlite3.Connection) -> list[Row]:
        connection.execute(
            "DELETE FROM verdicts WHERE used <= "
            "(SELECT used FROM verdicts ORDER BY used DESC LIMIT 1 OFFSET ?)",
            (self._max_entries,),
        )
        return connection.execute(
            "SELECT key, report FROM verdicts "
            "WHERE typeof(key) = 'blob' AND typeof(report) = 'blob' ORDER BY used"
        ).fetchall()

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """The work in one transaction; once more, on a new file, where this one is damaged."""
        for last in (False, True):
            try:
                with closing(self._open()) as connection, connection:
                    return work(connection)
            except (sqlite3.Error, OSError, _Damaged) as error:
                if last or not _is_damage(error) or not self._throw_away():
                    self._tell(error)
                    break
        return otherwise

    def _open(self) -> sqlite3.Connection:
        """SQLite's own files beside it get the permissions of this one."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        self._path.chmod(0o600)
        connection = sqlite3.connect(self._path, timeout=LOCK_SECONDS)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _throw_away(self) -> bool:
        try:
            for end in ("-journal", "-wal", "-shm", ""):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
        except OSError:
            return False
        event("cache", damaged=self._path.name, done="made anew")
        return True

    def _tell(self, error: Exception) -> None:
        """Once: the disk stays full for a while."""
        if not self._told:
            self._told = True
            problem("cache", not_on_disk=str(error))


def _is_damage(error: Exception) -> bool:
    # The low byte is the kind of an error, the rest says more about it.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, _Damaged) or code in _DAMAGED


def _prepare(connection: sqlite3.Connection) -> None:
    """Tables in a new file; what was deleted can't be read out of any."""
    connection.execute("PRAGMA secure_delete = ON")
    [(version,)] = connection.execute("PRAGMA user_version")
    if version not in (0, FORMAT):
        raise _Damaged(f"format {version}")
    if version == 0:
        columns = "key BLOB PRIMARY KEY, report BLOB, used INTEGER"
        connection.execute(f"CREATE TABLE IF NOT EXISTS verdicts ({columns}) WITHOUT ROWID")
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def _last(connection: sqlite3.Connection) -> int:
    """The number of the row that was used last."""
    [(last,)] = connection.execute("SELECT coalesce(max(used), 0) FROM verdicts")
    if not isinstance(last, int) or not 0 <= last < 2**62:
        raise _Damaged(f"number {last}")
    return last
