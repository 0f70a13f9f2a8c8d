"""What the log of a command of Airflow's says went wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

from weixin_etl.text import one_line

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ERROR_LINE = re.compile(
    r"^\S+ \[(?:error|critical) *\] (?P<said>.+?)(?:(?<! ) +\[[\w.]+\](?: \w+=.*)?)?$"
)
_RAISED_LINE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit): (?P<said>.+)$")
_SAY_NOTHING = {"Task failed with exception", "Task exited"}
"""What Airflow says of a failed task; the line below or above it does."""


def last_complaint(log: Path) -> str:
    """The last error of a log, or its last line where there is none."""
    lines = [_COLOUR.sub("", line) for line in log.read_text(errors="replace").splitlines()]
    said = list(_text_errors(lines)) or [line for line in lines if line.strip()]
    return one_line(said[-1]) if said else "its log says nothing"


def _text_errors(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if raised := _RAISED_LINE.match(line):
            yield raised["said"]
        elif (error := _ERROR_LINE.match(line)) and error["said"] not in _SAY_NOTHING:
            yield error["said"]
