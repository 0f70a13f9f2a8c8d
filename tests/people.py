"""Somebody who types commands in the checkout, as the README tells them to."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from weixin_local.home import Home

PROJECT = Path(__file__).parents[1]
FOREIGN = ("AIRFLOW", "WEIXIN", "MAKE", "MFLAGS", "PYTEST")
"""Variables of whoever runs the tests that would change what is tested."""


@dataclass(frozen=True)
class Person:
    """Somebody who types commands in the checkout, with a state folder of their own."""

    home: Home
    environment: dict[str, str]

    def types(
        self, *command: str, typed: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, answer its questions, and read what it says."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        return subprocess.run(
            command,
            cwd=self.home.project,
            env={**own, **self.environment, **variables},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def weixin(
        self, *arguments: str, typed: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m weixin_local`."""
        command = (sys.executable, "-m", "weixin_local", *arguments)
        return self.types(*command, typed=typed, **variables)

    def asks(self, statement: str, **variables: str) -> list[str]:
        """The lines of an answer of the warehouse."""
        answer = self.weixin("psql", "-A", "-t", "-c", statement, **variables)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.splitlines()

    def processes(self) -> list[psutil.Process]:
        """Everything that works for this state folder, Postgres included."""
        found = psutil.process_iter()
        return [process for process in found if _works_for(process, str(self.home.state))]

    @contextmanager
    def up(self, port: int, *options: str, **variables: str) -> Iterator[Path]:
        """`make up` in a terminal of its own until Ctrl-C; what it has said by then."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        said = self.home.state / "up.log"
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "weixin_local", "up", "--port", str(port), *options],
                cwd=self.home.project,
                env={**own, **self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # whoever runs the tests in the background has it ignored
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        try:
            while "  password" not in said.read_text():
                assert process.poll() is None, said.read_text()
                time.sleep(0.3)
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def copy_checkout(folder: Path) -> None:
    """What git knows of the checkout, as it is now, in another folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    for file in listed.stdout.splitlines():
        if (PROJECT / file).exists():  # it may be deleted and not yet committed
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / file, folder / file)


@contextmanager
def somebody() -> Iterator[Person]:
    """Somebody without credentials; what their commands kept is deleted afterwards."""
    # a short path with an open parent, as the server's user and the Unix socket need it
    state = Path(tempfile.mkdtemp(prefix="weixin-home-"))
    variables = {"WEIXIN_HOME": str(state), "WEIXIN_APPID": "", "WEIXIN_SECRET": ""}
    person = Person(Home(PROJECT, state), variables)
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
