"""When Airflow tries a task again."""

from datetime import timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from weixin_etl.api.errors import NotReadyError, UnreachableError, from_errcode
from weixin_etl.model import ParameterError
from weixin_etl.orchestration.tasks.ending import EndOfTask, as_problem
from weixin_etl.orchestration.tasks.retry import WeixinRetryPolicy
from weixin_etl.warehouse import PassingWarehouseError, WarehouseError

POLICY = WeixinRetryPolicy(120)


def ended_by(error: Exception) -> EndOfTask:
    return EndOfTask("see above", is_retryable=as_problem(error).kind.is_retried)


@pytest.mark.parametrize(
    "error",
    [
        from_errcode(48001, "", account=""),
        NotReadyError(),
        ParameterError(),
        WarehouseError("", ""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_does_not_go_by_itself_fails_at_once(error: Exception) -> None:
    """Somebody has to change something first, or to wait longer than a retry does."""
    decision = POLICY.evaluate(ended_by(error), try_number=1, max_tries=3)

    assert decision.action is RetryAction.FAIL
    assert decision.reason == "trying again would not help"


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError(),
        PassingWarehouseError("", ""),
        OSError(),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    """An error nobody thought of too."""
    decision = POLICY.evaluate(ended_by(error), try_number=1, max_tries=3)

    assert decision.action is RetryAction.RETRY


@pytest.mark.parametrize(("try_number", "seconds"), [(1, 120), (2, 240), (3, 480)])
def test_the_wait_doubles_within_its_jitter(try_number: int, seconds: float) -> None:
    """From half to one and a half times as long, and not in step with other tasks."""
    waits = {
        POLICY.evaluate(OSError(), try_number, max_tries=3).retry_delay for _ in range(200)
    } - {None}

    assert timedelta(seconds=seconds * 0.5) <= min(waits)
    assert max(waits) <= timedelta(seconds=seconds * 1.5)
    assert max(waits) - min(waits) > timedelta(seconds=seconds * 0.5)


def test_the_policy_survives_the_way_to_the_worker() -> None:
    """Airflow builds it again from what `serialize` gives."""
    assert WeixinRetryPolicy(**POLICY.serialize()).delay_seconds == 120
