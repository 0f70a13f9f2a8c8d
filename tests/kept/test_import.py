"""Check that `weixin-etl import` loads answers that another program kept."""

import itertools
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import empty, rows
from support.warehouse_loads import (
    SCHEDULED,
    article,
    at,
    body,
    coverage,
    facts,
    import_lines,
    line,
    load_chunk,
    refused,
    staged,
)
from world.expected_tables import kept

from weixin_etl import cli
from weixin_etl.model import ConfiguredAccount, Counts
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Work
from weixin_etl.run.plan import plan

READERS = "int_page_read_user"
OFFLINE = WeixinError(ProblemKind.ENDPOINT_OFFLINE, code="47009")


MANY_ROWS = {"ref_date": "2026-11-20", "msgid": "1_1", "details": [[]] * 500_000}


def answer(share_count: int, **keys: Any) -> bytes:
    """Return an answer of the account's day, in the bytes that WeChat would write."""
    return body(article("1_1", {"20": {"share_count": share_count}}), **keys)


def test_imported_answers_become_facts(warehouse: Engine):
    """
    A body may be a text or an object.

    An unknown account gets a row, and no run gets a report.
    """
    spaced = '{"list" : [ ],\n "odd": "\\u0001甲" }'
    other = {"list": [{"ref_date": "2026-11-19", "msgid": "2_1", "details": []}]}
    imported = import_lines(
        warehouse,
        line(spaced, day="2026-11-18"),
        line(answer(3).decode()),
        line(other, day="2026-11-19", appid="wx2"),
        commit_bytes=600,
    )

    assert (imported.answers, imported.replayed.counts) == (3, Counts(inserted=1))
    assert facts(warehouse, "appid, share_count, raw_response_id") == [("wx1", 3, 2)]
    as_written = json.dumps(other, separators=(",", ":"))
    bodies = {answer(3), as_written.encode(), spaced.encode()}
    assert {stored.body for stored in kept(warehouse)} == bodies
    commits = "SELECT count(*) FROM weixin.raw_response GROUP BY xmin::text ORDER BY 1"
    assert rows(warehouse, commits) == [(1,), (2,)]
    known = "SELECT appid, name, conn_id, is_active FROM weixin.dim_account ORDER BY 1"
    assert rows(warehouse, known) == [("wx1", "wx1", "", False), ("wx2", "wx2", "", False)]
    assert rows(warehouse, "SELECT * FROM weixin.run_report") == []


def test_answers_of_one_instant_have_a_fixed_order(warehouse: Engine):
    """An archive may know only the date of a fetch. The same answer is the newest in any order."""
    found = []
    for lines in itertools.permutations(line(answer(count).decode()) for count in (1, 2)):
        empty(warehouse)
        for file_line in lines:
            import_lines(warehouse, file_line)
        found.append(facts(warehouse, "share_count"))

    assert found[0] == found[1] != []


