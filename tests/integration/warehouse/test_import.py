"""`weixin-etl import`: answers that another program kept."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    DAY,
    SCHEDULED,
    article,
    at,
    body,
    contents,
    coverage,
    facts,
    load_pairs,
    pair,
    raw_answers,
    refused,
    rows,
)

from weixin_etl import cli
from weixin_etl.api.errors import EndpointOfflineError
from weixin_etl.kept.imported import Imported, import_files
from weixin_etl.model import ConfiguredAccount, Counts
from weixin_etl.run import Settings
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
        "publication_date": str(DAY),
        "fetched_at": fetched_at,
        "body": body_,
    }
    return json.dumps(said | keys, ensure_ascii=False) + "\n"


def on(day: int, hour: str = "10:30") -> str:
    """A fetch time of November."""
    return f"2026-11-{day}T{hour}:00+08:00"


Load = Callable[..., tuple[Imported, list[str]]]


@pytest.fixture
def load(warehouse: Engine, tmp_path: Path) -> Load:
    """Import lines, as one file; what came of it, and the sentences about refused ones."""

    def load(*lines: str, commit_bytes: int = 1 << 20) -> tuple[Imported, list[str]]:
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(lines))
        said: list[str] = []
        imported = import_files(
            warehouse, [path], ready_hour=10, commit_bytes=commit_bytes, on_refused=said.append
        )
        return imported, [sentence.removeprefix(f"{path}, ") for sentence in said]

    return load


def test_answers_become_facts(warehouse: Engine, load: Load):
    """As texts and as objects; and an account that nobody knew has a row."""
    spaced = '{"list" : [ ],\n "odd": "\\u0001甲" }'
    other = {"list": [{"ref_date": "2026-11-19", "msgid": "2_1", "details": []}]}
    imported, said = load(
        line(answer(3).decode()),
        line(other, publication_date="2026-11-19", appid="wx2"),
        line(spaced, publication_date="2026-11-18"),
    )

    assert (imported, said) == (Imported(answers=3, counts=Counts(inserted=1)), [])
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


def test_a_second_import_changes_nothing(warehouse: Engine, load: Load):
    """Whatever the order of the lines, and however many answers there are of a pair."""
    lines = [line(answer(n % 3, str(n)).decode(), on(22, f"{n:02}:00")) for n in range(12)]
    lines += [line(answer(1).decode(), on(22, "23:30"), appid="wx2")]
    load(*lines, commit_bytes=1500)
    before = contents(warehouse)
    versions = contents(warehouse, ["fact_article_total", "dim_article"], versions=True)

    imported, _ = load(*reversed(lines), commit_bytes=1500)

    assert imported.counts == Counts(unchanged=13)
    assert contents(warehouse) == before
    assert contents(warehouse, ["fact_article_total", "dim_article"], versions=True) == versions


def test_days_are_ready_and_final_by_the_rules(warehouse: Engine, load: Load):
    """As of when they were fetched; the last attempt stays what it was, if it was later."""
    week = {str(day): {"share_count": day} for day in range(14, 21)}
    whole = body(article("0_1", week), day=date(2026, 11, 14)).decode()
    del week["20"]
    before = body(article("0_1", week), day=date(2026, 11, 14)).decode()
    days = {"publication_date": "2026-11-14"}
    load_pairs(
        warehouse,
        refused(EndpointOfflineError(errcode=47009), day=date(2026, 11, 14)),
        refused(EndpointOfflineError(errcode=47009), when="22 08:30"),
    )

    load(
        line(before, on(20), **days),
        line(whole, on(21), **days),
        line(answer(1).decode(), on(23, "08:30")),
        line(answer(1).decode(), on(23, "08:30"), publication_date="2026-11-19", appid="wx2"),
    )

    assert coverage(
        warehouse, "appid, publication_date::text, data_state, ready_at, is_final, attempt_state"
    ) == [
        ("wx1", "2026-11-14", "loaded", at("21 10:30"), True, "failed"),
        # before ready_hour, and no article has yesterday's row
        ("wx1", "2026-11-20", "loaded", None, False, "failed"),
    ]
    load(line(answer(2).decode(), on(23)))
    assert coverage(warehouse, "ready_at, attempt_state, error_code")[1] == (
        at("23 10:30"),
        "ok",
        None,
    )


def test_a_day_that_was_imported_too_early_says_so(warehouse: Engine, load: Load):
    """And what brings it in: no run has left it like that."""
    load(line(answer(1).decode(), on(23, "08:30")))

    with warehouse.connect() as connection:
        reason = connection.exec_driver_sql(
            "SELECT reason FROM analytics.coverage "
            "WHERE state = 'not_ready' AND publication_date = '2026-11-20'"
        ).scalar_one()

    assert reason.startswith("imported, from an answer of before its figures were computed")
    assert reason.endswith("start a run with begin_date and end_date 2026-11-20")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"appid": "wx1"}\n', "Object missing required field `dataset`"),
        ("[]\n", "Expected `object`, got `array`"),
        ("nothing\n", "it is not JSON: JSON is malformed: invalid character"),
        (line({"list": []}, dataset="article_totals"), "dataset 'article_totals' is none of "),
        (line({"list": []}, appid=""), "appid '' is no AppID"),
        (line({"list": []}, appid="wx\0"), "appid 'wx\\x00' is no AppID"),
        (
            line({"list": []}, "2026-11-23T10:30:00"),
            "with a timezone component - at `$.fetched_at`",
        ),
        (line({"list": []}, "yesterday"), "Invalid RFC3339 encoded datetime - at `$.fetched_at`"),
        (line({"list": []}, "2026-11-25T10:30:00+08:00"), "+08:00 is in the future"),
        (line({"list": []}, publication_date="2026-11-31"), "Invalid RFC3339 encoded date"),
        (line({"list": []}, publication_date="2014-11-30"), "getarticletotal starts on 2014-12-01"),
        (line({"list": []}, publication_date="2026-11-23"), "2026-11-23 is not before the day"),
        (line(["list"]), "body is neither an object nor a text"),
        (line("no"), "body is no JSON object"),
        (line({"lost": []}), "body: the answer has no list of articles"),
        (line("\\ud800").replace("\\\\", "\\"), "it is not JSON"),
        (
            line({"errcode": 45009, "errmsg": "reach max\0 api daily quota limit"}),
            "body is a refusal, no answer: errcode 45009: reach max api daily quota limit",
        ),
        (line({"list": [[]] * 500_000}), "body: the answer holds more than 500000 values"),
    ],
    ids=lambda it: it[-40:].strip() if it.startswith(("{", "[")) else None,
)
def test_a_line_that_cannot_be_loaded(warehouse: Engine, load: Load, bad: str, said: str):
    """It has a sentence with its number, and the others are loaded."""
    imported, sentences = load(
        line(answer(1).decode(), on(22)), "\n", bad, line(answer(2).decode())
    )

    (sentence,) = sentences
    assert sentence.startswith("line 3: ")
    assert said in sentence
    assert len(sentence) < 400
    assert (imported.answers, imported.refused) == (2, 1)
    assert facts(warehouse, "share_count") == [(2,)]
    assert len(raw_answers(warehouse)) == 2


LINES = [line(answer(n, str(n)).decode(), on(22, f"{n:02}:00")) for n in range(10)]


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("is_gzip", [False, True], ids=["plain", "gzip"])
def test_a_file_cut_in_the_middle(
    warehouse: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_gzip: bool
):
    """The sentence names file and line, what stands before it is loaded, the exit code is 1."""
    path = tmp_path / "cut.jsonl"
    whole = "".join(LINES).encode()
    path.write_bytes(gzip.compress(whole, 1)[:-20] if is_gzip else whole[:-20])

    assert cli.main(["import", str(path)]) == 1

    said = capsys.readouterr()
    if is_gzip:
        assert f"weixin-etl: {path}, after line " in said.err
        assert "the file is cut off or damaged" in said.err
    else:
        assert said.err == (
            f"weixin-etl: {path}, line 10: it is not JSON: the file ends in the middle of it\n"
        )
        assert said.out == (
            "9 answers loaded: 1 rows new, 8 updated, 0 unchanged, 8 figures restated; 1 refused\n"
        )
    assert len(raw_answers(warehouse)) >= 8


@pytest.mark.usefixtures("connected")
def test_the_command(warehouse: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Several files, compressed or not; exit code 0."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text(LINES[0])
    packed.write_bytes(gzip.compress(LINES[1].encode()))

    assert cli.main(["import", str(plain), str(packed)]) == 0

    assert capsys.readouterr() == (
        "2 answers loaded: 1 rows new, 1 updated, 0 unchanged, 1 figures restated\n",
        "",
    )
    assert cli.main(["import", str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err == f"weixin-etl: there is no file {tmp_path}/nothing\n"


@pytest.mark.every_postgres
def test_the_loader_may_import(warehouse: Engine, loader: Engine, tmp_path: Path):
    """With the privileges of daily runs."""
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(LINES))

    imported = import_files(loader, [path], ready_hour=10, commit_bytes=1000)

    assert imported.answers == 10
    assert facts(warehouse, "share_count") == [(9,)]


def test_an_import_ends_no_day_by_one_answer(warehouse: Engine, load: Load):
    """Days that nobody asked for are imported as empty: the next daily run asks for each."""
    days = [date(2026, 11, day) for day in (1, 2, 3)]
    load(*(line('{"list":[]}', on(24, "10:00"), publication_date=str(day)) for day in days))
    silent = coverage(warehouse, "publication_date, is_final, is_resting, is_provisional")

    load_pairs(warehouse, pair(answer(1), "24 10:10"))
    configured = [ConfiguredAccount("weixin_default", "wx1", "报纸")]
    planned = plan(SCHEDULED, warehouse, Settings(), configured, is_new=True)

    assert silent == [(day, False, True, True) for day in days]
    assert planned.accounts[0].days[-3:] == days[::-1]
