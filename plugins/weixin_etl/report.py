"""What came of a run: for the log, and for whoever waits for the run's asset."""

import logging
from collections import Counter

from sqlalchemy import Engine

from weixin_etl.model import Run
from weixin_etl.warehouse import require_migrated, statement

log = logging.getLogger(__name__)

COUNTS = ("calls", "inserted", "updated", "unchanged", "rejected", "restated")
STATES = ("loaded", "empty", "not_ready", "failed", "retired", "planned")


def report(run: Run, warehouse: Engine) -> dict[str, int]:
    """
    Log a line per pair the run planned; the run's totals and its pairs by state.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    require_migrated(warehouse)
    with warehouse.connect() as connection:
        pairs = connection.execute(
            statement("run_report/of_run.sql"), {"run_id": run.run_id, "dataset": run.dataset.name}
        ).mappings()
        totals: Counter[str] = Counter()
        for pair in pairs:
            counts = ", ".join(f"{pair[name]} {name}" for name in COUNTS)
            why = f" ({pair['error']})" if pair["error"] else ""
            log.info(
                "%s %s: %s; %s%s",
                pair["name"],
                pair["publication_date"],
                pair["state"],
                counts,
                why,
            )
            totals.update({name: pair[name] for name in COUNTS})
            totals[pair["state"]] += 1
    return {name: totals[name] for name in (*COUNTS, *STATES)}
