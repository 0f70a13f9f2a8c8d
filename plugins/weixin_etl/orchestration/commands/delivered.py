"""The commands `digest` and `export`: they show or write the figures for people."""

import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import BinaryIO

from weixin_etl import clock
from weixin_etl.delivery import export
from weixin_etl.delivery.digest import NO_ACCOUNT, compose_digest, read_digest
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands.kept import shown_progress
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.tasks import observations

_FORMATS = ("xlsx", "csv", "jsonl")


def print_digest(day: date | None, language: str) -> None:
    """
    Print the digest of a day as the figures are now.

    Args:
        day: the day in Beijing; None for yesterday.
        language: `en` or `zh-CN`; empty for the setting `language`.

    Raises:
        ParameterError: the day is not over, or no account is collected.
        WarehouseError: the warehouse can't be used.
    """
    yesterday = clock.beijing_date(clock.now()) - timedelta(days=1)
    told_day = day or yesterday
    if told_day > yesterday:
        raise ParameterError(f"{told_day} is not over in Beijing: the last day is {yesterday}")
    installation = replace(observations.installation(), words=settings.words(language))
    with reading() as connection:
        digest = read_digest(connection, told_day)
    if not digest.accounts:
        raise ParameterError(NO_ACCOUNT)
    message = compose_digest(digest, installation)
    sys.stdout.write(f"{message.title}\n{message.body}\n")


def export_file(options: Namespace) -> None:
    """
    Write a file with the figures of a period; its ending or `--format` says the format.

    Args:
        options: the parsed options: file, begin, end, accounts, format, tables, language, bom.

    Raises:
        ParameterError: an option doesn't suit the format, an account is not known, the last day is
            before the first, the file can't be written, or a sheet would have too many rows.
        WarehouseError: the warehouse can't be used.
    """
    format_ = _format(options)
    default = export.TABLES if format_ == "xlsx" else ["account_day"]
    period, words = (options.begin, options.end), settings.words(options.language or "")
    with reading() as connection, _destination(options.file) as file:
        selection = export.select(
            connection, options.accounts, *period, tables=options.tables or default
        )
        (table, *_) = selection.tables
        if format_ == "xlsx":
            with shown_progress("row", done="written") as show:
                export.write_workbook(connection, selection, file, words=words, on_progress=show)
        elif format_ == "csv":
            has_bom = options.bom
            export.write_csv(connection, selection, table, file, words=words, has_bom=has_bom)
        else:
            export.write_jsonl(connection, selection, table, file)


def _format(options: Namespace) -> str:
    """
    Return the format of the file: `xlsx`, `csv` or `jsonl`.

    Raises:
        ParameterError: neither the file's ending nor `--format` says it, they contradict each
            other, or another option doesn't suit the format.
    """
    ending = Path(options.file).suffix.removeprefix(".").lower()
    format_: str = options.format or ending
    if format_ not in _FORMATS:
        raise ParameterError(
            f"{options.file} has no ending that says the format: .xlsx, .csv, .jsonl, or --format"
        )
    if ending in _FORMATS and ending != format_:
        raise ParameterError(f"{options.file} would be {format_}: choose one ending or --format")
    if format_ != "xlsx" and len(options.tables or ()) > 1:
        raise ParameterError(f"a {format_} file has one table: choose one of --tables")
    if format_ != "csv" and options.bom:
        raise ParameterError(f"a {format_} file has no byte order mark: leave out --bom")
    if format_ == "jsonl" and options.language:
        raise ParameterError("the names in a jsonl file are English: leave out --language")
    return format_


@contextmanager
def _destination(name: str) -> Iterator[BinaryIO]:
    """Yield the file to write to; for `-` a temporary one, which is copied to standard output."""
    if name != "-":
        with export.whole_file(Path(name)) as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
