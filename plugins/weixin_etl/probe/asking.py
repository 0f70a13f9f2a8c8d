"""
The calls of a probe: one token, and for each dataset the quota and two days.

The command `weixin-etl probe` passes an account's client, and prints the findings.
"""

from collections.abc import Sequence
from datetime import timedelta

from weixin_etl import clock
from weixin_etl.api.client import FailedCall, WeixinClient
from weixin_etl.datasets import Dataset
from weixin_etl.parse import parse
from weixin_etl.probe.judging import (
    Finding,
    Findings,
    Grade,
    day_finding,
    error_finding,
    key_findings,
)
from weixin_etl.problem import WeixinError


def probe(client: WeixinClient, datasets: Sequence[Dataset]) -> Findings:
    """
    Ask WeChat about an account: for a token, and for each dataset for the quota and two days.

    Nothing is written to the warehouse. Errors become findings. Without a token, or without a
    usable answer from its source, no other call is made.

    Returns:
        The findings by dataset name. The finding about the token has an empty name, and is the
        only one if there is no token.
    """
    try:
        client.check_token()
    except WeixinError as error:
        return {"": [error_finding("token", error)]}
    findings: Findings = {"": [Finding(Grade.GOOD, "token", "there is one")]}
    for dataset in datasets:
        findings[dataset.name] = [_quota_finding(client, dataset), *_day_findings(client, dataset)]
    return findings


def _quota_finding(client: WeixinClient, dataset: Dataset) -> Finding:
    """
    Ask WeChat for the quota, and return how many calls of the dataset's endpoint are left today.

    An error becomes a finding of grade NOTE with its cause: the pipeline works without the quota.
    """
    try:
        quota = client.quota(dataset)
    except WeixinError as error:
        result = f"WeChat does not say: {error_finding('', error).result}"
        return Finding(Grade.NOTE, "quota", result, "nothing: the pipeline counts its calls")
    result = f"{quota.remain} of {quota.daily_limit} calls a day are left"
    return Finding(Grade.GOOD, "quota", result)


def _day_findings(client: WeixinClient, dataset: Dataset) -> list[Finding]:
    """
    Request yesterday and the oldest day of the window, and return the findings about them.

    Each day has a finding about its answer or its error. The last finding compares the keys of both
    answers, if one is readable. The oldest day is not requested if yesterday's error stops the
    account or shows an outage.
    """
    today = clock.beijing_date(clock.now())
    findings, answers = [], []
    for age in (1, dataset.window):
        day = today - timedelta(days=age)
        response = client.datacube(dataset, day)
        if isinstance(response, FailedCall):
            error = response.error
            findings.append(error_finding(str(day), error, dataset.successor_dag_id))
            if error.kind.stops_account or error.kind.is_outage:
                break
        else:
            parsed = parse(dataset, response.body, day, response.fetched_at)
            answers.append((response.body, parsed))
            findings.append(day_finding(dataset, day, parsed, today - timedelta(days=1)))
    return [*findings, *key_findings(dataset, answers)]
