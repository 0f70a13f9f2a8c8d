"""
Commands in subprocesses, as a person types them who follows the README and the manual.

`typed` and `printed` run one command. A `Person` runs the project's own commands with a state
folder of their own. `blocks` reads the commands out of a page.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from support.rest import until
from weixin_local import machine
from weixin_local.home import Home

PROJECT = Path(__file__).parents[2]
FOREIGN = ("AIRFLOW", "WEIXIN", "MAKE", "MFLAGS", "PYTEST", "COMPOSE", "VIRTUAL_ENV", "PYTHONPATH")
"""Prefixes of environment variables that would change the tested command."""
LOCAL = (sys.executable, "-m", "weixin_local")
HANGS_SECONDS = 7200
"""The timeout of a command: longer than the whole suite takes."""


def own_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without the `FOREIGN` variables, plus the given ones."""
    return {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)} | variables


def typed(
    *command: str | Path, folder: Path = PROJECT, answers: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder with `answers` as its input, and return the completed process."""
    streams = {"input": answers, "capture_output": True, "text": True, "timeout": HANGS_SECONDS}
    place = {"cwd": folder, "env": own_environment(**variables)}
    return subprocess.run(command, check=False, **streams, **place)


def printed(*command: str | Path, folder: Path = PROJECT, **variables: str) -> str:
    """Run a command that must succeed, and return its output."""
    done = typed(*command, folder=folder, **variables)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return done.stdout


def _started(command: Sequence[str | Path], log: Path, **variables: str) -> subprocess.Popen[str]:
    with log.open("w") as output:
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=own_environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Under nohup the signal would be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


@contextmanager
def serving(command: Sequence[str | Path], port: int, log: Path, **variables: str) -> Iterator[str]:
    """Run a server for the block, with its output in `log`, and yield its URL once it answers."""
    process = _started(command, log, **variables)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        return machine.is_answering(port)

    try:
        until(answers, log.read_text)
        yield f"http://localhost:{port}"
    finally:
        machine.end([process], patience_seconds=120)


def blocks(page: str, heading: str, language: str = "sh") -> list[str]:
    """Return the code blocks of one language in a section of a Markdown page."""
    text = re.split(rf"^#+ {heading}$", page, flags=re.M)[1]
    section = re.split(r"^#+ ", text, flags=re.M)[0]
    code_blocks = re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)
    assert code_blocks, heading
    return code_blocks


@dataclass(frozen=True)
class Person:
    """A person who types commands in the checkout and has a state folder of their own."""

    home: Home

    @property
    def _own(self) -> dict[str, str]:
        own = {"WEIXIN_HOME": str(self.home.state), "WEIXIN_APPID": "", "WEIXIN_SECRET": ""}
        # Airflow's workers must keep their environment: `processes` finds them by it.
        return own | {"SPT_NOENV": "1"}

    def types(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this person's environment, and return the completed process."""
        return typed(*command, **(self._own | more))

    def weixin(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m weixin_local` and return the completed process."""
        return self.types(*LOCAL, *arguments, **more)

    def starts(self, *arguments: str, log: Path, **variables: str) -> subprocess.Popen[str]:
        """Start `python -m weixin_local` in the background, with its output in `log`."""
        return _started([*LOCAL, *arguments], log, **(self._own | variables))

    def asks(self, statement: str) -> list[str]:
        """Run a statement in the warehouse with `psql`, and return the lines of its output."""
        answer = self.weixin("psql", "-A", "-t", "-c", statement)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.splitlines()

    def processes(self) -> list[psutil.Process]:
        """Return all processes that use this state folder, including Postgres."""
        state = str(self.home.state)
        return [process for process in psutil.process_iter() if _works_for(process, state)]

    @contextmanager
    def up(self, port: int, *options: str, **variables: str) -> Iterator[Path]:
        """Run `make up` for the block, yield its log once Airflow answers, and end with Ctrl-C."""
        log = self.home.state / "up.log"
        process = self.starts("up", "--port", str(port), *options, log=log, **variables)
        try:
            while "  password" not in log.read_text():
                assert process.poll() is None, log.read_text()
                time.sleep(0.3)
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def copy_checkout(folder: Path) -> None:
    """Copy the project's files, in their present state, into another folder."""
    for file in files_of_git():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / file, folder / file)


def files_of_git(*patterns: str) -> list[str]:
    """Return the paths of the project's files that git tracks or would add."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    # A file may be deleted while git still tracks it.
    return [file for file in printed(*listing).splitlines() if (PROJECT / file).exists()]


@contextmanager
def somebody() -> Iterator[Person]:
    """Yield a person without credentials, and delete their state folder afterwards."""
    # Postgres' own user must reach the folder, and a Unix socket needs a short path.
    state = Path(tempfile.mkdtemp(prefix="weixin-home-"))
    person = Person(Home(PROJECT, state))
    try:
        yield person
    finally:
        person.home.server.stop()
        shutil.rmtree(state, ignore_errors=True)


def _works_for(process: psutil.Process, mark: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        known = [*process.cmdline(), *process.environ().values()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(mark in text for text in known)
