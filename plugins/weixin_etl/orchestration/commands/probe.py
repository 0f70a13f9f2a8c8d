"""
The command `weixin-etl probe`: it asks WeChat about each configured account and prints findings.

Airflow has the settings and accounts; the package `probe` makes the calls and grades the answers.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from weixin_etl.accounts.entries import ListedAccount, select_accounts
from weixin_etl.api.threads import thread_pool
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.accounts import Clients, discover
from weixin_etl.probe.asking import probe
from weixin_etl.probe.judging import Findings, Grade, error_finding, verdict
from weixin_etl.problem import OperatorError
from weixin_etl.text import shown

WORKS, TO_CHANGE, NOT_KNOWN = 0, 1, 2
"""The exit codes. NOT_KNOWN: WeChat could not be asked."""
_MARKS = "✓!?✗✗"
"""The mark of each grade, by the grade's number."""


def show_probe(accounts: Sequence[str], datasets: Sequence[Dataset]) -> int:
    """
    Probe the accounts, print the findings, and return the exit code.

    The exit code is `TO_CHANGE` if a finding needs an action, `NOT_KNOWN` if WeChat could not be
    asked, otherwise `WORKS`. An error that ends the command is printed on stderr.

    Args:
        accounts: AppIDs or connection ids; empty for all.
        datasets: the datasets whose endpoints are asked.
    """
    try:
        findings = _probe_all(accounts, datasets)
    except OperatorError as error:
        sys.stderr.write(f"weixin-etl: {error}\n")
        return NOT_KNOWN
    worst = max(_print_findings(name, account) for name, account in findings.items())
    if worst > Grade.UNKNOWN:
        return TO_CHANGE
    return NOT_KNOWN if worst is Grade.UNKNOWN else WORKS


def _probe_all(accounts: Sequence[str], datasets: Sequence[Dataset]) -> dict[str, Findings]:
    """
    Return the findings of every selected account by its name; probe a few accounts at once.

    Each call is made once, without retries.

    Raises:
        ParameterError: an AppID or connection id is unknown, or no selected account can be used.
        WeixinError: the kind is CLOCK, so nothing may be asked.
        WarehouseError: a connection is a platform's, and the warehouse can't be used.
    """
    once = replace(settings.call_limits(), tries=1, minute_quota_wait_seconds=0)
    clients = Clients(once, settings.read().concurrency)
    with thread_pool(clients.concurrency) as pool:
        wanted = select_accounts(discover(clients), accounts)
        if not any(listed.described for listed in wanted):
            raise ParameterError("\n".join(str(listed.error) for listed in wanted if listed.error))
        findings = pool.map(partial(_probe, clients, datasets), wanted)
        return dict(zip(map(str, wanted), findings, strict=True))


def _probe(clients: Clients, datasets: Sequence[Dataset], listed: ListedAccount) -> Findings:
    """
    Return an account's findings by dataset, asking WeChat by the account's first connection.

    An unusable entry has a single finding, its error, without a dataset (the key is empty).
    """
    if listed.error:
        return {"": [error_finding("connection", listed.error)]}
    return probe(clients.of(listed.described[0]), datasets)


def _print_findings(name: str, findings: Findings) -> Grade:
    """
    Print an account's findings by dataset, with their cures, and the verdict.

    Return the worst grade of the findings.
    """
    worst, sentence = verdict(findings)
    lines = [f"\n{name}"]
    for dataset, of_dataset in findings.items():
        lines += [f"  {dataset} ({DATASETS[dataset].endpoint})"] if dataset else []
        for finding in of_dataset:
            lines += [f"  {_MARKS[finding.grade]} {finding.subject}: {finding.result}"]
            lines += [f"    → {finding.cure}"] if finding.cure else []
    sys.stdout.write(shown("".join(f"{line}\n" for line in [*lines, sentence])))
    return worst
