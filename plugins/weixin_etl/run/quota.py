"""What is known of an account's calls of an endpoint today: our count, and what WeChat says."""

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec
from sqlalchemy import Connection

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.model import SaidQuota
from weixin_etl.rules import Quota
from weixin_etl.warehouse import statement


def known_quotas(
    connection: Connection,
    dataset: Dataset,
    appids: Sequence[str],
    *,
    today: date,
    daily_calls: int,
) -> dict[str, Quota]:
    """
    What is known of each account's calls of the dataset's endpoint today.

    `daily_calls` is the limit of accounts for which WeChat said none in a month; 0 for none.
    """
    rows = connection.execute(
        statement("api_call/of_accounts.sql"),
        {
            "dataset": dataset.name,
            "endpoint": dataset.path,
            "appids": list(appids),
            "today": today,
        },
    )
    return {
        row.appid: rules.quota(
            row.calls,
            said_limit=row.quota_limit,
            said_left=row.quota_left,
            assumed_limit=daily_calls,
        )
        for row in rows
    }


def save_said(connection: Connection, dataset: Dataset, said: Mapping[str, SaidQuota]) -> None:
    """Keep what WeChat said, by AppID; it holds for the day on which it was asked."""
    rows = [
        {
            "appid": appid,
            "beijing_date": clock.beijing_date(it.asked_at),
            "quota_limit": it.limit,
            "quota_left": it.left,
            "asked_at": it.asked_at,
        }
        for appid, it in sorted(said.items())
    ]
    if rows:
        connection.execute(
            statement("api_call/save_said.sql"),
            {"endpoint": dataset.path, "said": msgspec.json.encode(rows).decode()},
        )
