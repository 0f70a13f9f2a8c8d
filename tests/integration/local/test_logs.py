"""Of a long log, the line that says what went wrong."""

import json
from pathlib import Path

import pytest

from weixin_local.logs import last_complaint

AT = "2026-11-25T00:52:35.9Z"
FAILED = "Task failed with exception"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"{AT} [\x1b[31merror    \x1b[0m] first [a.b] loc=x.py:1\n"
            f"{AT} [error    ] the [quoted] AppID is wrong [weixin_etl.x] loc=x.py:2\n"
            f"{AT} [info     ] bye [a.b] loc=x.py:1\n",
            "the [quoted] AppID is wrong",
        ),
        (
            f"{AT} [error    ] {FAILED}     [task] loc=x.py:2\n"
            "Traceback (most recent call last):\n"
            '  File "x.py", line 1, in f\n'
            "weixin_etl.run.check.CheckError: a promise is broken\n"
            f"{AT} [error    ] Task exited     [task] exit_code='failed: check' loc=x.py:2\n"
            f"{AT} [info     ] bye [a.b] loc=x.py:1\n",
            "a promise is broken",
        ),
        ("hello\nDagRun failed\n\n", "DagRun failed"),
        ("", "its log says nothing"),
    ],
    ids=["the last error", "a traceback's last line", "no error", "empty"],
)
def test_one_sentence_is_told(tmp_path: Path, text: str, told: str) -> None:
    """Without time, level and place; a task that failed for another one says less."""
    log = tmp_path / "run.log"
    log.write_text(text)

    assert last_complaint(log) == told


def test_of_a_runs_folder_the_last_error_of_any_task_is_told(tmp_path: Path) -> None:
    """The scheduler's tasks write JSON lines, an exception apart from its event."""
    for task, lines in {
        "plan": [{"level": "info", "event": "fine"}, {"level": "error", "event": "odd"}],
        "check": [
            raised("CheckError", "a promise is broken"),
            {"level": "error", "event": "Task exited", "exit_code": "see the others"},
            {"level": "info", "event": "bye"},
        ],
    }.items():
        log = tmp_path / f"task_id={task}" / "attempt=1.log"
        log.parent.mkdir()
        log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    assert last_complaint(tmp_path) == "a promise is broken"


def raised(kind: str, value: str) -> dict[str, object]:
    """The line of an exception."""
    detail = [{"exc_type": kind, "exc_value": value}]
    return {"level": "error", "event": FAILED, "error_detail": detail}
