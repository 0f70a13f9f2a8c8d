"""Check that `weixin-etl prune` removes old bytes of final days, and what is said of them then."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from support import execute, rows
from support.warehouse_loads import (
    ACCOUNT,
    DAY,
    article,
    at,
    body,
    facts,
    import_lines,
    know,
    line,
    load_chunk,
    staged,
)

from weixin_etl import cli
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.kept.prune import remove_old_bytes
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse.locks import begin_load

FACTS = "msgid, stat_date, share_count, extra, raw_response_id"
OLD = {
    "22 08:30": body(article("1_1", {"20": {"share_count": 1}})),
    "22 10:30": body(article("1_1", {"20": {"share_count": 2}, "21": {"share_count": 3}})),
}
"""The answers of a day by the time at which they were fetched."""
OPEN_DAY = DAY + timedelta(days=1)


@pytest.fixture(autouse=True)
def _answers(warehouse: Engine, connected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load two old answers each of a day that is final and of one that is open; keep one day."""
    know(warehouse, ACCOUNT.appid)
    for fetched, answer in OLD.items():
        load_chunk(warehouse, staged(answer, fetched))
        other = body(article("2_1", {"21": {"share_count": len(answer)}}), day=OPEN_DAY)
        load_chunk(warehouse, staged(other, fetched, OPEN_DAY))
    execute(warehouse, "UPDATE weixin.coverage SET settled = 'final' WHERE day = '2026-11-20'")
    monkeypatch.setenv("AIRFLOW__WEIXIN__KEEP_ANSWERS_DAYS", "1")


def kept_days(warehouse: Engine) -> list[tuple[int, bool]]:
    """Return the day of each answer, and whether its bytes are kept."""
    sql = "SELECT extract(day FROM day)::integer, body IS NOT NULL FROM weixin.raw_response"
    return [*map(tuple, rows(warehouse, f"{sql} ORDER BY 1, raw_response_id"))]


