"""`weixin-etl import`: answers that another program kept."""

import itertools
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import empty
from warehouse_loads import (
    DAY,
    SCHEDULED,
    article,
    at,
    body,
    coverage,
    facts,
    know,
    load_pairs,
    pair,
    raw_answers,
    refused,
    rows,
)

from weixin_etl import cli
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.kept.imported import Imported, import_files
from weixin_etl.load.merge import Merge
from weixin_etl.model import ConfiguredAccount, Counts
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Work
from weixin_etl.run.plan import plan

FIGURES = "appid, msgid, stat_date::text, share_count, raw_response_id"


def answer(share_count: int, title: str = "头条") -> bytes:
    """An answer of the account's day, as WeChat writes it."""
    return body(article("1_1", {"20": {"share_count": share_count}}, title=title))


def line(body_: Any, fetched_at: str = "2026-11-23T10:30:00+08:00", **keys: Any) -> str:
    """A line of a file."""
    said = {
        "appid": "wx1",
        "dataset": "article_total",
        "day": str(DAY),
        "fetched_at": fetched_at,
        "body": body_,
    }
    return json.dumps(said | keys, ensure_ascii=False) + "\n"


def on(day: int, hour: str = "10:30") -> str:
    """A fetch time of November."""
    return f"2026-11-{day}T{hour}:00+08:00"


NOT_READY = "the figures are not ready yet: no article has yesterday's row"
Load = Callable[..., Imported]


@pytest.fixture
def load(warehouse: Engine, tmp_path: Path) -> Load:
    """Import lines, as one file; what came of it."""

    def load(*lines: str, commit_bytes: int = 1 << 20) -> Imported:
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(lines))
        return import_files(warehouse, [path], ready_hour=10, commit_bytes=commit_bytes)

    return load


def test_answers_become_facts(warehouse: Engine, load: Load):
    """As texts and as objects; and an account that nobody knew has a row."""
    spaced = '{"list" : [ ],\n "odd": "\\u0001甲" }'
    other = {"list": [{"ref_date": "2026-11-19", "msgid": "2_1", "details": []}]}
    imported = load(
        line(answer(3).decode()),
        line(other, day="2026-11-19", appid="wx2"),
        line(spaced, day="2026-11-18"),
    )

    assert (imported.answers, imported.replayed.counts) == (3, Counts(inserted=1))
    assert imported.bad_line == ""
    assert facts(warehouse, FIGURES) == [("wx1", "1_1", "2026-11-20", 3, 2)]
    assert {kept for kept, _ in raw_answers(warehouse)} == {
        answer(3),
        json.dumps(other, separators=(",", ":")).encode(),
        spaced.encode(),
    }
    assert rows(
        warehouse, "SELECT appid, name, conn_id, is_active FROM weixin.dim_account ORDER BY 1"
    ) == [("wx1", "wx1", "", False), ("wx2", "wx2", "", False)]
    assert rows(warehouse, "SELECT * FROM weixin.run_report") == []


def test_answers_of_one_instant_are_told_apart_by_their_bytes(warehouse: Engine, load: Load):
    """An archive may know whole days only: in whatever order they come, one of them is newest."""
    found = []
    for lines in itertools.permutations(line(answer(it).decode()) for it in (1, 2)):
        empty(warehouse)
        for one in lines:
            load(one)
        found.append(facts(warehouse, "share_count"))

    assert found[0] == found[1] != []


