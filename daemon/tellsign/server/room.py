"""How many bytes of bodies are in memory: those that still arrive, and those that are looked at.

Without it every connection could be sending its 32 MiB at the same time, and the bound of the queue
would come too late. A body has its place from its first byte to its answer. What does not fit is
refused at once rather than made to wait: nobody waits for another's upload, so that a slow one
blocks nobody for longer than its own deadline.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tellsign.server.errors import busy
from tellsign.server.job import Priority
from tellsign.settings import MAX_BODY

MAX_BYTES = 4 * MAX_BODY
KEPT_FREE = {Priority.USER: 0, Priority.VISIBLE: MAX_BODY, Priority.BACKGROUND: 2 * MAX_BODY}
"""Bytes that a priority leaves to those before it: the largest picture still fits in when a person
asks for it."""


class Room:
    """The bodies of one daemon."""

    def __init__(self) -> None:
        self.bytes = 0

    @contextmanager
    def place(self, priority: Priority) -> Iterator["Place"]:
        """A place for one body, which is empty at first and given back at the end."""
        place = Place(self, MAX_BYTES - KEPT_FREE[priority])
        try:
            yield place
        finally:
            self.bytes -= place.size


class Place:
    """What one body holds of the room."""

    def __init__(self, room: Room, most: int) -> None:
        self.size = 0
        self._room = room
        self._most = most

    def reach(self, size: int) -> None:
        """Have at least so many bytes: all that were announced, so that a body which was let in is
        never refused halfway, or those that have come.

        Raises:
            ApiError: `busy`.
        """
        more = max(0, size - self.size)
        if more and self._room.bytes + more > self._most:
            raise busy()
        self._room.bytes += more
        self.size += more
