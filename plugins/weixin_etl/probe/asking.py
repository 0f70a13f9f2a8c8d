"""Ask WeChat about an account: a token, then of each dataset the quota and two days."""

from collections.abc import Sequence
from datetime import timedelta

from weixin_etl import clock
from weixin_etl.api.client import FailedCall, WeixinClient
from weixin_etl.datasets import Dataset
from weixin_etl.parse import parse
from weixin_etl.probe.judging import Finding, Findings, Grade, of_day, of_keys, refused
from weixin_etl.problem import WeixinError


def probe(client: WeixinClient, datasets: Sequence[Dataset]) -> Findings:
    """Ask for everything, each call once: a token, and at most three calls of each dataset."""
    try:
        client.check_token()
    except WeixinError as error:
        return {"": [refused("token", error)]}
    found: Findings = {"": [Finding(Grade.GOOD, "token", "there is one")]}
    for dataset in datasets:
        found[dataset.name] = [_quota(client, dataset), *_answers(client, dataset)]
    return found


def _quota(client: WeixinClient, dataset: Dataset) -> Finding:
    try:
        said = client.quota(dataset)
    except WeixinError as error:
        came = f"WeChat does not say: {refused('', error).came}"
        return Finding(Grade.NOTE, "quota", came, "nothing: the pipeline counts its calls")
    return Finding(Grade.GOOD, "quota", f"{said.remain} of {said.daily_limit} calls a day are left")


def _answers(client: WeixinClient, dataset: Dataset) -> list[Finding]:
    """Yesterday and the oldest day of the window; yesterday alone if its refusal is of both."""
    today = clock.beijing_date(clock.now())
    found, answers = [], []
    for age in (1, dataset.window):
        day = today - timedelta(days=age)
        came = client.datacube(dataset, day)
        if isinstance(came, FailedCall):
            found.append(refused(str(day), came.error, dataset.successor_dag_id))
            if came.error.kind.stops_account or came.error.kind.is_outage:
                break
        else:
            parsed = parse(dataset, came.body, day, came.fetched_at)
            answers.append((came.body, parsed))
            found.append(of_day(dataset, day, parsed, today - timedelta(days=1)))
    return [*found, *of_keys(dataset, answers)]
