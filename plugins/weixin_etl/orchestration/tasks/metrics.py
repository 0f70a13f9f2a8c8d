"""
Counters, gauges and timers for Airflow's own statistics: StatsD or OpenTelemetry, if either is on.

The tasks `ingest` and `check` call these functions. Each name is like `weixin.DATASET.not_in`
and holds the dataset, because StatsD drops tags. docs/operating/reference.md lists the names.
"""

from airflow.sdk.observability import stats

from weixin_etl.datasets import Dataset
from weixin_etl.run.check import CheckResult
from weixin_etl.run.ingest import Tally


def record_ingest(dataset: Dataset, tally: Tally) -> None:
    """Add what one try did: calls by outcome, rows inserted and updated, seconds of commits."""
    for outcome, number in tally.calls.items():
        stats.incr(f"weixin.{dataset.name}.calls.{outcome}", number)
    stats.incr(f"weixin.{dataset.name}.rows.inserted", tally.rows.inserted)
    stats.incr(f"weixin.{dataset.name}.rows.updated", tally.rows.updated)
    for taken in tally.commit_times:
        stats.timing(f"weixin.{dataset.name}.commit", taken)


def record_check(dataset: Dataset, result: CheckResult) -> None:
    """Set how many slices are not in, and the calls left of the account with the most."""
    stats.gauge(f"weixin.{dataset.name}.not_in", result.totals["not_in"])
    if result.calls_left is not None:
        stats.gauge(f"weixin.{dataset.name}.calls_left", result.calls_left)
