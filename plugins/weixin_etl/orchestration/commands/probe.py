"""`weixin-etl probe`: with the settings and accounts of Airflow."""

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
"""Exit codes; not known: WeChat could not be asked."""
_MARKS = "✓!?✗✗"
"""By grade."""


def show_probe(accounts: Sequence[str], datasets: Sequence[Dataset]) -> int:
    """Ask, and print what came; the exit code."""
    try:
        found = _probe_all(accounts, datasets)
    except OperatorError as error:
        sys.stderr.write(f"weixin-etl: {error}\n")
        return NOT_KNOWN
    worst = max(_show(name, those) for name, those in found.items())
    if worst > Grade.UNKNOWN:
        return TO_CHANGE
    return NOT_KNOWN if worst is Grade.UNKNOWN else WORKS


def _probe_all(accounts: Sequence[str], datasets: Sequence[Dataset]) -> dict[str, Findings]:
    """Ask about every account that is wanted, a few at once."""
    once = replace(settings.call_limits(), tries=1, minute_quota_wait_seconds=0)
    concurrency, clients = settings.read().concurrency, Clients(once)
    with thread_pool(concurrency) as pool:
        wanted = select_accounts(discover(clients, concurrency), accounts)
        if not any(it.described for it in wanted):
            raise ParameterError("\n".join(str(it.error) for it in wanted if it.error))
        found = pool.map(partial(_probe, clients, datasets), wanted)
        return dict(zip(map(str, wanted), found, strict=True))


def _probe(clients: Clients, datasets: Sequence[Dataset], listed: ListedAccount) -> Findings:
    """Ask by the account's first connection."""
    if listed.error:
        return {"": [error_finding("connection", listed.error)]}
    return probe(clients.of(listed.described[0]), datasets)


def _show(name: str, found: Findings) -> Grade:
    """Print what came of an account; the grade."""
    worst, sentence = verdict(found)
    lines = [f"\n{name}"]
    for dataset, those in found.items():
        lines += [f"  {dataset} ({DATASETS[dataset].endpoint})"] if dataset else []
        for it in those:
            lines += [f"  {_MARKS[it.grade]} {it.subject}: {it.result}"]
            lines += [f"    → {it.cure}"] if it.cure else []
    sys.stdout.write(shown("".join(f"{line}\n" for line in [*lines, sentence])))
    return worst
