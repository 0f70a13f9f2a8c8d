"""
Fixtures and options that all tests share.

The fixtures are real parts: temporary Postgres servers, the sandbox API over HTTP, a browser, and a
clock that stands at one fixed time. The option `--part` selects the tests of a `make` target.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from sqlalchemy import Engine
from support import NOW, PASSWORD, empty, execute, keep, migrated_warehouse, temporary_server

from weixin_etl import warehouse as warehouse_module
from weixin_etl.model import Account
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ["support.in_process"]

CHROMIUM = shutil.which("chromium")
"""Debian's Chromium, because Playwright's own would be downloaded."""

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""The programs of each Postgres version of this machine, beside the embedded one."""

settings.register_profile("soak", max_examples=2000)
settings.register_profile("check", max_examples=20, derandomize=True)

TESTS = Path(__file__).parent
QUICK = ("project", "rules", "parse", "api", "load", "run", "accounts", "health")
QUICK += ("warehouse", "kept", "probe", "analysts", "page/test_page_labels.py")
QUICK += ("delivery/test_hostile_titles.py", "delivery/test_sent_once.py")
QUICK += tuple(f"airflow/test_{module}.py" for module in ("mornings", "form", "weixin_hook"))
NEWCOMERS = [TESTS / path for path in QUICK]
"""The tests of `make test`, which run on the embedded Postgres and show whether a change works."""
INSTALLING = [TESTS / "warehouse/test_pooler.py"]
"""Of these the tests that fail without a program of Debian, and so are left to `make test-all`."""
OUTSIDE = [TESTS / "nightly"]
"""The tests that need hours, Docker, Superset or dbt. They have `make` targets of their own."""

SHARED_AIRFLOW = "tests/airflow/running/"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--part`, by which the Makefile runs the suite in parts."""
    parser.addoption(
        "--part",
        choices=["newcomers", "rest", "outside"],
        help="`make test`; the rest of `make test-all` (by default both); tests that need more",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the part, on one Postgres unless a test is marked `every_postgres`."""
    keep(config, items, lambda item: is_embedded(item) or item.get_closest_marker("every_postgres"))
    part = config.getoption("part")
    keep(config, items, lambda item: is_in(item, OUTSIDE) == (part == "outside"))
    if part in ("newcomers", "rest"):
        keep(config, items, lambda item: is_newcomers(item) == (part == "newcomers"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all files that share an Airflow to one worker, with `--dist loadfile`."""
    from xdist.scheduler import LoadFileScheduling

    class SharedAirflowScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return SHARED_AIRFLOW if file.startswith(SHARED_AIRFLOW) else file

    return SharedAirflowScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def is_newcomers(item: pytest.Item) -> bool:
    """Return whether `make test` runs the test."""
    return is_embedded(item) and is_in(item, NEWCOMERS) and not is_in(item, INSTALLING)


def is_in(item: pytest.Item, places: Iterable[Path]) -> bool:
    """Return whether the test's file is in one of the places."""
    return any(item.path.is_relative_to(place) for place in places)


def is_embedded(item: pytest.Item) -> bool:
    """Return whether the test runs on the embedded Postgres or without Postgres."""
    parameters = getattr(item, "callspec", None)
    return parameters is None or parameters.params.get("server") is None


# This must precede every import of Airflow, which writes its configuration into the folder.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="weixin-airflow-")
for name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_"))]:
    del os.environ[name]
os.environ.pop("WEIXIN_NOW", None)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """Run the embedded Postgres 18."""
    with temporary_server() as server:
        yield server


@pytest.fixture(scope="session")
def oldest_server() -> Iterator[Server]:
    """Run the oldest Postgres of this machine, beside the embedded one."""
    if not INSTALLED:
        pytest.skip("there is no other Postgres under /usr/lib/postgresql")
    with temporary_server(INSTALLED[0]) as server:
        yield server


@pytest.fixture(
    scope="session",
    params=[None, *INSTALLED],
    ids=["embedded", *(f"postgres{path.parent.name}" for path in INSTALLED)],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Run each Postgres in turn for tests marked `every_postgres`, and else the embedded one."""
    if request.param is None:
        yield request.getfixturevalue("embedded_server")
    else:
        with temporary_server(request.param) as server:
            yield server


@pytest.fixture(scope="session")
def migrated(server: Server) -> Iterator[Engine]:
    """Create a migrated warehouse, which the tests of a server share."""
    with migrated_warehouse(server, "weixin") as engine:
        yield engine


@pytest.fixture
def warehouse(migrated: Engine) -> Engine:
    """Return a migrated warehouse without rows."""
    empty(migrated)
    return migrated


def _logged_in(warehouse: Engine, role: str) -> Iterator[Engine]:
    """Let the role log in meanwhile, and yield an engine of the role."""
    execute(warehouse, f"ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    engine = warehouse_module.engine(warehouse.url.set(username=role, password=PASSWORD))
    yield engine
    engine.dispose()
    execute(warehouse, f"ALTER ROLE {role} NOLOGIN PASSWORD NULL")


@pytest.fixture
def loader(warehouse: Engine) -> Iterator[Engine]:
    """Yield the empty warehouse with the pipeline's role."""
    yield from _logged_in(warehouse, "weixin_loader")


@pytest.fixture
def reader(warehouse: Engine) -> Iterator[Engine]:
    """Yield the empty warehouse with an analyst's role."""
    yield from _logged_in(warehouse, "weixin_reader")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the pipeline's clock to 10:30 in Beijing on `TODAY`; it stands still."""
    monkeypatch.setenv("WEIXIN_NOW", NOW)


@pytest.fixture
def sandbox(now: None) -> Sandbox:
    """Return a sandbox with one account, on the pipeline's clock. `sandbox_url` serves it."""
    return Sandbox()


@pytest.fixture
def sandbox_url(sandbox: Sandbox) -> Iterator[str]:
    """Serve the sandbox and yield its URL."""
    with sandbox.serve() as url:
        yield url


@pytest.fixture
def account(sandbox_url: str) -> Account:
    """Return the sandbox's account as its Airflow connection describes it."""
    return Account(
        "weixin_default",
        DEFAULT_ACCOUNT.appid,
        DEFAULT_ACCOUNT.secret,
        DEFAULT_ACCOUNT.name,
        sandbox_url,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """
    Run a Chromium without background traffic, one for each file of tests.

    Playwright's event loop runs until the browser is closed, and a process can run only one.
    """
    if CHROMIUM is None:
        # CI must have Chromium: otherwise pages would pass untested.
        assert not os.environ.get("CI"), "there is no chromium"
        pytest.skip("there is no chromium: apt install chromium")
    from playwright.sync_api import sync_playwright  # imported only by tests with a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()
