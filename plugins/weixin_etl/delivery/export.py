"""
Files with the figures of a period: a workbook for Excel, or one table as CSV or JSON lines.

`select` finds the accounts, and the functions `write_…` write a file from the analysts' views. They
read in one transaction, so a file shows one state of the warehouse, and the same state gives the
same bytes on the same day. The command `weixin-etl export` and the page call them.
"""

import csv
import io
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy
import xlsxwriter
from rich.cells import cell_len
from sqlalchemy import Connection, Row, Subquery, func, text
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, FOLLOWER_CHANGE, FOLLOWER_TOTAL
from weixin_etl.health.wording import ENGLISH, Wording
from weixin_etl.kept.answers import appid_of
from weixin_etl.model import ParameterError
from weixin_etl.text import shown
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.views import all_views

TABLES = {
    "account_day": "export/account_day.sql",
    "article": "export/article.sql",
    "article_day": "export/article_day.sql",
    FOLLOWER_TOTAL.name: "export/followers.sql",
}
"""The views that are written, with the statements that read them."""
_SHEETS = dict(
    zip(TABLES, ("Accounts by day", "Articles", "Articles by day", "Followers"), strict=True)
)
"""The names of the sheets, by view."""
_DATASETS = {table: {*ARTICLE_DATASETS} for table in TABLES} | {
    FOLLOWER_TOTAL.name: {FOLLOWER_TOTAL.name, FOLLOWER_CHANGE.name}
}
"""The datasets whose figures are in a view."""
_FIGURES = {
    "articles": "figures of articles {days}",
    "followers": "figures of followers {days}",
}
"""The sentences about what tables lack, by the kind of figures."""
MOST_ROWS = 1_048_575
"""The rows of a sheet below its header: Excel's limit."""
_ROWS_AT_ONCE = 5000
_STREAMED = {"yield_per": _ROWS_AT_ONCE}
_WIDTHS = {"title": 50, "url": 30, "msgid": 18, "account_name": 20, "appid": 20}
"""The widths of columns in characters. Others are as wide as their header and its button."""
_BUTTON = 3
_MOST_WIDE = 24
"""The width from which a header takes two lines: that of the longest name of a column."""
_BOM = b"\xef\xbb\xbf"
_WRITE_CELL: Mapping[type, Callable[..., Any]] = {
    bool: Worksheet.write_boolean,
    int: Worksheet.write_number,
    Decimal: Worksheet.write_number,
    date: Worksheet.write_datetime,
    str: Worksheet.write_string,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a file is about."""

    begin: date
    end: date
    appids: Sequence[str]
    tables: Sequence[str]
    """Those of `TABLES` that may be written, because all their figures may."""
    as_of: datetime | None
    """When WeChat was asked last, of any account; None before the first call."""

    def rows(self, connection: Connection, table: str) -> Iterator[Row[Any]]:
        """Yield the rows of one of `TABLES`, in the order of the file, without holding them all."""
        query = statement(TABLES[table])
        yield from connection.execute(query, self._values, execution_options=_STREAMED)

    def columns(self, connection: Connection, table: str) -> list[str]:
        """Return the names of the columns of one of `TABLES`."""
        nothing = sqlalchemy.select(text("*")).select_from(_query(table)).limit(0)
        return [*connection.execute(nothing, self._values).keys()]

    def count(self, connection: Connection, table: str) -> int:
        """Return the number of rows of one of `TABLES`."""
        counting = sqlalchemy.select(func.count()).select_from(_query(table))
        return int(connection.execute(counting, self._values).scalar_one())

    def objects(self, connection: Connection, table: str) -> Iterator[str]:
        """Yield each row of one of `TABLES` as a JSON object, without holding them all."""
        as_object = sqlalchemy.select(text("row_to_json(exported)::text"))
        query = as_object.select_from(_query(table))
        yield from connection.scalars(query, self._values, execution_options=_STREAMED)

    def sql(self, connection: Connection, table: str) -> str:
        """Return the query of one of `TABLES` with its values, as COPY needs it."""
        query = statement(TABLES[table]).compile(dialect=connection.dialect)
        with closing(connection.connection.cursor()) as cursor:
            filled: bytes = cursor.mogrify(str(query), self._values)
        return filled.decode()

    def incomplete(self, connection: Connection) -> Sequence[Row[Any]]:
        """Return the rows of `export/incomplete.sql`: the days that the tables lack."""
        of_articles, of_followers = (
            sorted(name for name in self._datasets if (name in ARTICLE_DATASETS) == is_of_articles)
            for is_of_articles in (True, False)
        )
        values = {**self._values, "articles": of_articles, "followers": of_followers}
        return connection.execute(statement("export/incomplete.sql"), values).all()

    def causes(self, connection: Connection) -> Sequence[Row[Any]]:
        """Return the rows of `export/causes.sql`: why the tables may lack days."""
        values = {**self._values, "as_of": self.as_of, "datasets": [*self._datasets]}
        return connection.execute(statement("export/causes.sql"), values).all()

    @property
    def _datasets(self) -> set[str]:
        """The datasets whose figures are in the tables, by name."""
        return {dataset for table in self.tables for dataset in _DATASETS[table]}

    @property
    def _values(self) -> dict[str, Any]:
        """The parameters of the statements."""
        return {"begin": self.begin, "end": self.end, "appids": [*self.appids]}


def _query(table: str) -> Subquery:
    """Return the query of one of `TABLES` as a table called `exported`."""
    return statement(TABLES[table]).columns().subquery("exported")


def select(
    connection: Connection,
    names: Sequence[str],
    begin: date,
    end: date,
    datasets: Collection[str] = tuple(DATASETS),
    tables: Collection[str] = tuple(TABLES),
) -> Selection:
    """
    Return the selection of accounts, days and tables, and let the transaction read one state.

    Args:
        connection: a session of the warehouse that has not begun a transaction.
        names: accounts by AppID, connection id or name; none means all.
        begin: the first day.
        end: the last day.
        datasets: the names of the datasets whose figures may be written.
        tables: those of `TABLES` that are wanted.

    Raises:
        ParameterError: an account is not known, there is none, or the last day is before the first.
    """
    if begin > end:
        raise ParameterError(f"begin {begin} is after end {end}")
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql("SET LOCAL statement_timeout = '10min'")
    # A cursor is planned for its first tenth by default, but every row is read
    connection.exec_driver_sql("SET LOCAL cursor_tuple_fraction = 1")
    known = connection.execute(statement("export/accounts.sql")).all()
    if not known:
        raise ParameterError("the warehouse has no account yet: no run has asked WeChat")
    appids = [appid_of(connection, name) for name in names] or [row.appid for row in known]
    written = [table for table in TABLES if table in tables and _DATASETS[table] <= {*datasets}]
    return Selection(begin, end, sorted({*appids}), written, known[0].as_of)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a binary file that gets the name `path` once the block has ended without an error.

    Until then it has a name of its own that ends in `.part`. A block that fails removes it; a
    killed process leaves it. If `path` is a link, the file that it leads to is replaced.

    Raises:
        ParameterError: the file can't be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise ParameterError(f"{path} can't be written: it is not a file")
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    except (OSError, FileCreateError) as error:
        cause = error.args[0] if isinstance(error, FileCreateError) else error
        raise ParameterError(f"{path} can't be written: {cause.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------- one table


def write_csv(
    connection: Connection,
    selection: Selection,
    table: str,
    file: BinaryIO,
    *,
    words: Wording,
    has_bom: bool = False,
) -> None:
    """
    Write a table as CSV in UTF-8, by COPY: an empty field is unknown, `t` and `f` are Booleans.

    Args:
        connection: the session in which the selection was made.
        selection: the accounts and days.
        table: one of `TABLES`.
        file: the file to write to.
        words: the language of the header: names of columns in English, or their Chinese names.
        has_bom: begin with a byte order mark, by which Excel knows UTF-8.
    """
    header, columns = io.StringIO(), selection.columns(connection, table)
    csv.writer(header, lineterminator="\n").writerow(_headers(table, columns, words))
    file.write(_BOM * has_bom + header.getvalue().encode())
    with closing(connection.connection.cursor()) as cursor:
        query = selection.sql(connection, table)
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')", file)


def write_jsonl(connection: Connection, selection: Selection, table: str, file: BinaryIO) -> None:
    """
    Write a table as JSON lines: an object per row, with the columns' names; null is unknown.

    Args:
        connection: the session in which the selection was made.
        selection: the accounts and days.
        table: one of `TABLES`.
        file: the file to write to.
    """
    for line in selection.objects(connection, table):
        file.write(f"{line}\n".encode())


# ------------------------------------------------------------------------------------ the workbook


def write_workbook(
    connection: Connection,
    selection: Selection,
    file: BinaryIO,
    *,
    words: Wording,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> None:
    """
    Write a workbook for Excel: the sheet *Read me*, and a sheet for each table.

    Texts are never formulas or links, whatever they are. An unknown figure is an empty cell, and a
    day that is not complete is grey.

    Args:
        connection: the session in which the selection was made.
        selection: the accounts and days.
        file: the file to write to.
        words: the language of headers and of *Read me*.
        on_progress: called with the number of rows written so far.

    Raises:
        ParameterError: a table has more rows than a sheet of Excel. Nothing is written then.
    """
    for table in selection.tables:
        _require_room(selection.count(connection, table), table, words)
    columns = {table: selection.columns(connection, table) for table in selection.tables}
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as workbook:
        created = selection.as_of or datetime(2026, 1, 1, tzinfo=UTC)
        workbook.set_properties({"created": created.astimezone(UTC).replace(tzinfo=None)})
        lines = [*_about(selection, words), *_dictionary(columns, words)]
        _write_read_me(workbook, [*lines, *_missing(connection, selection, words)], words)
        formats, written = _cell_formats(workbook), 0
        for table, names in columns.items():
            sheet = _add_sheet(workbook, table, names, words)
            for number, row in enumerate(selection.rows(connection, table), start=1):
                _write_row(sheet, number, row, formats)
                written += 1
                if written % _ROWS_AT_ONCE == 0:
                    on_progress(written)


def _require_room(count: int, table: str, words: Wording) -> None:
    """Raise ParameterError if a table has more rows than a sheet, with what to narrow."""
    if count > MOST_ROWS:
        name = words.phrase(_SHEETS[table])
        raise ParameterError(
            f"the sheet {name} would have {count:,} rows, Excel takes {MOST_ROWS:,}: choose fewer "
            f"days (--begin, --end) or accounts (--accounts), leave the sheet out (--tables), or "
            f"write {table} as .csv"
        )


def _cell_formats(workbook: xlsxwriter.Workbook) -> dict[tuple[bool, bool], Format]:
    """Return the formats of cells, by whether the row is complete and the value is a day."""
    grey = {"font_color": "#808080", "italic": True}
    day = {"num_format": "yyyy-mm-dd"}
    return {
        (True, False): workbook.add_format(),
        (True, True): workbook.add_format(day),
        (False, False): workbook.add_format(grey),
        (False, True): workbook.add_format({**grey, **day}),
    }


def _add_sheet(
    workbook: xlsxwriter.Workbook, table: str, columns: Sequence[str], words: Wording
) -> Worksheet:
    """Return a new sheet for a table, with its header, filter and widths."""
    sheet = workbook.add_worksheet(words.phrase(_SHEETS[table]))
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    headers = _headers(table, columns, words)
    for number, (name, header) in enumerate(zip(columns, headers, strict=True)):
        width = _WIDTHS.get(name) or min(cell_len(header) + _BUTTON, _MOST_WIDE)
        sheet.set_column(number, number, width)
    bold = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    sheet.write_row(0, 0, headers, bold)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, MOST_ROWS, len(columns) - 1)
    return sheet


def _write_row(
    sheet: Worksheet, number: int, row: Row[Any], formats: Mapping[tuple[bool, bool], Format]
) -> None:
    """Write the known values of a row; a row that is not complete is grey."""
    is_complete = getattr(row, "is_complete", True) is not False
    for column, value in enumerate(row):
        if value is not None:
            type_ = type(value)
            shown_value = shown(value) if type_ is str else value
            _WRITE_CELL[type_](
                sheet, number, column, shown_value, formats[is_complete, type_ is date]
            )


def _write_read_me(
    workbook: xlsxwriter.Workbook, lines: Sequence[tuple[str, ...]], words: Wording
) -> None:
    """Write the sheet *Read me*; a line of one text is a heading."""
    sheet = workbook.add_worksheet(words.phrase("Read me"))
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    for column, width in enumerate((24, 24, 100)):
        sheet.set_column(column, column, width, wrapped)
    bold = workbook.add_format({"bold": True})
    for number, line in enumerate(lines):
        for column, cell in enumerate(line):
            sheet.write_string(number, column, shown(cell), bold if len(line) == 1 else wrapped)


def _about(selection: Selection, words: Wording) -> list[tuple[str, ...]]:
    """Return the lines about the period, the accounts and the time of the figures."""
    as_of = clock.time_text(selection.as_of) if selection.as_of else "–"
    return [
        (words.phrase("WeChat article statistics"),),
        (words.phrase("Days"), f"{selection.begin} – {selection.end}"),
        (words.phrase("Accounts"), f"{len(selection.appids):,}"),
        (words.phrase("As of"), as_of, words.phrase("when WeChat was asked last, Beijing time")),
        ("", words.phrase("An empty cell is unknown. A day in grey is not complete.")),
        (),
    ]


def _dictionary(columns: Mapping[str, Sequence[str]], words: Wording) -> list[tuple[str, ...]]:
    """Return the lines that say what each column of each table is: sheet, column, meaning."""
    lines: list[tuple[str, ...]] = [(words.phrase("Columns"),)]
    for table, names in columns.items():
        comments = _comments(table)
        for name, header in zip(names, _headers(table, names, words), strict=True):
            english = comments[name].partition("\n")[0]
            meaning = english if words.language == ENGLISH else f"{name} · {english}"
            lines.append((words.phrase(_SHEETS[table]), header, meaning))
    return [*lines, ()]


def _missing(connection: Connection, selection: Selection, words: Wording) -> list[tuple[str, ...]]:
    """
    Return the lines that say what is missing: account, what of which days, why.

    First stand the days whose figures are not complete in the sheets, then the days of the datasets
    that may be the cause. What is the same of all accounts is one line. A workbook without sheets
    lacks nothing and says nothing.
    """
    if not selection.tables:
        return []
    lacking: dict[tuple[str, ...], list[str]] = {}
    for row in selection.incomplete(connection):
        days_text = words.phrase(_FIGURES[row.kind], days=words.days(tuple(row.days)))
        lacking.setdefault((days_text, _last_call(row.asked_at, words)), []).append(
            row.account_name
        )
    for row in selection.causes(connection) if lacking else ():
        days_text = f"{row.dataset} {words.phrase(row.state)} {words.days(tuple(row.days))}"
        reason = words.translated(row.reason or "")
        lacking.setdefault((days_text, reason), []).append(row.account_name)
    lines: list[tuple[str, ...]] = [(words.phrase("Missing"),)]
    for about, names in lacking.items():
        is_of_all = 1 < len(names) == len(selection.appids)
        shown_names = [words.phrase("all accounts")] if is_of_all else names
        lines += [(name, *about) for name in shown_names]
    return lines if lacking else [*lines, (words.phrase("Nothing is missing."), "")]


def _last_call(asked_at: datetime | None, words: Wording) -> str:
    """Return when WeChat was asked for an account last, or that no run has asked yet."""
    if asked_at is None:
        return words.phrase("no run has asked yet")
    frame = "WeChat was asked last at {time} Beijing time"
    return words.phrase(frame, time=clock.time_text(asked_at))


def _comments(table: str) -> Mapping[str, str]:
    """Return the comments on the columns of a view, by column."""
    return next(view.columns for view in all_views() if view.name == table)


def _headers(table: str, columns: Sequence[str], words: Wording) -> list[str]:
    """Return the headers of columns: their names, or what the comments call them in Chinese."""
    if words.language == ENGLISH:
        return [*columns]
    comments = _comments(table)
    return [comments[name].partition("\n中文：")[2].partition("\n")[0] for name in columns]
