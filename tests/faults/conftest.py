"""
Options and fixtures of the tests with faults.

`make test-all` runs a part of each test; `--soak` runs the variants and examples that take longer.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import is_hypothesis_test
from sqlalchemy import Engine
from support import TcpServer, empty, keep, migrated_warehouse

FEW, ALL = (2, 9, 15), range(1, 21)
"""
Numbers of the statements at which the server is stopped.

A scheduled run of two accounts has at least 20 statements.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--soak`."""
    parser.addoption("--soak", action="store_true", help="try what takes longer, and nothing else")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the statements at which the server is stopped."""
    if "statement" in metafunc.fixturenames:
        metafunc.parametrize("statement", ALL if metafunc.config.getoption("--soak") else FEW)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only the tests that try more in the long run, if that is chosen."""
    if config.getoption("--soak", None):
        keep(config, items, is_longer)


def is_longer(item: pytest.Item) -> bool:
    """Return whether the long run tries more than `make test-all`: statements or examples."""
    takes = "statement" in getattr(item, "fixturenames", ())
    return takes or is_hypothesis_test(getattr(item, "obj", None))


@pytest.fixture(scope="session")
def durable_server() -> Iterator[TcpServer]:
    """
    Yield a Postgres server that keeps every commit when it is killed.

    Writes may stay in the machine's memory, because the machine does not crash.
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
    """Return an empty warehouse on the durable server."""
    _durable.dispose()
    empty(_durable)
    return _durable
