"""Ask WeChat a little about an account: a token, and at most four calls of each dataset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from weixin_etl import clock
from weixin_etl.api.client import Answer, SaidQuota, WeixinClient
from weixin_etl.api.errors import EndpointOfflineError, NotReadyError, UnreadableError, WeixinError
from weixin_etl.api.http import Response
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account

CALLS_A_DATASET = 4
_DAY = timedelta(days=1)
_GOES_ON_AFTER = (NotReadyError, EndpointOfflineError, UnreadableError)
"""Refusals of one day: WeChat may answer another all the same."""


@dataclass(frozen=True, slots=True)
class AskedDay:
    """What came of the call for a publication day."""

    day: date
    answer: Answer | None
    error: WeixinError | None
    """Why there is none."""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class AskedDataset:
    """What an account was answered in one dataset."""

    dataset: Dataset
    quota: SaidQuota | WeixinError
    days: list[AskedDay]
    """Yesterday, the oldest day of the window, the day before that; fewer if one is refused."""


@dataclass(slots=True)
class Asked:
    """What an account, or an entry that stands for none, was answered."""

    account: Account | None
    name: str
    error: WeixinError | None = None
    """Why there is no token, or nobody to ask."""
    content_types: list[str] = field(default_factory=list)
    """Of everything WeChat said, tokens and refusals as well."""
    ahead: timedelta | None = None
    """How far WeChat's clock is ahead of this machine's; None if it does not say."""
    datasets: list[AskedDataset] = field(default_factory=list)
    at: datetime = field(default_factory=clock.now)


def days_to_ask(dataset: Dataset, today: date) -> list[date]:
    """
    Yesterday, the oldest day of the window, and the day before that.

    The last one's articles have all the rows they ever get: one more than the window, if so.
    """
    days = (today - _DAY, today - _DAY * dataset.window, today - _DAY * (dataset.window + 1))
    return [day for day in days if day >= dataset.first_day]


def ask(client: WeixinClient, datasets: Sequence[Dataset], on_call: Callable[[str], None]) -> Asked:
    """Ask for everything, each call once; `on_call` is told what is waited for."""
    asked = Asked(client.account, str(client.account))

    def listen(response: Response) -> None:
        if response.said_at is not None:
            asked.ahead = response.said_at - datetime.now(UTC)
        asked.content_types.append(response.content_type)

    client.listen(listen)
    on_call(f"{asked.name}: token")
    try:
        client.check_token()
    except WeixinError as error:
        asked.error = error
        return asked
    today = clock.beijing_date(asked.at)
    asked.datasets += [_ask(client, it, today, asked.content_types, on_call) for it in datasets]
    return asked


def _ask(
    client: WeixinClient,
    dataset: Dataset,
    today: date,
    content_types: Sequence[str],
    on_call: Callable[[str], None],
) -> AskedDataset:
    on_call(f"{client.account}: {dataset.name}, quota")
    quota: SaidQuota | WeixinError
    try:
        quota = client.quota(dataset)
    except WeixinError as error:
        quota = error
    days: list[AskedDay] = []
    for day in days_to_ask(dataset, today):
        on_call(f"{client.account}: {dataset.name} {day}")
        outcome = client.datacube(dataset, day)
        if isinstance(outcome, Answer):
            days.append(AskedDay(day, outcome, None, content_types[-1]))
            continue
        days.append(AskedDay(day, None, outcome.error))
        if not isinstance(outcome.error, _GOES_ON_AFTER):
            break
    return AskedDataset(dataset, quota, days)
