"""LibreOffice opens an exported workbook and shows what the views have."""

import csv
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import rows

from weixin_etl.delivery import export
from weixin_etl.health.wording import Wording

PERIOD = date(2026, 11, 20), date(2026, 11, 23)
ALL_SHEETS = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
"""LibreOffice's filter: UTF-8, a file for each sheet, and each cell as it is shown."""
Open = Callable[[Path], dict[str, list[list[str]]]]


@pytest.fixture
def libreoffice(tmp_path: Path) -> Open:
    """Return a function that opens a workbook and returns the shown cells, by sheet."""
    program = shutil.which("soffice")
    if program is None:
        # CI must have LibreOffice: otherwise no workbook would be opened.
        assert not os.environ.get("CI"), "there is no LibreOffice"
        pytest.skip("there is no LibreOffice: apt install libreoffice-calc-nogui")

    def opened(path: Path) -> dict[str, list[list[str]]]:
        profile = f"-env:UserInstallation=file://{tmp_path}/profile"
        command = [str(program), profile, "--headless", "--convert-to", ALL_SHEETS]
        subprocess.run(
            [*command, "--outdir", str(tmp_path), str(path)],
            check=True,
            capture_output=True,
            timeout=180,
        )
        return {
            file.stem.removeprefix(f"{path.stem}-"): [*csv.reader(file.open(newline=""))]
            for file in tmp_path.glob("*.csv")
        }

    return opened


def as_shown(value: Any) -> str:
    """Return a value of a view as LibreOffice shows it."""
    if isinstance(value, bool):
        return str(value).upper()
    return "" if value is None else str(value).replace("\r", " ")


def test_libreoffice_shows_the_rows_of_the_views(
    hostile: Engine, libreoffice: Open, tmp_path: Path
) -> None:
    """Titles like formulas, numbers and days are shown as they are, with their line ends."""
    path = tmp_path / "figures.xlsx"
    with hostile.connect() as connection, path.open("wb") as file:
        selection = export.select(connection, (), *PERIOD)
        export.write_workbook(connection, selection, file, words=Wording())
    sheets = libreoffice(path)

    assert sheets["Read me"][1] == ["Days", "2026-11-20 – 2026-11-23", ""]
    tables = {
        "Accounts by day": ("account_day", "calendar_date"),
        "Articles": ("article", "publication_date"),
        "Articles by day": ("article_day", "stat_date"),
    }
    for sheet, (view, day) in tables.items():
        header, *shown = sheets[sheet]
        sql = f"""
            SELECT {", ".join(header)} FROM analytics.{view}
            WHERE {day} BETWEEN :begin AND :end ORDER BY {day}, {header[2]}
        """
        truth = rows(hostile, sql, begin=PERIOD[0], end=PERIOD[1])
        assert shown == [[as_shown(value) for value in row] for row in truth]
        assert len(shown) > 3
