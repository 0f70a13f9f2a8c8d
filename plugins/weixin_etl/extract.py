"""One call per pair (account, publication day), a few at once: the exact bytes, or why not."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

from weixin_etl.api.client import Answer, WeixinClient
from weixin_etl.api.errors import EndpointOfflineError, WeixinError
from weixin_etl.datasets import DATASETS, Dataset


@dataclass(frozen=True, slots=True)
class Fetched:
    """A publication day and its answer."""

    publication_date: date
    answer: Answer


@dataclass(frozen=True, slots=True)
class Refused:
    """A publication day without figures, and why."""

    publication_date: date
    error: WeixinError
    calls: int


def extract(
    client: WeixinClient, dataset: Dataset, days: Sequence[date], concurrency: int
) -> Iterator[Fetched | Refused]:
    """
    Ask for each day, `concurrency` calls at once; answers come in the order of the days.

    An error that stops the account is given to the days not yet asked, without a call.
    """
    stopped: list[WeixinError] = []
    try:
        client.check_token()
    except WeixinError as error:
        stopped.append(error)

    def ask(day: date) -> Fetched | Refused:
        if stopped:
            return Refused(day, stopped[0], calls=0)
        try:
            return Fetched(day, client.datacube(dataset.path, day))
        except WeixinError as error:
            if isinstance(error, EndpointOfflineError):
                error.advice = _successor(dataset)
            if error.stops_account:
                stopped.append(error)
            return Refused(day, error, error.calls)

    with ThreadPoolExecutor(concurrency, thread_name_prefix="extract") as pool:
        yield from pool.map(ask, days)


def _successor(dataset: Dataset) -> str:
    if dataset.successor is None:
        return "it has no successor that is known here"
    successor = DATASETS[dataset.successor]
    return f"its successor is {successor.path[1:]}: the DAG {successor.dag_id}"
