"""What comparing two endpoints costs: the pairs of the run, however many days the facts have."""

from datetime import date

from sqlalchemy import text
from support import migrated_warehouse

from weixin_etl.datasets import ARTICLE_READ
from weixin_etl.model import Run
from weixin_etl.run.check import checks
from weixin_etl.run.pairs import run_keys
from weixin_local.postgres import Server

GIVEN = """
    CREATE TEMP TABLE given AS
    SELECT
        'wx' || account AS appid,
        age || '_1' AS msgid,
        date '2026-01-01' + age AS publication_date,
        date '2026-01-01' + age + step AS stat_date
    FROM generate_series(1, 20) AS account
    CROSS JOIN generate_series(1, 100) AS age
    CROSS JOIN generate_series(0, 29) AS step;
    INSERT INTO weixin.dim_article (appid, msgid, publication_date, first_seen_at, last_seen_at)
    SELECT DISTINCT appid, msgid, publication_date, now(), now() FROM given;
    INSERT INTO weixin.fact_article_total_detail (
        appid, msgid, stat_date, publication_date, raw_response_id, fetched_at, loaded_at,
        changed_at
    )
    SELECT appid, msgid, stat_date, publication_date, 1, now(), now(), now() FROM given;
    INSERT INTO weixin.fact_article_read (
        appid, msgid, stat_date, raw_response_id, fetched_at, loaded_at, changed_at
    )
    SELECT appid, msgid, stat_date, 1, now(), now(), now() FROM given;
    INSERT INTO weixin.coverage (
        dataset, appid, publication_date, ready_at, attempt_state, attempted_at
    )
    SELECT DISTINCT dataset, appid, stat_date, now(), 'ok', now()
    FROM given
    CROSS JOIN unnest(ARRAY['article_total_detail', 'article_read']) AS dataset;
    INSERT INTO weixin.run_report (run_id, dataset, appid, publication_date, planned_at)
    SELECT DISTINCT 'run', 'article_read', appid, date '2026-04-01' + step, now()
    FROM given
    CROSS JOIN generate_series(1, 3) AS step
"""


def test_the_pairs_of_a_run_are_compared_by_keys(embedded_server: Server) -> None:
    """Three days of 20 accounts, beside facts of 60,000 rows: neither is read whole."""
    run = Run("run", ARTICLE_READ, date(2026, 4, 5), is_scheduled=True)
    (sql,) = (it.sql for it in checks(ARTICLE_READ) if it.name == "datasets_agree")

    with migrated_warehouse(embedded_server, "check_plan") as engine, engine.begin() as connection:
        connection.exec_driver_sql(GIVEN)
        connection.exec_driver_sql("ANALYZE")
        plan = "\n".join(connection.execute(text(f"EXPLAIN {sql}"), run_keys(run)).scalars())

    assert "fact_article_total_detail_pkey" in plan
    assert "Seq Scan on fact_article" not in plan
