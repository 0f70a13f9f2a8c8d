"""Faults: some in `make test-all`; with `--soak` what the long run tries more of."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import is_hypothesis_test
from sqlalchemy import Engine
from support import TcpServer, empty, keep, migrated_warehouse

FEW, ALL = (2, 9, 15), range(1, 21)
"""Statements at which the server is stopped: a scheduled run of two accounts has at least these."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how much is tried."""
    parser.addoption("--soak", action="store_true", help="try what takes longer, and nothing else")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Say at which statements."""
    if "statement" in metafunc.fixturenames:
        metafunc.parametrize("statement", ALL if metafunc.config.getoption("--soak") else FEW)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long run has what tries more in it: other statements, or more examples."""
    if config.getoption("--soak", None):
        keep(config, items, is_longer)


def is_longer(item: pytest.Item) -> bool:
    """Whether the long run tries more than `make test-all`."""
    takes = "statement" in getattr(item, "fixturenames", ())
    return takes or is_hypothesis_test(getattr(item, "obj", None))


@pytest.fixture(scope="session")
def durable_server() -> Iterator[TcpServer]:
    """
    A Postgres to be ill-treated, that forgets no commit when it crashes.

    Writes may stay in the machine's memory: the machine does not crash.
    """
    with TemporaryDirectory(prefix="weixin-faults-") as folder:
        Path(folder).chmod(0o755)
        settings = {"fsync": "off", "max_connections": "20"}
        server = TcpServer(Path(folder) / "server", settings=settings)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def _durable(durable_server: TcpServer) -> Iterator[Engine]:
    with migrated_warehouse(durable_server, "durable") as engine:
        yield engine


@pytest.fixture
def durable(_durable: Engine) -> Engine:
    """An empty warehouse on that server."""
    _durable.dispose()
    empty(_durable)
    return _durable
