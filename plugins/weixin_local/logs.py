"""What the logs of Airflow say went wrong."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from weixin_etl.json_text import one_line

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ERROR_LINE = re.compile(
    r"^\S+ \[(?:error|critical) *\] (?P<said>.+?)(?:(?<! ) +\[[\w.]+\](?: \w+=.*)?)?$"
)
_RAISED_LINE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit): (?P<said>.+)$")
_SAY_NOTHING = {"Task failed with exception", "Task exited"}
"""What Airflow says of a failed task; the line below or above it does."""


def last_complaint(log: Path) -> str:
    """
    The last error of a log, or its last line where there is none.

    `log` is what a command wrote, or a run's folder with a log of JSON lines per task.
    """
    if log.is_dir():
        files = sorted(log.rglob("*.log"), key=lambda file: file.stat().st_mtime)
        said = [text for file in files for text in _json_errors(file)]
    else:
        lines = [_COLOUR.sub("", line) for line in log.read_text(errors="replace").splitlines()]
        said = list(_text_errors(lines)) or [line for line in lines if line.strip()]
    return one_line(said[-1]) if said else "its log says nothing"


def _text_errors(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if raised := _RAISED_LINE.match(line):
            yield raised["said"]
        elif (error := _ERROR_LINE.match(line)) and error["said"] not in _SAY_NOTHING:
            yield error["said"]


def _json_errors(file: Path) -> Iterator[str]:
    for line in file.read_text(errors="replace").splitlines():
        said = json.loads(line)
        if said["level"] not in ("error", "critical"):
            continue
        if raised := said.get("error_detail"):
            yield raised[0]["exc_value"]
        elif said["event"] not in _SAY_NOTHING:
            yield said["event"]
