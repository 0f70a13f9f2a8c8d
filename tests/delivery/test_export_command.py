"""Tests of `weixin-etl export`: its options, and what its output is."""

import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import Engine

from weixin_etl.cli import main
from weixin_local.home import postgres_connection

PERIOD = ["--begin", "2026-11-20", "--end", "2026-11-23"]


@pytest.fixture(autouse=True)
def _connected(hostile: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the warehouse with the articles of `TITLES`."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", postgres_connection(hostile.url))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["figures.txt"], "figures.txt has no ending that says the format: .xlsx, .csv, .jsonl"),
        (["-"], "- has no ending that says the format: .xlsx, .csv, .jsonl, or --format"),
        (["a.xlsx", "--format", "csv"], "a.xlsx would be csv: choose one ending or --format"),
        (["a.csv", "--tables", "article", "article_day"], "a csv file has one table: choose one"),
        (["a.xlsx", "--bom"], "a xlsx file has no byte order mark: leave out --bom"),
        (["a.jsonl", "--language", "en"], "the names in a jsonl file are English"),
    ],
)
def test_options_that_suit_no_file_are_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written."""
    assert main(["export", *arguments, *PERIOD]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"weixin-etl: {sentence}")
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_a_workbook_has_the_chosen_sheets(tmp_path: Path) -> None:
    """The ending may be in capitals."""
    path = tmp_path / "FIGURES.XLSX"
    assert main(["export", str(path), *PERIOD, "--tables", "article", "account_day"]) == 0
    assert openpyxl.load_workbook(path).sheetnames == ["Read me", "Accounts by day", "Articles"]


def test_a_reader_that_has_read_enough_ends_the_command() -> None:
    """Without a traceback, as with other programs in a pipe."""
    program = f"{sys.executable} -m weixin_etl.cli export - --format jsonl {' '.join(PERIOD)}"
    pipe = ["bash", "-c", f"{program} --tables article_day | true; exit ${{PIPESTATUS[0]}}"]
    ended = subprocess.run(pipe, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (141, "")
