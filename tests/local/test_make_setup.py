"""`make setup` says in one sentence what a machine lacks."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from people import PROJECT

LACKS = {
    "nothing by that name": None,
    "an old Python": "exit 1",
    "no venv": 'case "$2" in *ensurepip*) exit 1;; esac',
}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type `make`; the one that may be running these tests has no say in it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the rule for .venv reads, in a folder without one."""
    for name in ("Makefile", "requirements-dev.txt", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("script", LACKS.values(), ids=LACKS)
def test_an_unfit_python_is_one_sentence_with_what_to_type(clone: Path, script: str | None) -> None:
    """Nothing is made in that case, and the sentence shows how to name another Python."""
    python = clone / "python"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)

    said = make(clone, "setup", f"PYTHON={python}")

    complaint, *makes_own = said.stderr.splitlines()
    assert said.returncode != 0
    assert str(python) in complaint
    assert "PYTHON=python3.12 make setup" in complaint
    assert [line for line in makes_own if not line.startswith("make")] == []
    assert not (clone / ".venv").exists()
