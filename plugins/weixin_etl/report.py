"""What came of a run: for the log, and for whoever waits for the run's asset."""

import logging
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Engine

from weixin_etl.model import PairState, Run
from weixin_etl.warehouse import require_migrated, statement

log = logging.getLogger(__name__)

COUNTS = ("calls", "inserted", "updated", "unchanged", "rejected", "restated")
PLAN_COUNTS = ("caught_up", "final", "lost")
_NOT_IN = {PairState.NOT_READY, PairState.FAILED, PairState.PLANNED}


def report(run: Run, warehouse: Engine, plan_counts: Mapping[str, int]) -> dict[str, int]:
    """
    Log a line per pair the run planned.

    Returns:
        The run's totals, its pairs by state, and of its plan the days caught up, skipped as final,
        and lost (beyond the reach of daily runs).

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    require_migrated(warehouse)
    with warehouse.connect() as connection:
        pairs = connection.execute(
            statement("run_report/of_run.sql"),
            {"run_id": run.run_id, "dataset": run.dataset.name, "appids": None},
        ).mappings()
        totals: Counter[str] = Counter()
        for pair in pairs:
            counts = ", ".join(f"{pair[name]} {name}" for name in COUNTS)
            is_not_in = pair["state"] in _NOT_IN
            why = f" ({pair['error']})" if is_not_in and pair["error"] else ""
            log.log(
                logging.WARNING if is_not_in else logging.INFO,
                "%s %s: %s; %s%s",
                pair["name"],
                pair["publication_date"],
                pair["state"],
                counts,
                why,
            )
            totals.update({name: pair[name] for name in COUNTS})
            totals[pair["state"]] += 1
    planned = {name: plan_counts.get(name, 0) for name in PLAN_COUNTS}
    states = [state.value for state in PairState]
    return {name: totals[name] for name in (*COUNTS, *states)} | planned
