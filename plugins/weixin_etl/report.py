"""What came of a run: for the log, and for whoever waits for the run's asset."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, RowMapping

from weixin_etl.model import PairState, Run, days_as_ranges
from weixin_etl.warehouse import require_migrated, statement

log = logging.getLogger(__name__)

COUNTS = ("calls", "inserted", "updated", "unchanged", "rejected", "restated")
PLAN_COUNTS = ("caught_up", "final", "lost")
PAIRS_IN_LOG = 700
"""Up to so many pairs have a line each; in a longer run every account that is not in has one."""

_NOT_IN = {PairState.NOT_READY, PairState.FAILED, PairState.PLANNED}


def report(run: Run, warehouse: Engine, plan_counts: Mapping[str, int]) -> dict[str, int]:
    """
    Log a line per pair the run planned; of many pairs, a line per account that is not in.

    Returns:
        The run's totals, its pairs by state, and of its plan the days caught up, skipped as final,
        and lost (beyond the reach of daily runs).

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    require_migrated(warehouse)
    with warehouse.connect() as connection:
        rows = connection.execute(
            statement("run_report/of_run.sql"),
            {"run_id": run.run_id, "dataset": run.dataset.name, "appids": None},
        )
        pairs = rows.mappings().all()
    if len(pairs) <= PAIRS_IN_LOG:
        _log_pairs(pairs)
    else:
        _log_accounts(pairs)
    totals = Counter({name: sum(pair[name] for pair in pairs) for name in COUNTS})
    totals.update(pair["state"] for pair in pairs)
    planned = {name: plan_counts.get(name, 0) for name in PLAN_COUNTS}
    states = [state.value for state in PairState]
    return {name: totals[name] for name in (*COUNTS, *states)} | planned


def _log_pairs(pairs: Sequence[RowMapping]) -> None:
    """A line per pair; its level tells whether it is in."""
    for pair in pairs:
        counts = ", ".join(f"{pair[name]} {name}" for name in COUNTS)
        is_not_in = pair["state"] in _NOT_IN
        log.log(
            logging.WARNING if is_not_in else logging.INFO,
            "%s %s: %s; %s%s",
            pair["name"],
            pair["publication_date"],
            pair["state"],
            counts,
            _why(pair) if is_not_in else "",
        )


def _log_accounts(pairs: Sequence[RowMapping]) -> None:
    """A line per account and state that is not in, with its days and the first reason."""
    not_in: dict[tuple[str, str], list[RowMapping]] = defaultdict(list)
    for pair in pairs:
        if pair["state"] in _NOT_IN:
            not_in[pair["appid"], pair["state"]].append(pair)
    for (_, state), of_account in not_in.items():
        days = days_as_ranges([pair["publication_date"] for pair in of_account])
        first = of_account[0]
        log.warning("%s: %s [%s]%s", first["name"], state, days, _why(first))
    log.info("weixin.run_report has the counts of each of the %s pairs", len(pairs))


def _why(pair: RowMapping) -> str:
    return f" ({pair['error']})" if pair["error"] else ""
