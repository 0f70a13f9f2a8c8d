"""How a task ends that could not do its work: with lines for the operator, and one sentence."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from weixin_etl.model import ParameterError
from weixin_etl.orchestration.tasks import alerts
from weixin_etl.orchestration.tasks.declared import EndForGood, EndOfTask
from weixin_etl.problem import (
    Problem,
    ProblemKind,
    WarehouseError,
    WeixinError,
    log_problem,
    program_fault,
)
from weixin_etl.text import counted

log = logging.getLogger(__name__)

PROBLEM = "problem"
"""Key of the XCom that tells why a task ended, for the tasks after it."""


def not_in(problems: Sequence[Problem]) -> str:
    """`3 accounts are not in: see the lines above`."""
    count = len({it.appid or it.account for it in problems})
    return (
        f"{counted(count, 'account')} {'is' if count == 1 else 'are'} not in: see the lines above"
    )


@contextmanager
def readable_ending() -> Iterator[None]:
    """
    Let a task end readably: a line per problem; frames only collapsed.

    Raises:
        EndOfTask: instead of any error.
    """
    try:
        yield
    except (AirflowSkipException, AirflowRescheduleException):
        raise
    except Exception as error:
        problem = as_problem(error)
        log_problem(log, problem)
        get_current_context()["ti"].xcom_push(PROBLEM, msgspec.to_builtins(problem))
        alerts.task_failed(problem)
        end = EndOfTask if problem.kind.is_retried else EndForGood
        raise end("see the ERROR line above") from None


def as_problem(error: Exception) -> Problem:
    """What an error that ends a whole task says to the operator."""
    match error:
        case WeixinError() | WarehouseError():
            return error.problem
        case ParameterError():
            return Problem(ProblemKind.PARAMETER, str(error), "")
        case _:
            return program_fault(log, error)
