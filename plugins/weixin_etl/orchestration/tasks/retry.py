"""When Airflow retries a task: only what can pass without help, and not all at the same time."""

import random
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.context import Context
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy


class WeixinRetryPolicy(RetryPolicy):
    """
    Fails at once after an end of the task that calls itself not retryable (`is_retryable` false).

    After others it waits `delay_seconds`, doubled each time, times a random factor from 0.5 to 1.5:
    Airflow's own jitter is the same for all mapped tasks, which would ask WeChat in step.
    """

    def __init__(self, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 # Airflow ends the tries itself
        context: Context | None = None,  # noqa: ARG002 # the exception tells
    ) -> RetryDecision:
        if not getattr(exception, "is_retryable", True):
            return RetryDecision.fail("trying again would not help")
        jitter = random.uniform(0.5, 1.5)  # noqa: S311 # no secret
        delay = self.delay_seconds * 2 ** (try_number - 1) * jitter
        return RetryDecision.retry(timedelta(seconds=delay))

    def serialize(self) -> dict[str, Any]:
        return {"delay_seconds": self.delay_seconds}