def test_days_are_ready_and_final_by_the_rules(warehouse: Engine, load: Load):
    """As of when they were fetched; the last attempt stays what it was, if it was later."""
    week = {str(day): {"share_count": day} for day in range(14, 21)}
    whole = body(article("0_1", week), day=date(2026, 11, 14)).decode()
    del week["20"]
    before = body(article("0_1", week), day=date(2026, 11, 14)).decode()
    days = {"day": "2026-11-14"}
    load_pairs(
        warehouse,
        refused(WeixinError(ProblemKind.ENDPOINT_OFFLINE, code="47009"), day=date(2026, 11, 14)),
        refused(WeixinError(ProblemKind.ENDPOINT_OFFLINE, code="47009"), when="22 08:30"),
    )

    load(
        line(before, on(20), **days),
        line(whole, on(21), **days),
        line(answer(1).decode(), on(23, "08:30")),
        line(answer(1).decode(), on(23, "08:30"), day="2026-11-19", appid="wx2"),
    )

    columns = "appid, day::text, row_count, ready_at, settled, error_code, error"
    final, early, other_day = coverage(warehouse, columns)
    assert final[:6] == ("wx1", "2026-11-14", 7, at("21 10:30"), "final", 47009)
    assert early == ("wx1", "2026-11-20", 1, None, None, None, NOT_READY)
    assert other_day[:6] == ("wx2", "2026-11-19", None, None, None, None)
    assert "ref_date is not the day asked for" in other_day[6]
    load(line(answer(2).decode(), on(23)))
    assert coverage(warehouse, columns)[1] == (
        *("wx1", "2026-11-20", 1, at("23 10:30"), None, None, None),
    )


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"appid": "wx1"}\n', "Object missing required field `dataset`"),
        ("[]\n", "Expected `object`, got `array`"),
        ("nothing\n", "JSON is malformed: invalid character"),
        (line({"list": []}, dataset="article_totals"), "dataset 'article_totals' is none of "),
        (line({"list": []}, appid=""), "at `$.appid`"),
        (line({"list": []}, appid="wx\0"), "at `$.appid`"),
        (
            line({"list": []}, "2026-11-23T10:30:00"),
            "with a timezone component - at `$.fetched_at`",
        ),
        (line({"list": []}, "yesterday"), "Invalid RFC3339 encoded datetime - at `$.fetched_at`"),
        (line({"list": []}, "0001-01-01T00:00:00+14:00"), "date value out of range"),
        (line({"list": []}, "2026-11-25T10:30:00+08:00"), "+08:00 is in the future"),
        (line({"list": []}, day="2026-11-31"), "Invalid RFC3339 encoded date"),
        (line({"list": []}, day="2014-11-30"), "getarticletotal starts on 2014-12-01"),
        (line({"list": []}, day="2026-11-23"), "this was fetched on 2026-11-23 in Beijing"),
        (line(["list"]), "body: it is neither an object nor a text"),
        (line("no"), "body: the answer is not JSON"),
        (line({"lost": []}), "body: the answer has no list"),
        (line("\\ud800").replace("\\\\", "\\"), "Input data was truncated"),
        (
            line({"errcode": 45009, "errmsg": "reach max\0 api daily quota limit"}),
            "body: the answer has no list",
        ),
        (line({"list": [[]] * 500_000}), "body: more than 100000 parts of the answer do not fit"),
    ],
    ids=lambda it: it[-40:].strip() if it.startswith(("{", "[")) else None,
)
def test_a_line_that_cannot_be_loaded(
    warehouse: Engine, load: Load, tmp_path: Path, bad: str, said: str
):
    """It ends the import with its number; the file, once mended, loads the rest."""
    before, after = line(answer(1).decode(), on(22)), line(answer(2).decode())

    imported = load(before, "\n", bad, after)

    assert imported.bad_line.startswith(f"{tmp_path}/answers.jsonl, line 3: ")
    assert said in imported.bad_line
    assert len(imported.bad_line) < 500
    assert imported.answers == 1
    assert facts(warehouse, "share_count") == [(1,)]

    mended = load(before, "\n", after)
    assert (mended.answers, mended.replayed.counts, mended.bad_line) == (2, Counts(updated=1), "")
    assert facts(warehouse, "share_count") == [(2,)]
    assert len(raw_answers(warehouse)) == 2


LINES = [line(answer(n, str(n)).decode(), on(22, f"{n:02}:00")) for n in range(10)]


