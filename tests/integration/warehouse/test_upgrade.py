"""A warehouse with data from before 0006_evidence.sql: nothing is lost, the next load goes on."""

from datetime import date, timedelta

from rolled_back import roll_back
from sqlalchemy import Engine
from warehouse_loads import (
    DAY,
    article,
    body,
    contents,
    coverage,
    know,
    load_pairs,
    make_final,
    pair,
    rows,
)

from weixin_etl.load import Outcome
from weixin_etl.warehouse import migrate, migrations

FINAL_DAY = DAY - timedelta(days=4)
NEXT_DAY = DAY + timedelta(days=1)
FACTS = ("dim_article", "fact_article_total", "fact_article_total_history")
AS_IT_WAS = """
    UPDATE weixin.dim_article SET publication_date = '2026-11-20' WHERE msgid = '1_1';
    UPDATE weixin.fact_article_total SET publication_date = '2026-11-20'
    WHERE msgid = '1_1' AND stat_date = '2026-11-20';
    UPDATE weixin.rejected_row SET reason = 'share_user ''is not 12'' is not a whole number';
    UPDATE weixin.run_report SET announced_at = now();
    INSERT INTO weixin.run_report
    (run_id, dataset, appid, publication_date, planned_at, inserted, announced_at)
    VALUES
    ('told', 'article_total', 'wx1', '2026-11-20', '2026-11-21 10:00+08', 1, now()),
    ('untold', 'article_total', 'wx1', '2026-11-20', '2026-11-22 10:00+08', 1, NULL),
    ('unchanged', 'article_total', 'wx1', '2026-11-20', '2026-11-23 10:00+08', 0, NULL);
"""
"""An article that moved, a quoted value and announcements, as they were stored before."""


def listing(fetched: str, *days: tuple[int, int], day: date = DAY, **odd: str) -> Outcome:
    """An answer that lists the article 1_1 with its readers by day of November."""
    totals = {str(stat): {"int_page_read_user": count, **odd} for stat, count in days}
    return pair(body(article("1_1", totals), day=day), fetched, day=day)


def test_a_warehouse_with_data(fresh: Engine, database: str):
    """Moved articles are put in order, quoted values go, what is final stays so; a load goes on."""
    migrate(database)
    know(fresh, "wx1")
    make_final(fresh, FINAL_DAY)
    load_pairs(fresh, listing("21 10:30", (20, 1000), share_user="is not 12"))
    load_pairs(
        fresh, listing("22 10:30", (21, 1100), day=NEXT_DAY), pair(body(day=DAY), "22 10:30")
    )
    before, final = contents(fresh, FACTS), coverage(fresh, "publication_date, is_final")
    roll_back(database, sum(path.name >= "0006" for path in migrations()))
    with fresh.begin() as owner:
        owner.exec_driver_sql(AS_IT_WAS)

    assert "Applied: 0006_evidence.sql" in migrate(database)

    assert contents(fresh, FACTS) == before
    assert coverage(fresh, "publication_date, is_final") == final
    assert (FINAL_DAY, True) in final
    assert rows(fresh, "SELECT reason FROM weixin.rejected_row") == [
        ("share_user is not a whole number",)
    ]
    assert rows(fresh, "SELECT run_id FROM weixin.run_report WHERE is_unannounced") == [("untold",)]
    load_pairs(fresh, listing("23 10:30", (21, 1100), (22, 1200), day=NEXT_DAY))
    assert rows(
        fresh,
        "SELECT stat_date::text, int_page_read_user_increment FROM analytics.article_day "
        "WHERE msgid = '1_1' ORDER BY stat_date",
    ) == [("2026-11-20", 1000), ("2026-11-21", 100), ("2026-11-22", 100)]
