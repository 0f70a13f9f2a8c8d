"""
Check the digest and the exported files against WeChat's answers.

The warehouse is that of `world.py`: four accounts, of which one lost getarticletotal, one lists
nothing for weeks, and one lacks a day on the last morning.
"""

import csv
import io
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Connection, Engine
from support import rows

from analysts import expected_views
from analysts.expected_views import Table
from analysts.world import BUSY, PAPER, CollectedAnswers, november
from weixin_etl.clock import days_as_ranges
from weixin_etl.delivery import export
from weixin_etl.delivery.digest import compose_digest, read_digest
from weixin_etl.health.notifications import Installation
from weixin_etl.health.wording import Wording
from weixin_etl.model import ParameterError

FIGURES = ("readers", "sharers")
DAYS = [november(day) for day in (10, 16, 19, 20, 21, 22, 23)]
ENGLISH, CHINESE = Wording(), Wording("zh-CN")


def expected(collected: CollectedAnswers, name: str, **values: Any) -> Table:
    """Return the expected rows of a view that have these values."""
    return expected_views.view(collected, name).where(**values)


@pytest.fixture
def snapshot(loaded: tuple[Engine, CollectedAnswers]) -> Iterator[Connection]:
    """Yield a connection on which nothing was read yet."""
    with loaded[0].connect() as connection:
        yield connection
        connection.rollback()


# -------------------------------------------------------------------------------------- the digest


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_figures_of_a_digest_are_those_of_the_views(
    connection: Connection, collected: CollectedAnswers, day: date
) -> None:
    """An unknown figure is None, never 0, whether the account or only its reads are unknown."""
    digest = read_digest(connection, day)
    known = {row["appid"]: row for row in expected(collected, "account_day", calendar_date=day)}
    reads = {row["appid"]: row for row in expected(collected, "account_day_7d", calendar_date=day)}

    assert {row.appid for row in digest.accounts} == {*collected.names}
    for row in digest.accounts:
        truth = known.get(row.appid)
        figures = [truth and truth[f"{name}_increment"] for name in FIGURES]
        assert [row.readers, row.sharers] == figures
        assert row.is_complete == bool(truth and truth["is_complete"])
        is_older = truth is not None and truth["endpoint"] == "7d"
        assert row.reads == (reads[row.appid]["reads_increment"] if is_older else None)
    followers = expected(collected, "follower_total", stat_date=day)
    assert {(row.appid, row.won, row.lost) for row in digest.followers} == {
        (row["appid"], row["won"], row["lost"]) for row in followers
    }


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_most_read_articles_are_those_of_the_view(
    connection: Connection, collected: CollectedAnswers, day: date
) -> None:
    """The usual readers are those of the benchmark of the same endpoint, position and age."""
    rows = expected(collected, "article_day", stat_date=day).known("readers_increment")
    by_readers = sorted(rows, key=lambda row: (-row["readers_increment"], row["appid"]))
    digest = read_digest(connection, day)

    told = ("account_name", "title", "readers", "readers_increment", "days_spanned")
    assert [[getattr(row, name) for name in told] for row in digest.articles] == [
        [row[name] for name in told] for row in by_readers[:5] if row["readers_increment"] > 0
    ]
    for article in digest.articles:
        place = {"appid": article.appid, "position": article.position}
        usual = expected(
            collected, f"benchmark_{article.endpoint}", **place, day_number=article.day_number
        ).filter(lambda row: row["article_count"] >= 5)
        medians = [float(row["median"]) for row in usual]
        assert [article.usual_readers] == (medians or [None])


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_message_adds_up_what_is_known_and_says_what_is_not(
    connection: Connection, collected: CollectedAnswers, day: date
) -> None:
    """The change compares the accounts that are complete on both days. Each lack has a reason."""
    body = compose_digest(read_digest(connection, day), Installation("")).body
    today = expected(collected, "account_day", calendar_date=day)
    before = day - timedelta(days=7)
    earlier = {
        row["appid"]: row["readers_comparable"]
        for row in expected(collected, "account_day", calendar_date=before, is_complete=True)
    }
    complete = today.filter(lambda row: row["is_complete"])
    pairs = [
        (row["readers_comparable"], earlier[row["appid"]])
        for row in complete
        if row["appid"] in earlier
    ]
    parts = [f"Readers: {today.sum('readers_increment'):,}"]
    if len(complete) < 4:
        parts.append(f"complete for {len(complete)} of 4 accounts")
    if pairs:
        new, old = (sum(values) for values in zip(*pairs, strict=True))
        change = f"{round(100 * (new - old) / old):+} % against {before}"
        parts.append(change + ("" if len(pairs) == 4 else f" over {len(pairs)} of them"))

    lines = body.splitlines()
    assert lines[:2] == ["4 accounts", ", ".join(parts)]
    lacking = lines[lines.index("Not complete:") + 1 :] if "Not complete:" in lines else []
    names = {row["account_name"] for row in today if not row["is_complete"]}
    without_row = {*collected.names.values()} - {row["account_name"] for row in today}
    followers = expected(collected, "follower_total", stat_date=day, won=None)
    unknown = {row["account_name"] for row in followers}
    assert {line[:2] for line in lacking} == names | without_row | unknown


