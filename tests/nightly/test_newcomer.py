"""
Tests of the README's first commands on a fresh Debian with git, make and Python, without root.

`make test-newcomer ONLY='forky and commands'` runs a part.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nightly import stand_ins
from support.people import copy_checkout, printed

PATIENCE_SECONDS = 5400
DAY = "WEIXIN_NOW=2026-11-25T10:30:00+08:00"
"""A clock on a day before which the sandbox published an article on each of seven days."""


@dataclass(frozen=True)
class Machine:
    """A container with a clone of the project, in which commands are run."""

    container: str

    def does(self, command: str) -> str:
        """Run a line of shell in the clone, which must succeed, and return its output."""
        inside = ["docker", "exec", "--workdir=/home/newcomer/weixin-etl", self.container]
        patiently = ["timeout", "--kill-after=30", str(PATIENCE_SECONDS)]
        return printed(*inside, *patiently, "sh", "-c", command)

    def programs(self) -> list[str]:
        """Return the running processes, except the one that keeps the container alive."""
        listed = printed("docker", "top", self.container, "-eo", "pid,args").splitlines()[1:]
        return [line for line in listed if "sleep infinity" not in line]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack the present checkout into one file that git can clone."""
    folder = tmp_path_factory.mktemp("checkout")
    bundle = tmp_path_factory.mktemp("bundle") / "checkout"
    copy_checkout(folder)
    git = ["git", "-c", "user.name=Nobody", "-c", "user.email=nobody@localhost"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-verify", "--message=The checkout"],
        ["bundle", "create", "--quiet", str(bundle), "HEAD", "main"],
    ):
        printed(*git, *arguments, folder=folder)
    bundle.chmod(0o644)
    return bundle


@pytest.fixture(scope="module", params=["trixie", "forky"])
def machine(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Machine]:
    """Run a container for each release of Debian, and remove it after the last test."""
    image, volume = stand_ins.newcomers(request.param), f"{bundle}:/weixin-etl.bundle:ro"
    run = ["docker", "run", "--detach", "--init", f"--volume={volume}", image]
    container = printed(*run).strip()
    try:
        printed("docker", "exec", container, "git", "clone", "/weixin-etl.bundle", "weixin-etl")
        yield Machine(container)
    finally:
        printed("docker", "rm", "--force", "--volumes", container)


def test_the_first_commands_work(machine: Machine) -> None:
    """A run shows the most-read articles, `make psql` answers, and no process remains."""
    output = machine.does(f"{DAY} make run")
    answer = machine.does("echo 'SELECT current_database() AS warehouse' | make psql")

    assert "Which articles were read most?" in output
    assert answer.split() == ["warehouse", "----------------", "weixin_sandbox", "(1", "row)"]
    assert machine.programs() == []


def test_the_whole_suite_passes(machine: Machine) -> None:
    """`make test` and `make test-all` include a second `make run`, and `make up` until it ends."""
    output = machine.does("make test test-all")

    assert int(re.findall(r"(\d+) passed", output)[-1]) > 100
