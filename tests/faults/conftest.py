"""
Faults by seed: a few in `make test-all`, the others with `--soak`, one again with `--seed`.

A test that takes a `…_seed` runs once for each seed.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import is_hypothesis_test
from sqlalchemy import Engine
from support import TcpServer, empty, keep, migrated_warehouse

SEEDS = {"kill_seed": (4, 60), "stop_seed": (3, 30)}
"""How many of each: in `make test-all`, and together with those of `--soak 1`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how much is tried."""
    group = parser.getgroup("faults")
    group.addoption("--soak", type=int, help="try so many times the seeds of the long run")
    group.addoption("--seed", type=int, help="try the faults of this seed alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its seeds."""
    for name, (few, all_of_them) in SEEDS.items():
        if name in metafunc.fixturenames:
            seed = metafunc.config.getoption("--seed", None)
            times = metafunc.config.getoption("--soak", None)
            seeds = range(few, all_of_them * times) if times else range(few)
            metafunc.parametrize(name, seeds if seed is None else [seed])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long run has what others leave out; a seed that is tried again is tried alone."""
    if config.getoption("--soak", None):
        keep(config, items, is_longer)
    if config.getoption("--seed", None) is not None:
        keep(config, items, lambda item: SEEDS.keys() & set(getattr(item, "fixturenames", ())))


def is_longer(item: pytest.Item) -> bool:
    """Whether the long run tries more than `make test-all`: other seeds, or more examples."""
    takes = {*SEEDS, "examples"} & set(getattr(item, "fixturenames", ()))
    return bool(takes or is_hypothesis_test(getattr(item, "obj", None)))


@pytest.fixture(scope="session")
def examples(request: pytest.FixtureRequest) -> int:
    """How many answers a property tries."""
    return 1000 if request.config.getoption("--soak") else 40


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
