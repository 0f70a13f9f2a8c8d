"""
What a replay costs: mornings are loaded, then replayed as they are, then into a wiped fact.

    python benchmarks/replay.py [--shape morning]

Prints a line for each: seconds, answers, rows, and the most memory the process had.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import contender
import load
import shapes
import throw_away

from weixin_etl import warehouse
from weixin_etl.answers import Selection
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.replay import replay


def main() -> None:
    """Load, and replay in processes of their own."""
    parser = argparse.ArgumentParser(description="Time a replay.")
    parser.add_argument("--shape", choices=shapes.SHAPES, default="morning")
    options = parser.parse_args()
    with throw_away.server() as server, tempfile.TemporaryDirectory() as folder:
        server.create_database("replay")
        url = server.url("replay")
        warehouse.migrate(url)
        engine = warehouse.engine(url)
        for path in shapes.write(options.shape, Path(folder)).values():
            load.load_answers(engine, path)
            path.unlink()
        rows = _count(url)
        _measure("unchanged", url, is_applied=False)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"TRUNCATE weixin.{ARTICLE_TOTAL.fact}")
        _measure("wiped, difference", url, is_applied=False)
        _measure("wiped, written", url, is_applied=True)
        if _count(url) != rows:
            raise SystemExit("the replay made another fact")


def _measure(what: str, url: str, *, is_applied: bool) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_replay, args=(what, url, is_applied))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{what}: the replay failed")


def _replay(what: str, url: str, is_applied: bool) -> None:
    engine = warehouse.engine(url)
    engine.connect().close()
    before_mb = contender.peak_mb()
    begun = time.perf_counter()
    done = replay(engine, Selection(ARTICLE_TOTAL), ready_hour=10, is_applied=is_applied)
    seconds = time.perf_counter() - begun
    print(
        f"{what}: seconds={seconds:.1f} answers={done.answers} new_rows={done.diff.new_rows} "
        f"peak_mb={contender.peak_mb():.0f} before_mb={before_mb:.0f}",
        flush=True,
    )


def _count(url: str) -> int:
    engine = warehouse.engine(url)
    with engine.connect() as connection:
        count: int = connection.exec_driver_sql(
            f"SELECT count(*) FROM weixin.{ARTICLE_TOTAL.fact}"
        ).scalar_one()
    engine.dispose()
    return count


if __name__ == "__main__":
    main()
