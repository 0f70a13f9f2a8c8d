"""
The README's first promise, on a fresh Debian: git, make and Python are enough, and nobody is root.

Each part can be tried alone: `make test-newcomer ONLY='forky and commands'`.
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
"""One before which the sandbox published on each of seven days: on some it does not."""


@dataclass(frozen=True)
class Machine:
    """A container with a clone of the project, and somebody at its keyboard."""

    container: str

    def does(self, command: str) -> str:
        """Run a line of shell in the clone, which must succeed; what it prints."""
        there = ["docker", "exec", "--workdir=/home/newcomer/weixin-etl", self.container]
        patiently = ["timeout", "--kill-after=30", str(PATIENCE_SECONDS)]
        return printed(*there, *patiently, "sh", "-c", command)

    def programs(self) -> list[str]:
        """What is at work, apart from what keeps the container there."""
        listed = printed("docker", "top", self.container, "-eo", "pid,args").splitlines()[1:]
        return [line for line in listed if "sleep infinity" not in line]


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
        printed(*git, *arguments, folder=folder)
    bundle.chmod(0o644)
    return bundle


@pytest.fixture(scope="module", params=["trixie", "forky"])
def machine(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Machine]:
    """A machine of its own for each release of Debian; it is gone after the last test."""
    image, volume = stand_ins.newcomers(request.param), f"{bundle}:/weixin-etl.bundle:ro"
    run = ["docker", "run", "--detach", "--init", f"--volume={volume}", image]
    container = printed(*run).strip()
    try:
        printed("docker", "exec", container, "git", "clone", "/weixin-etl.bundle", "weixin-etl")
        yield Machine(container)
    finally:
        printed("docker", "rm", "--force", "--volumes", container)


def test_the_first_commands(machine: Machine) -> None:
    """A run shows the most read articles, `make psql` answers, and nothing stays at work."""
    said = machine.does(f"{DAY} make run")
    answer = machine.does("echo 'SELECT current_database() AS warehouse' | make psql")

    assert "Which articles were read most?" in said
    assert answer.split() == ["warehouse", "----------------", "weixin_sandbox", "(1", "row)"]
    assert machine.programs() == []


def test_the_whole_suite(machine: Machine) -> None:
    """
    `make test` and `make test-all` are green, as for whoever maintains the project.

    Among them what `make run` changes the second time, and `make up` until it is ended.
    """
    said = machine.does("make test test-all")

    assert int(re.findall(r"(\d+) passed", said)[-1]) > 100
