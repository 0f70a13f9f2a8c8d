"""Of a long log, the line that says what went wrong."""

import json
from pathlib import Path

from weixin_local.logs import last_complaint


def test_the_last_error_is_told_without_time_and_place(tmp_path: Path) -> None:
    """Level, time, logger and line are for the log, not for the person."""
    log = tmp_path / "run.log"
    log.write_text(
        "2026-11-25T00:52:35.9Z [info     ] fine [a.b] loc=x.py:1\n"
        "2026-11-25T00:52:35.9Z [\x1b[31merror    \x1b[0m] first [a.b] loc=x.py:1\n"
        "2026-11-25T00:52:36.9Z [error    ] the [quoted] AppID is wrong [weixin_etl.x] loc=x.py:2\n"
        "2026-11-25T00:52:37.9Z [info     ] bye [a.b] loc=x.py:1\n"
    )

    assert last_complaint(log) == "the [quoted] AppID is wrong"


def test_of_a_traceback_the_last_line_is_told(tmp_path: Path) -> None:
    """The line above it says only that there is one; a task that failed for another says less."""
    log = tmp_path / "run.log"
    log.write_text(
        "2026-11-25T00:52:36.9Z [error    ] Task failed with exception     [task] loc=x.py:2\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in f\n'
        "weixin_etl.check.CheckError: a promise is broken\n"
        "weixin_etl.orchestration.tasks.UpstreamError: failed: check; see its log\n"
        "2026-11-25T00:52:37.9Z [info     ] bye [a.b] loc=x.py:1\n"
    )

    assert last_complaint(log) == "a promise is broken"


def test_without_an_error_the_last_line_is_told(tmp_path: Path) -> None:
    """A program may end with a word of its own."""
    log = tmp_path / "run.log"
    log.write_text("hello\nDagRun failed\n\n")

    assert last_complaint(log) == "DagRun failed"


def test_an_empty_log_is_said_to_be_empty(tmp_path: Path) -> None:
    """A program that was killed says nothing."""
    log = tmp_path / "run.log"
    log.touch()

    assert last_complaint(log) == "its log says nothing"


def test_of_a_runs_folder_the_last_error_of_any_task_is_told(tmp_path: Path) -> None:
    """The scheduler's tasks write JSON lines, an exception apart from its event."""
    for task, lines in {
        "plan": [{"level": "info", "event": "fine"}, {"level": "error", "event": "odd"}],
        "check": [
            {
                "level": "error",
                "event": "Task failed with exception",
                "error_detail": [{"exc_type": "CheckError", "exc_value": "a promise is broken"}],
            },
            {
                "level": "error",
                "event": "Task failed with exception",
                "error_detail": [{"exc_type": "UpstreamError", "exc_value": "see the others"}],
            },
            {"level": "info", "event": "bye"},
        ],
    }.items():
        log = tmp_path / f"task_id={task}" / "attempt=1.log"
        log.parent.mkdir()
        log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    assert last_complaint(tmp_path) == "a promise is broken"
