"""Passes for the daemon's own check page: short-lived, few, in memory, and good for little.

The way of a pass: the same user's command line or tray asks for a code, with the control token, and
opens `/check#CODE`. Browsers never send a fragment, but they keep it in their history, and other
users may see it in the list of processes. So the code is good for one use within a minute: the page
trades it for a pass at once and takes it out of its address. If somebody was faster, the page says
so. The pass is a bearer token as any other, but it opens only what the page needs (PASS_MAY of the
guard), ends after some hours or with the daemon, and is no paired client, which would be for ever.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from tellsign.server.errors import ApiError

PASS_CODE_SECONDS = 60
"""From the click in the tray to the page: a browser that has to be started first takes its time."""
PASS_HOURS = 8
"""A page that is left open is good for a day's work."""
MOST = 8
"""Codes that wait, and passes that are good; the oldest make room."""


@dataclass
class Passes:
    """Codes and passes by their SHA-256, each with the time of its end.

    Both have 256 random bits: unlike a pairing code, nobody types or guesses them. A look-up by
    digest tells nothing about them by its time.
    """

    clock: Callable[[], float] = time.monotonic
    _codes: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _passes: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def issue(self) -> str:
        """A new code."""
        return self._new(self._codes, PASS_CODE_SECONDS)

    def redeem(self, code: str) -> str:
        """A pass for a code, which is used up.

        Raises:
            ApiError: `no_page_code`.
        """
        if self._codes.pop(token_digest(code), 0) <= self.clock():
            message = (
                "This address has been used, or is too old. Open the page again from the tray, or "
                "with `tellsign open`."
            )
            raise ApiError(410, "no_page_code", message)
        return self._new(self._passes, PASS_HOURS * 3600)

    def good(self, token: str) -> bool:
        """Whether this is a pass that has not ended."""
        return self._passes.get(token_digest(token), 0) > self.clock()

    def _new(self, kept: OrderedDict[str, float], seconds: float) -> str:
        token = secrets.token_urlsafe(32)
        kept[token_digest(token)] = self.clock() + seconds
        while len(kept) > MOST:
            kept.popitem(last=False)
        return token


def token_digest(token: str) -> str:
    """What is kept of a token, or of a code, and compared."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