# --------------------------------------------------------------------------------------- the files

PERIOD = november(1), november(23)
IN_PERIOD = {
    "account_day": "calendar_date",
    "article": "publication_date",
    "article_day": "stat_date",
    "follower_total": "stat_date",
}
ORDER = {
    "account_day": "appid, calendar_date",
    "article": "appid, publication_date, msgid",
    "article_day": "appid, stat_date, msgid",
    "follower_total": "appid, stat_date",
}


def expected_rows(collected: CollectedAnswers, table: str) -> Table:
    """Return the expected rows of a table in the period, in the order of the files."""
    rows = expected_views.view(collected, table).between(IN_PERIOD[table], *PERIOD)
    return rows.ordered(ORDER[table])


def workbook(connection: Connection, words: Wording = ENGLISH, **limits: Any) -> bytes:
    """Return the bytes of a workbook of the period."""
    selection = export.select(connection, limits.pop("names", ()), *PERIOD)
    file = io.BytesIO()
    export.write_workbook(connection, selection, file, words=words, **limits)
    connection.rollback()
    return file.getvalue()


def comparable(value: Any) -> Any:
    """Return a cell's value as the expected rows have it."""
    if hasattr(value, "date"):
        return value.date()
    return float(value) if isinstance(value, int | float | Decimal) else value


def test_a_workbook_has_the_rows_of_the_views(
    snapshot: Connection, collected: CollectedAnswers
) -> None:
    """Numbers are numbers, days are days, an unknown figure is an empty cell."""
    book = openpyxl.load_workbook(io.BytesIO(workbook(snapshot)))

    assert book.sheetnames == [
        *("Read me", "Accounts by day", "Articles", "Articles by day", "Followers")
    ]
    for table, sheet in zip(export.TABLES, book.worksheets[1:], strict=True):
        header, *rows = sheet.iter_rows(values_only=True)
        truth = expected_rows(collected, table)
        assert len(rows) == len(truth) > 0
        assert sheet.freeze_panes == "C2"
        for columns in sheet.column_dimensions.values():  # neighbours of one width are together
            names = header[columns.min - 1 : columns.max]
            assert columns.width > max(map(len, names))
        compared = [name for name in header if name in truth[0]]
        assert len(compared) > len(header) / 2
        for row, row_of_truth in zip(rows, truth, strict=True):
            shown = dict(zip(header, map(comparable, row), strict=True))
            assert {name: shown[name] for name in compared} == {
                name: comparable(row_of_truth[name]) for name in compared
            }


def test_a_workbook_says_what_its_columns_are(snapshot: Connection) -> None:
    """A day that is not complete is grey. Headers are Chinese for readers of Chinese."""
    book = openpyxl.load_workbook(io.BytesIO(workbook(snapshot, CHINESE)))
    lines = [[cell for cell in row if cell] for row in book["说明"].iter_rows(values_only=True)]

    assert ["日期", "2026-11-01 – 2026-11-23"] in lines
    assert ["未到位"] in lines
    header, *_ = book["公众号每日"].iter_rows(values_only=True)
    assert header[1] == "公众号名称（重名时附 AppID，保证唯一）"
    for row in book["公众号每日"].iter_rows(min_row=2):
        assert row[0].font.italic == (row[-1].value is False)


def missing_lines(connection: Connection, *period: date) -> list[tuple[str, str, str]]:
    """Return the lines below *Missing* of a workbook: account, what of which days, reason."""
    selection = export.select(connection, (), *period)
    file = io.BytesIO()
    export.write_workbook(connection, selection, file, words=ENGLISH)
    sheet = openpyxl.load_workbook(file)["Read me"]
    lines = [tuple(cell or "" for cell in row) for row in sheet.iter_rows(values_only=True)]
    return lines[lines.index(("Missing", "", "")) + 1 :]


