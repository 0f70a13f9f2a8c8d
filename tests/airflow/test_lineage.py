"""A test of the output tables that the tasks report to Airflow's lineage."""

from collections.abc import Iterator

import pytest
from airflow.sdk import plugins_manager
from airflow.sdk.lineage import (
    HookLineageCollector,
    HookLineageReader,
    get_hook_lineage_collector,
)
from dag_runs import DailyDag
from sqlalchemy import Engine


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HookLineageCollector]:
    """Yield Airflow's collector, which is on once a plugin has a reader, as OpenLineage's has."""
    monkeypatch.setattr(
        plugins_manager, "get_hook_lineage_readers_plugins", lambda: [HookLineageReader]
    )
    get_hook_lineage_collector.cache_clear()
    yield get_hook_lineage_collector()
    get_hook_lineage_collector.cache_clear()


def test_a_run_reports_the_tables_that_it_writes(
    daily: DailyDag, warehouse: Engine, collector: HookLineageCollector
) -> None:
    """Each is an asset in the form of the Postgres provider, without user and password."""
    daily.on(0)
    url = warehouse.url
    place = f"postgres://{url.host}:{url.port}/{url.database}/weixin"
    lineage = collector.collected_assets
    assert {output.asset.uri for output in lineage.outputs} == {
        f"{place}/{table}" for table in ("raw_response", "coverage", "fact_article_total")
    }
    assert lineage.inputs == []
