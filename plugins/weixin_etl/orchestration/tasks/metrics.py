"""
A run's counts as Airflow's own metrics.

StatsD drops tags, so the names say the dataset; OpenTelemetry gets both.
"""

from collections.abc import Mapping

from airflow.sdk.observability import stats

from weixin_etl.datasets import Dataset

_GROUPS = {"calls": "calls", "in": "pairs.in", "not_in": "pairs.not_in"}


def emit_counts(dataset: Dataset, totals: Mapping[str, int]) -> None:
    """Gauges with the counts of the dataset's last run: `weixin.<dataset>.rows.inserted`, …"""
    for name, count in totals.items():
        group = _GROUPS.get(name, f"rows.{name}")
        stats.gauge(f"weixin.{dataset.name}.{group}", count, tags={"dataset": dataset.name})
