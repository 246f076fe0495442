"""The form of the log: one `key=value` line an event, readable and easy to parse.

Apart from `logs` for the sake of the workers, which import nothing of the network.
"""

import json
import logging
import re
import traceback
from datetime import datetime

_PLAIN = re.compile(r"[\w.:/+@-]+")


class LineFormatter(logging.Formatter):
    """`time level message key=value …`; values that are not plain words are JSON strings."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).isoformat(timespec="milliseconds")
        fields: dict[str, object] = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1]:
            fields["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        message = record.getMessage()
        if not fields and not _PLAIN.fullmatch(message):
            message = f"message {_pair('text', message)}"
        words = [when, record.levelname.lower(), message]
        return " ".join(words + [_pair(name, value) for name, value in fields.items()])


def _pair(name: str, value: object) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return f"{name}={text if _PLAIN.fullmatch(text) else json.dumps(text)}"


def set_up(level: int = logging.INFO) -> None:
    """Send the log of the whole process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