def test_only_answers_of_final_days_go_and_only_with_apply(
    warehouse: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their figures, hashes and times stay."""
    before = facts(warehouse, FACTS)
    assert cli.main(["prune"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2 answers of final days, received before 2026-11-23 ")
    assert "Nothing is removed: --apply does." in shown
    assert kept_days(warehouse) == [(20, True), (20, True), (21, True), (21, True)]

    assert cli.main(["prune", "--apply"]) == 0
    assert "Their bytes are removed." in capsys.readouterr().out
    assert kept_days(warehouse) == [(20, False), (20, False), (21, True), (21, True)]
    assert facts(warehouse, FACTS) == before


def test_a_day_with_a_newer_answer_keeps_all_its_answers(warehouse: Engine) -> None:
    """A replay needs all of them or none."""
    load_chunk(warehouse, staged(OLD["22 10:30"].replace(b"3", b"4"), "24 10:00"))
    assert cli.main(["prune", "--apply"]) == 0
    assert {kept for _, kept in kept_days(warehouse)} == {True}


def test_answers_of_both_endpoints_go_together(warehouse: Engine) -> None:
    """Titles come from the newest answer of either, so one without the other would change them."""
    detail = body(article("1_1", {"20": {}}, title="旧"), rows_key="detail_list")
    newer = staged(detail, "22 09:00", dataset=ARTICLE_TOTAL_DETAIL)
    load_chunk(warehouse, newer, dataset=ARTICLE_TOTAL_DETAIL)
    assert cli.main(["prune", "--apply"]) == 0
    assert {kept for _, kept in kept_days(warehouse)} == {True}  # the successor's day is open
    execute(
        warehouse,
        """
        UPDATE weixin.coverage SET settled = 'final', ready_at = coalesce(ready_at, attempted_at)
        WHERE day = '2026-11-20'
        """,
    )
    assert cli.main(["prune", "--apply"]) == 0
    assert kept_days(warehouse) == [(20, False)] * 3 + [(21, True)] * 2


def test_prune_waits_for_a_load_of_the_account(warehouse: Engine) -> None:
    """A replay or load that reads answers would find some of a day only."""
    with warehouse.begin() as connection, ThreadPoolExecutor() as threads:
        begin_load(connection, [ACCOUNT.appid])
        pruned = threads.submit(remove_old_bytes, warehouse, at("24 00:00"), is_applied=True)
        with pytest.raises(TimeoutError):
            pruned.result(timeout=0.5)
        connection.rollback()
        assert pruned.result(timeout=30).answers == 2


def test_only_the_owner_may_prune(loader: Engine, warehouse: Engine) -> None:
    """The pipeline's role can change no answer."""
    with pytest.raises(WarehouseError, match="permission denied"):
        remove_old_bytes(loader, at("24 00:00"), is_applied=True)
    assert {kept for _, kept in kept_days(warehouse)} == {True}


def test_answers_are_kept_for_ever_unless_the_setting_says_otherwise(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says which setting it is."""
    monkeypatch.setenv("AIRFLOW__WEIXIN__KEEP_ANSWERS_DAYS", "0")
    assert cli.main(["prune", "--apply"]) == 1
    assert "[weixin] keep_answers_days is 0: answers are kept for ever" in capsys.readouterr().err
    assert {kept for _, kept in kept_days(warehouse)} == {True}


def test_pruned_answers_are_listed_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has their times."""
    cli.main(["prune", "--apply"])
    capsys.readouterr()
    assert cli.main(["answers", ACCOUNT.appid, str(DAY), "--list"]) == 0
    assert [text.split()[-1] for text in capsys.readouterr().out.splitlines()] == ["pruned"] * 2
    assert cli.main(["answers", ACCOUNT.appid, str(DAY)]) == 1
    assert "were pruned" in capsys.readouterr().err


def test_a_replay_leaves_pruned_days_as_they_are(
    warehouse: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how many, and replays the others."""
    cli.main(["prune", "--apply"])
    execute(warehouse, "UPDATE weixin.fact_article_total SET share_count = 9")
    capsys.readouterr()
    assert cli.main(["replay", "article_total", "--apply"]) == 0
    assert "1 slice left out: prune has removed answers of these days" in capsys.readouterr().out
    sql = "SELECT publication_date, share_count FROM weixin.fact_article_total"
    changed = {day for day, count in rows(warehouse, sql) if count != 9}
    assert changed == {OPEN_DAY}


def test_an_import_leaves_answers_of_pruned_days_out(warehouse: Engine) -> None:
    """They would replace newer values. The file's others are loaded, and new ones of runs."""
    cli.main(["prune", "--apply"])
    before = facts(warehouse, FACTS)
    older = line(OLD["22 08:30"].decode(), "22 07:00")
    other = body(article("3_1", {"22": {"share_count": 6}}), day=OPEN_DAY + timedelta(days=1))
    result = import_lines(
        warehouse, older, line(other.decode(), "23 10:30", day=str(OPEN_DAY + timedelta(days=1)))
    )
    assert (result.answers, result.pruned, result.replayed.counts.inserted) == (2, 1, 1)
    assert facts(warehouse, FACTS)[: len(before)] == before

    load_chunk(warehouse, staged(OLD["22 10:30"].replace(b"3", b"4"), "24 10:00"))
    assert [count for (count,) in facts(warehouse, "share_count")][:2] == [2, 4]


def test_the_newest_answer_is_printed_beside_pruned_ones(
    warehouse: Engine, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A run with dates brings a new one."""
    cli.main(["prune", "--apply"])
    newer = OLD["22 10:30"].replace(b"3", b"4")
    load_chunk(warehouse, staged(newer, "24 10:00"))
    capfdbinary.readouterr()
    assert cli.main(["answers", ACCOUNT.appid, str(DAY)]) == 0
    assert capfdbinary.readouterr().out == newer
