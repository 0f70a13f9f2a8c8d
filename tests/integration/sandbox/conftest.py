"""What every test of the sandbox starts from: one that is served, on a fixed day."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sandbox_caller import TODAY, Caller

from weixin_sandbox import Sandbox


@pytest.fixture
def start() -> Iterator[Callable[..., Caller]]:
    """Serve a sandbox made from these arguments, for as long as the test lasts."""
    with ExitStack() as served:

        def _start(**arguments: Any) -> Caller:
            sandbox = Sandbox(**{"today": TODAY, **arguments})
            caller = Caller(sandbox, served.enter_context(sandbox.serve()))
            served.callback(caller.session.close)
            return caller

        yield _start


@pytest.fixture
def caller(start: Callable[..., Caller]) -> Caller:
    """A client of a sandbox with everything at its default but the day."""
    return start()