def lacking_days(collected: CollectedAnswers, table: str, *period: date) -> dict[str, str]:
    """Return the days of a period that are not complete or have no row, by the account's name."""
    known = expected_views.view(collected, table).where(is_complete=True)
    complete = {(row["appid"], row[IN_PERIOD[table]]) for row in known}
    begin, end = period
    calendar = [begin + timedelta(days=count) for count in range((end - begin).days + 1)]
    lacking = {
        name: tuple(day for day in calendar if (appid, day) not in complete)
        for appid, name in collected.names.items()
    }
    return {name: days_as_ranges(days) for name, days in lacking.items() if days}


@pytest.mark.parametrize(
    "period", [PERIOD, (november(14), november(15)), (november(20), november(30))], ids=str
)
def test_a_workbook_says_which_figures_its_sheets_lack(
    snapshot: Connection, collected: CollectedAnswers, period: tuple[date, date]
) -> None:
    """Days to come, and days whose cause lies before the period, lack figures like any other."""
    found = missing_lines(snapshot, *period)
    for kind, table in (("articles", "account_day"), ("followers", "follower_total")):
        beginning = f"figures of {kind} "
        told = {
            name: text.removeprefix(beginning)
            for name, text, _ in found
            if text.startswith(beginning)
        }
        assert told == lacking_days(collected, table, *period)
    asked = [reason for _, text, reason in found if text.startswith("figures of")]
    assert {*asked} <= {
        "WeChat was asked last at 2026-11-24 10:30 Beijing time",
        "no run has asked yet",
    }


def test_a_workbook_says_why_figures_are_missing(
    snapshot: Connection, loaded: tuple[Engine, CollectedAnswers]
) -> None:
    """The states are those of the time when WeChat was asked last, with the reason."""
    causes = [line for line in missing_lines(snapshot, *PERIOD) if "figures of" not in line[1]]
    sql = """
        SELECT DISTINCT account_name, dataset || ' ' || state, coalesce(reason, '')
        FROM analytics.coverage
        WHERE day BETWEEN :begin - 5 AND :end AND state IN ('behind', 'lost', 'given_up', 'ended')
            AND dataset IN ('article_total', 'article_total_detail', 'follower_total',
                'follower_change')
    """
    truth = {tuple(row) for row in rows(loaded[0], sql, begin=PERIOD[0], end=PERIOD[1])}
    told = {(name, " ".join(text.split()[:2]), reason) for name, text, reason in causes}

    assert truth
    assert truth <= told


def test_nothing_is_missing_only_if_the_sheets_have_every_figure(
    snapshot: Connection, collected: CollectedAnswers
) -> None:
    """Of the accounts and tables in the file."""
    day = november(18)
    complete = expected(collected, "account_day", calendar_date=day, is_complete=True)
    appids = [row["appid"] for row in complete]
    selection = export.select(snapshot, appids, day, day, tables=["account_day"])
    file = io.BytesIO()
    export.write_workbook(snapshot, selection, file, words=ENGLISH)
    book = openpyxl.load_workbook(file)
    *_, last = book["Read me"].iter_rows(values_only=True)

    assert appids
    assert book.sheetnames == ["Read me", "Accounts by day"]
    assert last[0] == "Nothing is missing."


def test_the_same_selection_gives_the_same_bytes(snapshot: Connection) -> None:
    """A file can be compared with that of yesterday."""
    assert workbook(snapshot) == workbook(snapshot)


def test_a_selection_has_the_accounts_that_are_named(snapshot: Connection) -> None:
    """An account is named as in the other commands; an unknown name is an error."""
    book = openpyxl.load_workbook(io.BytesIO(workbook(snapshot, names=["春风", PAPER.appid])))
    appids = {row[0] for row in book["Articles"].iter_rows(min_row=2, values_only=True)}
    assert appids == {BUSY.appid, PAPER.appid}
    with pytest.raises(ParameterError, match="no account of the warehouse is called 夏"):
        export.select(snapshot, ["夏"], *PERIOD)
    with pytest.raises(ParameterError, match="begin 2026-11-23 is after end 2026-11-01"):
        export.select(snapshot, [], *reversed(PERIOD))


def test_a_warehouse_before_its_first_run_gives_no_file(warehouse: Engine) -> None:
    """A file without rows would look like a period without readers."""
    with (
        warehouse.connect() as connection,
        pytest.raises(ParameterError, match="the warehouse has no account yet"),
    ):
        export.select(connection, [], *PERIOD)