@pytest.mark.usefixtures("connected")
def test_a_file_cut_in_the_middle(
    warehouse: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The sentence names file and line, what stands before it is loaded, the exit code is 1."""
    path = tmp_path / "cut.jsonl"
    path.write_bytes("".join(LINES).encode()[:-20])

    assert cli.main(["import", str(path)]) == 1

    assert capsys.readouterr() == (
        "9 answers loaded: 1 row new, 0 updated\n",
        f"weixin-etl: {path}, line 10: Input data was truncated; correct it and import the file "
        "again\n",
    )
    assert len(raw_answers(warehouse)) == 9


@pytest.mark.usefixtures("connected")
def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Files and standard input; exit code 0."""
    plain, piped = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    plain.write_text(LINES[0])
    piped.write_text(LINES[1])
    with piped.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert cli.main(["import", str(plain), "-"]) == 0

    assert capsys.readouterr() == ("2 answers loaded: 1 row new, 0 updated\n", "")
    assert cli.main(["import", str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err == f"weixin-etl: there is no file {tmp_path}/nothing\n"


def test_an_import_in_the_middle_of_a_run(warehouse: Engine, load: Load):
    """An answer that was fetched before an imported one is kept, and changes nothing any more."""
    fetched = pair(answer(1), "24 10:00")
    load(line(answer(2).decode(), on(24, "10:20")))
    of_import = coverage(warehouse, "*")
    (loaded,) = load_pairs(warehouse, fetched)

    assert loaded.coverage.ready_at == at("24 10:20")
    assert coverage(warehouse, "*") == of_import
    assert facts(warehouse, "share_count") == [(2,)]
    assert sorted(body for body, _ in raw_answers(warehouse)) == sorted([answer(1), answer(2)])


def test_an_answer_that_is_not_ready_takes_no_ready_one_away(warehouse: Engine, load: Load):
    """It is the newest attempt; the run saw that the day is ready by yesterday's, not here."""
    yesterday = date(2026, 11, 23)
    others = body(article("2_1", {"23": {"share_count": 1}}), day=yesterday)
    load_pairs(warehouse, pair(answer(1), "24 08:30"), pair(others, "24 08:30", yesterday))
    load(line(body(is_delay=True).decode(), on(24, "08:45")))

    assert coverage(warehouse, "ready_at, attempted_at, error_kind")[0] == (
        at("24 08:30"),
        at("24 08:45"),
        "not_ready",
    )


def test_an_import_ends_no_day_by_one_answer(warehouse: Engine, load: Load):
    """Days that nobody asked for are imported as empty: the next daily run asks for each."""
    days = [date(2026, 11, day) for day in (1, 2, 3)]
    load(*(line('{"list":[]}', on(23, "10:00"), day=str(day)) for day in days))
    silent = coverage(warehouse, "day, settled, list_sha256")

    load_pairs(warehouse, pair(answer(1), "24 10:10"))
    configured = [ConfiguredAccount("weixin_default", "wx1", "报纸")]
    planned = plan(Work(SCHEDULED, warehouse), configured)

    assert silent == [(day, None, None) for day in days]
    assert planned.accounts[0].due.days[-3:] == days[::-1]


def test_what_a_run_judged_stands(warehouse: Engine, load: Load):
    """A day that lists nothing, while another is heard, is not silent after an import."""
    quiet = "2026-11-10"
    know(warehouse, "wx1")
    empty_day = pair(body(), "23 10:30", day=date.fromisoformat(quiet))
    load_pairs(warehouse, empty_day, pair(answer(3), "23 10:30"))

    load(line({"list": [], "is_delay": True}, on(24, "08:00"), day=quiet))

    lists_nothing = "SELECT list_sha256 = sha256('') FROM weixin.coverage ORDER BY day LIMIT 1"
    assert rows(warehouse, lists_nothing) == [(True,)]


def test_a_run_after_an_import_that_was_killed(warehouse: Engine):
    """Its answer is older than one that is kept and not loaded yet: it is judged all the same."""
    know(warehouse, "wx1")
    newer = pair(answer(5), "24 10:31")
    with warehouse.begin() as connection:
        merge = Merge(connection, ARTICLE_TOTAL, at("24 10:40"))
        merge.keep([newer], merge.known([newer.pair]))

    (loaded,) = load_pairs(warehouse, pair(answer(3), "24 10:30"))

    assert loaded.coverage.ready_at == at("24 10:30")
