"""Background processes that outlive the command that started them, and how to end them again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from weixin_local.machine import write_private

POLL_SECONDS = 0.1
CLOCK_TOLERANCE_SECONDS = 2
"""psutil derives start times from the wall clock, which may be set."""


@dataclass(frozen=True)
class Process:
    """
    A process in a session of its own, named by its session's number and its time of birth.

    A later process under the same number was born at another time, so it is never taken for this
    one; the children are found by their session even when the process itself is gone.
    """

    name: str
    session: int
    born_at: float
    record: Path

    def is_alive(self) -> bool:
        """Whether the process itself, and not just a child of it, is at work."""
        try:
            process = psutil.Process(self.session)
            return self._is_this(process) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def members(self) -> list[psutil.Process]:
        """The process and all in its session; none when the number was given to another one."""
        try:
            leader = psutil.Process(self.session)
        except psutil.NoSuchProcess:
            leader = None
        if leader and not self._is_this(leader):
            return []
        return [process for process in psutil.process_iter() if self._leads(process)]

    def _is_this(self, process: psutil.Process) -> bool:
        return bool(abs(process.create_time() - self.born_at) < CLOCK_TOLERANCE_SECONDS)

    def _leads(self, process: psutil.Process) -> bool:
        try:
            return (
                os.getsid(process.pid) == self.session
                and process.create_time() > self.born_at - CLOCK_TOLERANCE_SECONDS
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False


@contextmanager
def uninterrupted() -> Iterator[None]:
    """
    Hold back what would interrupt the block, Ctrl-C or a kill, until its end.

    A program that is started within it is known to its caller before anything is raised: otherwise
    an interrupt between the fork and the caller's first line leaves a process nobody ends.
    """
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if callable(signal.getsignal(number))  # one that is ignored, say under nohup, stays so
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for interrupt in came[:1]:
            signal.raise_signal(interrupt)


def start(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
) -> Process:
    """Start a process in the background and record it; the log of its predecessor is kept."""
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    record = folder / f"{name}.json"
    with log.open("wb") as output, uninterrupted():
        started = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        process = Process(name, started.pid, psutil.Process(started.pid).create_time(), record)
        write_private(record, json.dumps({"pid": process.session, "create_time": process.born_at}))
    return process


def recorded(folder: Path) -> list[Process]:
    """Every process that was started and not ended through here, dead or alive."""
    return [
        Process(record.stem, kept["pid"], kept["create_time"], record)
        for record in sorted(folder.glob("*.json"))
        for kept in [json.loads(record.read_text())]
    ]


def stop(processes: Sequence[Process], patience_seconds: float) -> list[str]:
    """
    End the processes and their children: SIGTERM, and SIGKILL for those that take too long.

    Returns:
        the names of those of which something was alive.
    """
    asked = [process for process in processes if _terminate(process.members(), process.session)]
    deadline = time.monotonic() + patience_seconds
    while any(process.members() for process in asked) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for process in processes:
        while members := process.members():
            for member in members:
                _send(member, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        process.record.unlink(missing_ok=True)
    return [process.name for process in asked]


def _terminate(members: Sequence[psutil.Process], leader: int) -> bool:
    """Ask the leader, who sees to its children, or end those of a dead one; False for nobody."""
    leaders = [member for member in members if member.pid == leader]
    for member in leaders or members:
        _send(member, signal.SIGTERM if leaders else signal.SIGKILL)
    return bool(members)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
