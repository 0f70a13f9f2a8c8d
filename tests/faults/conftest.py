"""
Faults by seed: a few in `make test`, all of them with `--soak`, one again with `--seed`.

A test that takes a `…_seed` runs once for each dataset and seed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ingest_processes import IngestProcess
from pipeline import MORNING, STATEMENTS, Make, Pipeline, Warehouses, accounts

from weixin_etl.datasets import DATASETS, Dataset
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox

SEEDS = {"kill_seed": (3, 270), "plan_seed": (2, 100), "stop_seed": (2, 30)}
"""How many of each for a dataset: in `make test`, and with `--soak`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how much is tried."""
    group = parser.getgroup("faults")
    group.addoption("--soak", action="store_true", help="try every fault there is a seed for")
    group.addoption("--seed", type=int, help="try the faults of this seed alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its datasets and seeds."""
    if "dataset" in metafunc.fixturenames:
        metafunc.parametrize("dataset", DATASETS.values(), ids=DATASETS, scope="session")
    for name, (few, all_of_them) in SEEDS.items():
        if name in metafunc.fixturenames:
            seed = metafunc.config.getoption("--seed", None)
            count = all_of_them if metafunc.config.getoption("--soak", False) else few
            metafunc.parametrize(name, range(count) if seed is None else [seed])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the long run; a seed that is tried again is tried alone."""
    if not config.getoption("--soak", False):
        _keep(config, items, lambda item: item.get_closest_marker("soak") is None)
    if config.getoption("--seed", None) is not None:
        _keep(config, items, lambda item: SEEDS.keys() & set(getattr(item, "fixturenames", ())))


def _keep(
    config: pytest.Config, items: list[pytest.Item], is_wanted: Callable[[pytest.Item], Any]
) -> None:
    """Leave the others out, and let pytest count them as such."""
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]


@pytest.fixture(scope="session")
def is_soak(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long run."""
    return bool(request.config.getoption("--soak", False))


@pytest.fixture(scope="session")
def durable_server() -> Iterator[Server]:
    """
    A Postgres of its own, to be ill-treated, that forgets no commit when it crashes.

    Writes may stay in the machine's memory: the machine does not crash.
    """
    with TemporaryDirectory(prefix="weixin-faults-") as folder:
        Path(folder).chmod(0o755)
        settings = {"fsync": "off", "max_connections": "20"}
        server = Server(Path(folder) / "server", settings=settings)
        server.start()
        yield server
        server.destroy()


@pytest.fixture(scope="session")
def durable_warehouses(durable_server: Server) -> Warehouses:
    """The warehouses on that server."""
    return Warehouses.on(durable_server)


@pytest.fixture(scope="session")
def warehouses(embedded_server: Server) -> Warehouses:
    """As many warehouses as a test likes, on the server that all tests share."""
    return Warehouses.on(embedded_server)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """Two accounts that may ask as often as they like."""
    return Sandbox(accounts(2), daily_limit=10**9)


@pytest.fixture(scope="module")
def sandbox_url(sandbox: Sandbox) -> Iterator[str]:
    """Where it listens."""
    with sandbox.serve() as url:
        yield url


@pytest.fixture
def make(dataset: Dataset, sandbox: Sandbox, sandbox_url: str) -> Make:
    """The dataset's pipeline on a warehouse, on the morning of 24 December."""
    sandbox.today = MORNING.date()
    sandbox.scenarios.clear()
    return lambda engine: Pipeline(dataset, engine, sandbox, sandbox_url)


@pytest.fixture(scope="session")
def known() -> dict[Dataset, dict[str, list[str]]]:
    """What `undisturbed` found out already."""
    return {}


@pytest.fixture
def undisturbed(
    make: Make,
    warehouses: Warehouses,
    dataset: Dataset,
    known: dict[Dataset, dict[str, list[str]]],
) -> dict[str, list[str]]:
    """What the tables hold after a run without trouble."""
    if dataset not in known:
        with warehouses.passing("undisturbed") as engine:
            pipeline = make(engine)
            outcome = IngestProcess(pipeline.plan("undisturbed", MORNING)).outcome()
            assert outcome.is_done
            assert outcome.statements >= STATEMENTS
            known[dataset] = pipeline.contents()
    return known[dataset]
