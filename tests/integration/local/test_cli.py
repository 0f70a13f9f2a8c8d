"""The command line answers at once, and in sentences."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("airflow", "sqlalchemy", "psycopg2", "requests", "rich", "starlette")


def weixin(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run what make starts."""
    return subprocess.run(
        [sys.executable, "-m", "weixin_local", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    """Whoever mistypes does not wait for Airflow."""
    code = (
        "import sys, contextlib\n"
        "from weixin_etl.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print('heavy:', *[name for name in {HEAVY} if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    commands = ("migrate", "plan")
    assert [command for command in commands if f"\n    {command} " not in said] == []
    assert said.splitlines()[-1] == "heavy:"


def test_what_is_mistyped_is_named() -> None:
    """Usage errors have the exit code of usage errors."""
    said = weixin("fly")

    assert said.returncode == 2
    assert "invalid choice: 'fly'" in said.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="every folder is open to root")
def test_a_state_folder_of_another_user_is_a_sentence(tmp_path: Path) -> None:
    """Somebody ran it as root before."""
    tmp_path.chmod(0o500)

    said = weixin("down", WEIXIN_HOME=str(tmp_path))

    assert said.returncode == 1
    assert (
        said.stderr
        == f"weixin-etl: {tmp_path} is another user's: work as that user, or take it over.\n"
    )
