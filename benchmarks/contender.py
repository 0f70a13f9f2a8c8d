"""What every contender is: a program that loads a file of answers and prints what that took."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

Load = Callable[[], int]
"""Loads the rows of a file of answers; how many there were."""
Prepare = Callable[[Path, str], Load]
"""Connects to the database of the URL and creates what is missing there: not counted."""


def main(prepare: Prepare) -> None:
    """A contender's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--url", required=True)
    options = parser.parse_args()
    contend(prepare, options.answers, options.url)


def contend(prepare: Prepare, answers: Path, url: str) -> None:
    """Load the file and print a line: seconds, rows, and the memory of the whole process."""
    load = prepare(answers, url)
    began_at = time.perf_counter()
    rows = load()
    seconds = time.perf_counter() - began_at
    print(f"seconds={seconds:.3f} rows={rows} peak_mb={peak_mb():.0f}")


def peak_mb() -> float:
    """The most memory this process has had."""
    # ru_maxrss would count the process this one was forked from
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000
