"""Somebody who types commands, as the README and the manual tell them to."""

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
"""Variables of whoever runs the tests that would change what is tested."""
LOCAL = (sys.executable, "-m", "weixin_local")
HANGS_SECONDS = 7200
"""A command that takes longer than the whole suite hangs."""


def own_environment(**variables: str) -> dict[str, str]:
    """That of whoever runs the tests, without what is foreign to the command, and with these."""
    return {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)} | variables


def typed(
    *command: str | Path, folder: Path = PROJECT, answers: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Type a command in a folder, answer its questions, and read what it says."""
    read = {"input": answers, "capture_output": True, "text": True, "timeout": HANGS_SECONDS}
    there = {"cwd": folder, "env": own_environment(**variables)}
    return subprocess.run(command, check=False, **read, **there)


def printed(*command: str | Path, folder: Path = PROJECT, **variables: str) -> str:
    """What a command prints that must succeed."""
    done = typed(*command, folder=folder, **variables)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return done.stdout


def _started(command: Sequence[str | Path], log: Path, **variables: str) -> subprocess.Popen[str]:
    with log.open("w") as said:
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=own_environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored by nohup
        )


@contextmanager
def serving(command: Sequence[str | Path], port: int, log: Path, **variables: str) -> Iterator[str]:
    """A server of the block's own, which writes down what it says: where it is, once it answers."""
    process = _started(command, log, **variables)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        return machine.answers(port)

    try:
        until(answers, log.read_text)
        yield f"http://localhost:{port}"
    finally:
        machine.end([process], patience_seconds=120)


def blocks(page: str, heading: str, language: str = "sh") -> list[str]:
    """What a section of a page tells to type, or to put into a file."""
    text = re.split(rf"^#+ {heading}$", page, flags=re.M)[1]
    section = re.split(r"^#+ ", text, flags=re.M)[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)
    assert found, heading
    return found


@dataclass(frozen=True)
class Person:
    """Somebody who types commands in the checkout, with a state folder of their own."""

    home: Home

    @property
    def _own(self) -> dict[str, str]:
        own = {"WEIXIN_HOME": str(self.home.state), "WEIXIN_APPID": "", "WEIXIN_SECRET": ""}
        return own | {"SPT_NOENV": "1"}  # Airflow's workers keep their environment to be found by

    def types(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command, answer its questions, and read what it says."""
        return typed(*command, **(self._own | more))

    def weixin(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m weixin_local`."""
        return self.types(*LOCAL, *arguments, **more)

    def starts(self, *arguments: str, said: Path, **variables: str) -> subprocess.Popen[str]:
        """Run `python -m weixin_local` in a terminal of its own, which writes down what it says."""
        return _started([*LOCAL, *arguments], said, **(self._own | variables))

    def asks(self, statement: str) -> list[str]:
        """The lines of an answer of the warehouse."""
        answer = self.weixin("psql", "-A", "-t", "-c", statement)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.splitlines()

    def processes(self) -> list[psutil.Process]:
        """Everything that works for this state folder, Postgres included."""
        return [it for it in psutil.process_iter() if _works_for(it, str(self.home.state))]

    @contextmanager
    def up(self, port: int, *options: str, **variables: str) -> Iterator[Path]:
        """`make up` in a terminal of its own until Ctrl-C; what it has said by then."""
        said = self.home.state / "up.log"
        process = self.starts("up", "--port", str(port), *options, said=said, **variables)
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
    for file in files_of_git():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / file, folder / file)


def files_of_git(*patterns: str) -> list[str]:
    """What git would commit of the project."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    # one may be deleted and not yet committed
    return [file for file in printed(*listing).splitlines() if (PROJECT / file).exists()]


@contextmanager
def somebody() -> Iterator[Person]:
    """Somebody without credentials; what their commands kept is deleted afterwards."""
    # a short path with an open parent, as the server's user and the Unix socket need it
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
