"""
The README's first promise, on a fresh Debian: git, make and Python are enough, and nobody is root.

Each part can be tried alone: `make test-newcomer ONLY='forky and up'`.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nightly import stand_ins
from people import copy_checkout

PYTHONS = {"trixie": "3.13", "forky": "3.14"}
"""What each release of Debian calls `python3`."""
PATIENCE_SECONDS = 900
SUITE_PATIENCE_SECONDS = 5400
DAY = "WEIXIN_NOW=2026-11-25T10:30:00+08:00"
"""One before which the sandbox published on each of seven days: on some it does not."""


@dataclass(frozen=True)
class Machine:
    """A container with a clone of the project, and somebody at its keyboard."""

    container: str
    suite: str

    def types(
        self, command: str, patience_seconds: int = PATIENCE_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in the clone and read what it says."""
        there = ["docker", "exec", "--workdir=/home/newcomer/weixin-etl", self.container]
        patiently = ["timeout", "--kill-after=30", str(patience_seconds)]
        return subprocess.run(
            [*there, *patiently, "sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def does(self, command: str) -> str:
        """Run a line of shell that must succeed; what it prints."""
        done = self.types(command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def programs(self) -> set[str]:
        """What is at work, apart from what keeps the container there."""
        listed = subprocess.run(
            ["docker", "top", self.container, "-eo", "pid,args"],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [line.split(maxsplit=1)[1] for line in listed.stdout.splitlines()[1:]]
        return {line for line in lines if "sleep infinity" not in line}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as it is now, as one file that git can clone."""
    folder, bundle = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("bundle") / "it"
    copy_checkout(folder)
    git = ["git", "-c", "user.name=Nobody", "-c", "user.email=nobody@localhost"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-verify", "--message=The checkout"],
        ["bundle", "create", "--quiet", str(bundle), "HEAD", "main"],
    ):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    bundle.chmod(0o644)
    return bundle


@pytest.fixture(scope="module", params=PYTHONS)
def machine(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Machine]:
    """A machine of its own for each release of Debian; it is gone after the last test."""
    image = stand_ins.newcomers(request.param)
    started = subprocess.run(
        ["docker", "run", "--detach", "--init", f"--volume={bundle}:/weixin-etl.bundle:ro", image],
        capture_output=True,
        text=True,
        check=True,
    )
    container = started.stdout.strip()
    try:
        clone = ["docker", "exec", container, "git", "clone", "/weixin-etl.bundle", "weixin-etl"]
        subprocess.run(clone, check=True)
        yield Machine(container, request.param)
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", container], check=True)


def totals(said: str) -> list[int]:
    """Of all publication days: articles, inserted, updated, unchanged, rejected."""
    days = re.findall(r"^ *\d{4}-\d\d-\d\d" + r" +(\d+)" * 5, said, re.M)
    return [sum(map(int, counts)) for counts in zip(*days, strict=True)]


def test_there_is_only_what_the_readme_asks_for(machine: Machine) -> None:
    """Somebody who is not root, a Python, and no database or compiler."""
    lacking = "for it in psql postgres docker gcc sudo uv pip; do command -v $it; done; true"

    assert machine.does("id --user").strip() not in ("", "0")
    assert machine.does("python3 --version").startswith(f"Python {PYTHONS[machine.suite]}.")
    assert machine.does(lacking) == ""


def test_run_twice(machine: Machine) -> None:
    """The first sets everything up and fills the tables; the second changes nothing."""
    first = machine.does(f"{DAY} make run")
    second = machine.does(f"{DAY.replace(':30:', ':31:')} make run")

    assert "Which articles were read most?" in first
    _, inserted, updated, unchanged, rejected = totals(first)
    assert inserted > 0
    assert (updated, unchanged, rejected) == (0, 0, 0)
    _, inserted, updated, unchanged, rejected = totals(second)
    assert unchanged > 0
    assert (inserted, updated, rejected) == (0, 0, 0)


def test_psql(machine: Machine) -> None:
    """A statement on standard input is answered; nothing else is on standard output."""
    question = "SELECT current_database() AS warehouse"

    machine.does("make setup")
    answer = machine.does(f"echo '{question}' | make psql")

    assert answer.split() == ["warehouse", "----------------", "weixin_sandbox", "(1", "row)"]


def test_up_until_it_is_ended(machine: Machine) -> None:
    """Airflow is healthy where `make up` says it is; nothing of it stays at work."""
    health = "http://localhost:8080/api/v2/monitor/health"
    ask = f"from urllib.request import urlopen as ask; print(ask('{health}').read().decode())"
    up = ".venv/bin/python -m weixin_local up > up.log 2>&1 & up=$!"
    ready = "until grep -q '  password' up.log; do kill -0 $up; sleep 1; done"

    machine.does("make setup")
    said = machine.does(
        f'set -e; {up}; {ready}; python3 -c "{ask}"; kill $up; wait $up || true; cat up.log'
    )

    assert "http://localhost:8080" in said
    assert re.findall(r'"status": ?"(\w+)"', said)[:4] == ["healthy"] * 4
    assert machine.programs() == set()


def test_the_whole_suite(machine: Machine) -> None:
    """`make test` and `make test-all` are green, as for whoever maintains the project."""
    said = machine.types("make test test-all", SUITE_PATIENCE_SECONDS)

    assert said.returncode == 0, said.stdout[-20_000:] + said.stderr
    assert int(re.findall(r"(\d+) passed", said.stdout)[-1]) > 1000
