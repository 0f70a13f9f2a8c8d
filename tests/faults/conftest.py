"""
Faults by seed: a few in `make test-all`, the others with `--soak`, one again with `--seed`.

A test that takes a `…_seed` runs once for each seed; one that takes a `dataset`, for each dataset.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import is_hypothesis_test
from ingest_processes import IngestProcess, disturbed, ingest
from sqlalchemy import Engine
from support import TcpServer, keep
from trial import MORNING, MOST_EDGES, STATEMENTS, STEADY, Make, Trial, Warehouses, accounts

from weixin_etl.datasets import (
    ARTICLE_DATASETS,
    ARTICLE_SHARE,
    ARTICLE_TOTAL,
    FOLLOWER_CHANGE,
    FOLLOWER_TOTAL,
)
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox

SEEDS = {"kill_seed": (4, MOST_EDGES * 4 // 3), "plan_seed": (2, 30), "stop_seed": (3, 30)}
"""How many of each: in `make test-all`, and together with those of `--soak 1`."""
OTHER_KINDS = [ARTICLE_SHARE, FOLLOWER_CHANGE, FOLLOWER_TOTAL]
"""Of statistics days: with an object in each item, with items that are rows, and a stock."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how much is tried."""
    group = parser.getgroup("faults")
    group.addoption("--soak", type=int, help="try so many times the seeds of the long run")
    group.addoption("--seed", type=int, help="try the faults of this seed alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its datasets and seeds."""
    if "dataset" in metafunc.fixturenames:
        datasets = [*ARTICLE_DATASETS.values()]
        if "kill_seed" in metafunc.fixturenames:
            datasets += OTHER_KINDS
        metafunc.parametrize("dataset", datasets, ids=lambda it: it.name, scope="session")
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
    else:
        keep(config, items, lambda item: item.get_closest_marker("soak") is None)
    if config.getoption("--seed", None) is not None:
        keep(config, items, lambda item: SEEDS.keys() & set(getattr(item, "fixturenames", ())))


def is_longer(item: pytest.Item) -> bool:
    """Whether the long run tries more than `make test-all`: other seeds, more examples, more."""
    takes = {*SEEDS, "is_soak"} & set(getattr(item, "fixturenames", ()))
    is_drawn = is_hypothesis_test(getattr(item, "obj", None))
    return bool(takes or is_drawn or item.get_closest_marker("soak"))


@pytest.fixture(scope="session")
def is_soak(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long run."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def durable_warehouses() -> Iterator[Warehouses]:
    """
    On a Postgres of their own, to be ill-treated, that forgets no commit when it crashes.

    Writes may stay in the machine's memory: the machine does not crash.
    """
    with TemporaryDirectory(prefix="weixin-faults-") as folder:
        Path(folder).chmod(0o755)
        settings = {"fsync": "off", "max_connections": "20"}
        server = TcpServer(Path(folder) / "server", settings=settings)
        server.start()
        yield Warehouses.on(server)
        server.destroy()


@pytest.fixture(scope="session")
def warehouses(embedded_server: Server) -> Warehouses:
    """As many warehouses as a test likes, on the server that all tests share."""
    return Warehouses.on(embedded_server)


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Sandbox, str]]:
    """Two accounts that may ask as often as they like, on the morning of 24 December."""
    sandbox = Sandbox(accounts(2), today=MORNING.date(), daily_limit=10**9)
    with sandbox.serve() as url:
        yield sandbox, url


@pytest.fixture
def sandbox(served: tuple[Sandbox, str]) -> Sandbox:
    """The stand-in for WeChat, where nothing goes wrong unless a test says so."""
    served[0].scenarios.clear()
    return served[0]


@pytest.fixture
def sandbox_url(served: tuple[Sandbox, str]) -> str:
    """Where it listens."""
    return served[1]


@pytest.fixture
def make(sandbox: Sandbox, sandbox_url: str) -> Make:
    """The pipeline of one dataset on a warehouse, which makes the same statements each time."""
    return lambda engine: Trial(ARTICLE_TOTAL, engine, sandbox, sandbox_url, STEADY)


_undisturbed: dict[str, list[str]] = {}


@pytest.fixture
def undisturbed(make: Make, warehouses: Warehouses) -> dict[str, list[str]]:
    """What the tables hold after a run without trouble."""
    if not _undisturbed:
        with warehouses.passing("undisturbed") as engine:
            trial = make(engine)
            outcome = IngestProcess(trial.plan("undisturbed", MORNING)).outcome()
            assert outcome.is_done
            assert outcome.statements >= STATEMENTS
            _undisturbed.update(trial.contents())
    return _undisturbed


MeetTrouble = Callable[[Engine, int, AbstractContextManager[None]], str]


@pytest.fixture
def meet_trouble(make: Make, undisturbed: dict[str, list[str]]) -> MeetTrouble:
    """
    An ingest meets trouble at a statement: what it says.

    Airflow tries again, and then the tables are what an undisturbed run makes of them.
    """

    def meet(engine: Engine, statement: int, trouble: AbstractContextManager[None]) -> str:
        trial = make(engine)
        order = trial.plan("run", MORNING)
        first = disturbed(order, statement, trouble)
        assert first.is_retryable, first
        second = ingest(order)
        assert second.is_done, second.said
        assert trial.contents() == undisturbed
        return first.said

    return meet