@pytest.mark.parametrize("table", export.TABLES)
def test_csv_and_json_lines_have_the_rows_of_the_workbook(
    snapshot: Connection, collected: CollectedAnswers, table: str
) -> None:
    """An empty field of CSV and a null of JSON is unknown."""
    selection = export.select(snapshot, (), *PERIOD)
    as_csv, as_lines = io.BytesIO(), io.BytesIO()
    export.write_csv(snapshot, selection, table, as_csv, words=ENGLISH, has_bom=True)
    export.write_jsonl(snapshot, selection, table, as_lines)
    rows = [*csv.DictReader(io.StringIO(as_csv.getvalue().decode("utf-8-sig")))]
    objects = [json.loads(line) for line in as_lines.getvalue().splitlines()]

    assert as_csv.getvalue().startswith(b"\xef\xbb\xbfappid,")
    assert len(rows) == len(objects) == len(expected_rows(collected, table))
    for row, found, truth in zip(rows, objects, expected_rows(collected, table), strict=True):
        assert [*row] == [*found]
        for name, value in truth.items():
            if name in row and not isinstance(value, bool):
                assert row[name] == ("" if value is None else str(value))
                assert found[name] == (str(value) if isinstance(value, date) else value)


def test_more_rows_than_a_sheet_takes_are_refused_before_anything_is_written(
    snapshot: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to narrow."""
    monkeypatch.setattr(export, "MOST_ROWS", 50)
    file = io.BytesIO()
    selection = export.select(snapshot, (), *PERIOD)
    with pytest.raises(ParameterError, match=r"would have \d+ rows, Excel takes 50: choose fewer"):
        export.write_workbook(snapshot, selection, file, words=ENGLISH)
    assert file.getvalue() == b""


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """A block that fails leaves the earlier file, and nothing else."""
    path = tmp_path / "figures.csv"
    path.write_text("earlier")
    with pytest.raises(ZeroDivisionError), export.whole_file(path) as file:
        file.write(bytes([file.write(b"half") // 0]))
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [
        ("figures.csv", "earlier")
    ]
    with export.whole_file(path) as file:
        file.write(b"whole")
    assert path.read_text() == "whole"


def test_two_processes_that_write_one_file_write_whole_files(tmp_path: Path) -> None:
    """Whoever ends last has its file under the name; a file of the user's is never taken."""
    path, bystander = tmp_path / "figures.csv", tmp_path / "figures.csv.part"
    bystander.write_text("the user's own")
    with export.whole_file(path) as first:
        first.write(b"the first")
        with export.whole_file(path) as second:
            second.write(b"the second one")
        assert path.read_text() == "the second one"
    assert path.read_text() == "the first"
    assert bystander.read_text() == "the user's own"
    assert len([*tmp_path.iterdir()]) == 2


def test_a_link_leads_to_the_same_file_afterwards(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    path, link = tmp_path / "figures.csv", tmp_path / "newest.csv"
    path.write_text("earlier")
    link.symlink_to(path)
    with export.whole_file(link) as file:
        file.write(b"whole")
    assert link.is_symlink()
    assert path.read_text() == "whole"


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere/figures.csv", "No such file or directory"),
        (".", "it is not a file"),
        ("/dev/full", "it is not a file"),
    ],
)
def test_a_place_that_takes_no_file_is_one_sentence(
    tmp_path: Path, place: str, reason: str
) -> None:
    """Nothing is written there."""
    with (
        pytest.raises(ParameterError, match=f"can't be written: {reason}"),
        export.whole_file(tmp_path / place) as file,
    ):
        file.write(b"whole")


# Python says so when it forgets the archive that XlsxWriter could not end
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("table", ["workbook", "article_day"])
def test_a_full_disk_is_one_sentence(snapshot: Connection, tmp_path: Path, table: str) -> None:
    """The file that can't be written to its end isn't there afterwards."""
    selection = export.select(snapshot, (), *PERIOD)
    write = partial(export.write_workbook, snapshot, selection)
    if table != "workbook":
        write = partial(export.write_csv, snapshot, selection, table)
    with (
        pytest.raises(ParameterError, match=r"figures can't be written: File too large"),
        export.whole_file(tmp_path / "figures") as file,
        room_for_files(of_bytes=20_000),
    ):
        write(file, words=ENGLISH)
    assert [*tmp_path.iterdir()] == []


@contextmanager
def room_for_files(*, of_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (of_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