def test_imported_days_are_ready_and_final_by_the_rules(warehouse: Engine):
    """The time of the fetch counts. A later attempt stays the newest one."""
    week = {str(day): {READERS: day} for day in range(14, 21)}
    whole = body(article("0_1", week), day=date(2026, 11, 14)).decode()
    load_chunk(warehouse, refused(OFFLINE, day=date(2026, 11, 14)), refused(OFFLINE, "22 08:30"))

    import_lines(
        warehouse,
        line(whole, "21 10:30", day="2026-11-14"),
        line(whole, "22 08:30", day="2026-11-14"),
        line(answer(1).decode(), "23 08:30"),
        line(answer(1).decode(), "23 08:30", day="2026-11-19", appid="wx2"),
    )

    columns = "row_count, ready_at, settled, error_kind"
    assert coverage(warehouse, columns) == [
        (7, at("22 08:30"), "final", "endpoint_offline"),
        (1, None, None, "not_ready"),
        (None, None, None, "unreadable"),
    ]
    import_lines(warehouse, line(answer(2).decode()))
    assert coverage(warehouse, columns)[1] == (1, at("23 10:30"), None, None)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ('{"appid": "wx1"}\n', "`dataset`"),
        (line({"list": []}, dataset="article_totals"), "dataset 'article_totals' is none of "),
        (line({"list": []}, appid="wx\0"), "`$.appid`"),
        (line({"list": []}, fetched_at="2026-11-23T10:30:00"), "timezone"),
        (line({"list": []}, "25 10:30"), "in the future"),
        (line({"list": []}, day="2026-11-23"), "this was fetched on 2026-11-23 in Beijing"),
        (line({"list": []}, day="2014-11-30"), "getarticletotal starts on 2014-12-01"),
        (line("no"), "body: the answer is not JSON"),
        (line({"errcode": 45009, "errmsg": "limit\0"}), "body: the answer has no list"),
        (line("\\ud800").replace("\\\\", "\\"), "JSON is malformed"),
        (line({"list": [MANY_ROWS]}), "body: more than 100,000 parts"),
        (line({"list": [[]] * 10_001}), "body: the answer lists more than 10000 articles"),
    ],
    ids=lambda value: value if len(value) < 60 and "{" not in value else "",
)
def test_a_line_that_cannot_be_loaded_ends_the_import_with_its_number(
    warehouse: Engine, bad: str, sentence: str
):
    """The corrected file loads the rest."""
    before, after = line(answer(1).decode(), "22 10:30"), line(answer(2).decode())

    imported = import_lines(warehouse, before, "\n", bad, after)

    assert "answers.jsonl, line 3: " in imported.bad_line
    assert sentence in imported.bad_line[:500] == imported.bad_line
    assert facts(warehouse, "share_count") == [(1,)]
    mended = import_lines(warehouse, before, "\n", after)
    assert (mended.answers, mended.replayed.counts, mended.bad_line) == (2, Counts(updated=1), "")
    assert len(kept(warehouse)) == 2


@pytest.mark.usefixtures("connected")
def test_the_command_takes_files_and_standard_input(
    warehouse: Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """A truncated file is loaded up to the broken line, which is named; the exit code is 1."""
    lines = [line(answer(n).decode(), f"22 {n:02}:00") for n in range(10)]
    plain, cut = tmp_path / "a.jsonl", tmp_path / "cut.jsonl"
    plain.write_text(lines[0])
    cut.write_text("".join(lines)[:-20])
    with plain.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert cli.main(["import", str(plain), "-"]) == 0
    assert cli.main(["import", str(cut)]) == 1
    assert cli.main(["import", str(tmp_path / "nothing")]) == 1

    printed, stderr = capsys.readouterr()
    loaded = ["2 answers loaded: 1 row new, 0 updated", "9 answers loaded: 0 rows new, 1 updated"]
    assert printed.splitlines() == loaded
    assert [f"{cut}, line 10: " in stderr, f"no file {tmp_path}/nothing" in stderr] == [True, True]
    assert len(kept(warehouse)) == 9


def test_an_imported_answer_that_is_not_ready_leaves_the_day_ready(warehouse: Engine):
    """The answer is only the newest attempt."""
    yesterday = date(2026, 11, 23)
    other_body = body(article("2_1", {"23": {READERS: 1}}), day=yesterday)
    load_chunk(warehouse, staged(answer(1), "24 08:30"), staged(other_body, "24 08:30", yesterday))
    import_lines(warehouse, line(body(is_delay=True).decode(), "24 08:45"))

    newest = coverage(warehouse, "ready_at, listed_since, attempted_at, error_kind")[0]
    assert newest == (at("24 08:30"), at("24 08:30"), at("24 08:45"), "not_ready")


def test_an_imported_empty_answer_settles_no_day(warehouse: Engine):
    """The next daily run asks for each of these days."""
    days = [date(2026, 11, day) for day in (1, 2, 3)]
    import_lines(warehouse, *(line('{"list":[]}', "23 10:00", day=str(day)) for day in days))
    silent = coverage(warehouse, "day, settled, list_sha256")

    load_chunk(warehouse, staged(answer(1), "24 10:10"))
    configured = [ConfiguredAccount("weixin_default", "wx1", "报纸")]
    planned = plan(Work(SCHEDULED, warehouse), configured)

    assert silent == [(day, None, None) for day in days]
    assert planned.accounts[0].due.days[-3:] == days[::-1]
