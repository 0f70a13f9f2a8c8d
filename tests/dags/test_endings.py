"""How a task ends: lines, one sentence, and frames only collapsed."""

from collections.abc import Callable
from typing import Any

import pytest
from dag_runs import NOT_IN, DailyDag
from receivers import Receiver

from weixin_etl.parse import parse
from weixin_sandbox import Sandbox, Scenario


def test_a_refused_account_ends_its_task_without_frames(
    daily: DailyDag, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
):
    """One line per account and cause, then one sentence; nobody tries again."""
    daily.retry(1)
    sandbox.scenarios[:] = [Scenario("unauthorized")]

    outcome = daily.run()

    line = (
        "沙箱公众号: verify the account, or have permission set 7 granted (2 for followers) (the "
        "account may not use this API: api unauthorized) · 2026-11-17 to 2026-11-23 · "
        "weixin_default, errcode 48001"
    )
    assert outcome.problems == [("ingest", line), ("check", line)]
    assert outcome.errors == [("ingest", NOT_IN), ("check", NOT_IN)]
    printed = "".join(capfd.readouterr())
    assert printed.count(f"Task exited                    [task] exit_code='{NOT_IN}'") == 2
    assert "Traceback" not in printed
    assert "Where it was raised" not in printed


def test_a_fault_of_the_program_has_its_frames_collapsed(
    daily: DailyDag, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """Above its line; it may pass, so it is tried again, and told by the last try."""
    daily.retry(1)
    monkeypatch.setattr("weixin_etl.load.stage.parse", stumbling(parse))

    outcome = daily.run()

    line = "沙箱公众号: report it, with the lines above (RuntimeError: a bug) · weixin_default"
    assert outcome.told("ingest") == [line, line]
    assert outcome.errors == [("ingest", NOT_IN), ("ingest", NOT_IN), ("check", NOT_IN)]
    _, first, second = outcome.log.split("::group::Where it was raised\n")
    for shown in (first, second):
        frames, _, rest = shown.partition("\n::endgroup::\n")
        assert frames.startswith("Traceback (most recent call last):\n")
        assert frames.rstrip().endswith("RuntimeError: a bug")
        assert line in rest
        assert "Traceback" not in rest
    told = [title for title in receiver.titles if "fault" in title]
    assert told == ["weixin-etl: 沙箱公众号: program fault"]


def stumbling(parse: Callable[..., Any]) -> Callable[..., Any]:
    """A parser with a bug, met in the answer of one day."""

    def parse_(dataset: Any, answer: bytes, *others: Any) -> Any:
        if b"2026-11-20" in answer:
            raise RuntimeError("a bug")
        return parse(dataset, answer, *others)

    return parse_
