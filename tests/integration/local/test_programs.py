"""No program outlives the command that started it, whatever ends the command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from weixin_local import machine

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).wait()"
COMMAND = """
import os, sys, time
from weixin_local import machine
process = machine.start([sys.executable, "-c", sys.argv[1]], os.environ)
process.stdout.readline()
print(process.pid, flush=True)
time.sleep(60)
"""


def wait_until(is_true: Callable[[], bool]) -> None:
    """Poll for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_at_work(number: int) -> bool:
    """A zombie only waits for its parent to look."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_that_is_killed_takes_its_programs_with_it() -> None:
    """Even by a signal that it can't notice."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, SLEEP], stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout
        program = int(command.stdout.readline())
        assert is_at_work(program)

        command.kill()

    wait_until(lambda: not is_at_work(program))


def test_what_ignores_sigterm_is_killed_with_all_of_its_session() -> None:
    """Patience has an end, for children of a program that has ended as well."""
    process = machine.start([sys.executable, "-c", PARENT], os.environ)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    (child,) = psutil.Process(process.pid).children()

    machine.end([process], patience_seconds=0.5)

    assert process.returncode == -signal.SIGTERM
    wait_until(lambda: not is_at_work(child.pid))
