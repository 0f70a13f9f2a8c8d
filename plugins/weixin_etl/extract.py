"""One call per pair (account, publication day), a few at once: the exact bytes, or why not."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from threading import Lock

from weixin_etl import rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import EndpointOfflineError, WeixinError
from weixin_etl.datasets import Dataset


def extract(
    client: WeixinClient,
    dataset: Dataset,
    days: Sequence[date],
    *,
    present: rules.Days,
    concurrency: int,
    now: Callable[[], datetime],
) -> Iterator[tuple[date, Answer | Refusal]]:
    """
    Ask for each day, `concurrency` calls at once; answers come in the order of the days.

    No more than twice as many answers wait in memory. Once a refusal stops the account, the days
    not yet asked get it without a call, with its time: a daily quota rests from the answer on.
    `present` is the present window: its days are asked for even when the endpoint is offline.
    """
    stop = _Stop(present)
    try:
        client.check_token()
    except WeixinError as error:
        stop.because = Refusal(error, now(), calls=0)

    def ask(day: date) -> Answer | Refusal:
        if stop.because:
            return replace(stop.because, calls=0)
        came = client.datacube(dataset, day)
        stop.note(day, came)
        return came

    waiting: deque[tuple[date, Future[Answer | Refusal]]] = deque()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="extract") as pool:
        for day in days:
            if len(waiting) == 2 * concurrency:
                first, came = waiting.popleft()
                yield first, came.result()
            waiting.append((day, pool.submit(ask, day)))
        while waiting:
            first, came = waiting.popleft()
            yield first, came.result()


class _Stop:
    """Why the account is not asked any more in this try, once it is not."""

    def __init__(self, present: rules.Days) -> None:
        self.because: Refusal | None = None
        self._present = present
        self._in_a_row: list[WeixinError] = []
        self._lock = Lock()

    def note(self, day: date, came: Answer | Refusal) -> None:
        """
        Take a call's end into account.

        An outage stops the account when it is met five times in a row. So does an endpoint that is
        offline, but not within the present window: WeChat may give older days that newer ones lack.
        """
        error = came.error if isinstance(came, Refusal) else None
        is_offline = isinstance(error, EndpointOfflineError) and day not in self._present
        with self._lock:
            if error is None or not (error.is_outage or is_offline):
                self._in_a_row = []
            elif self._in_a_row and type(self._in_a_row[-1]) is type(error):
                self._in_a_row.append(error)
            else:
                self._in_a_row = [error]
            is_enough = len(self._in_a_row) == rules.REFUSALS_THAT_STOP
            if isinstance(came, Refusal) and (came.error.stops_account or is_enough):
                self.because = came
