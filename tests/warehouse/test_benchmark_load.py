"""A test of the benchmark of the load, benchmarks/load.py."""

import re
import subprocess
import sys
from pathlib import Path

import answers
from sqlalchemy import Engine
from support import rows

LOAD = Path(__file__).parents[2] / "benchmarks/load.py"


def test_the_benchmark_loads_exactly_the_rows_of_the_file(fresh: Engine, tmp_path: Path) -> None:
    """The benchmark prints one line with the time, the number of rows and the memory."""
    url = fresh.url.render_as_string(hide_password=False)
    for path in answers.write("small", tmp_path).values():
        command = [sys.executable, LOAD, "--answers", path, "--url", url]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

        expected = sorted(tuple(map(str, row)) for row in answers.rows(path))
        loaded = rows(fresh, "SELECT * FROM weixin.fact_article_total")
        assert sorted(tuple(map(str, row[: len(answers.COLUMNS)])) for row in loaded) == expected
        assert re.fullmatch(rf"seconds=\d+\.\d{{4}} rows={len(expected)} peak_mb=\d+\n", printed)
