"""Real parts for every test: Postgres servers of their own, the sandbox API, one fixed day."""

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

from weixin_etl import warehouse as the_warehouse
from weixin_etl.model import Account
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ["support.in_process"]

CHROMIUM = shutil.which("chromium")
"""Debian's: Playwright's own would be downloaded."""

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""Postgres versions of the machine: a second target beside the embedded one, where there is any."""

settings.register_profile("soak", max_examples=2000)
settings.register_profile("check", max_examples=20, derandomize=True)

TESTS = Path(__file__).parent
ROOMS = ("project", "rules", "parse", "api", "load", "run", "accounts", "health")
ROOMS += ("warehouse", "kept", "probe", "analysts", "page/test_page_labels.py")
ROOMS += tuple(f"airflow/test_{it}.py" for it in ("mornings", "form", "weixin_hook"))
NEWCOMERS = [TESTS / room for room in ROOMS]
"""What `make test` runs, on the embedded Postgres: enough to tell whether a change works."""
OUTSIDE = [TESTS / "nightly"]
"""What needs hours, Docker, Superset or dbt, and has targets of its own."""

SHARED_AIRFLOW = "tests/airflow/running/"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Makefile run the suite in parts."""
    parser.addoption(
        "--part",
        choices=["newcomers", "rest", "outside"],
        help="of `make test`; what `make test-all` runs besides (without it both); what needs more",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test is in exactly one of the parts, and on one Postgres unless it is marked."""
    keep(config, items, lambda item: is_embedded(item) or item.get_closest_marker("every_postgres"))
    part = config.getoption("part")
    keep(config, items, lambda item: is_in(item, OUTSIDE) == (part == "outside"))
    if part in ("newcomers", "rest"):
        keep(config, items, lambda item: is_newcomers(item) == (part == "newcomers"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, the files that share an Airflow are one worker's too."""
    from xdist.scheduler import LoadFileScheduling

    class SharedAirflowScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return SHARED_AIRFLOW if file.startswith(SHARED_AIRFLOW) else file

    return SharedAirflowScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def is_newcomers(item: pytest.Item) -> bool:
    """Whether `make test` runs it."""
    return is_embedded(item) and is_in(item, NEWCOMERS)


def is_in(item: pytest.Item, places: Iterable[Path]) -> bool:
    """Whether its file is there."""
    return any(item.path.is_relative_to(it) for it in places)


def is_embedded(item: pytest.Item) -> bool:
    """Whether it runs on the embedded Postgres, or on none."""
    parameters = getattr(item, "callspec", None)
    return parameters is None or parameters.params.get("server") is None


# before anything imports Airflow, which writes its configuration there
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="weixin-airflow-")
for name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_"))]:
    del os.environ[name]
os.environ.pop("WEIXIN_NOW", None)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """The embedded Postgres 18."""
    with temporary_server() as server:
        yield server


@pytest.fixture(scope="session")
def oldest_server() -> Iterator[Server]:
    """The oldest Postgres of the machine beside the embedded one."""
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
    """Each Postgres there is, for tests marked `every_postgres`; for others the embedded one."""
    if request.param is None:
        yield request.getfixturevalue("embedded_server")
    else:
        with temporary_server(request.param) as server:
            yield server


@pytest.fixture(scope="session")
def migrated(server: Server) -> Iterator[Engine]:
    """A migrated warehouse that the tests of a server share."""
    with migrated_warehouse(server, "weixin") as engine:
        yield engine


@pytest.fixture
def warehouse(migrated: Engine) -> Engine:
    """An empty, migrated warehouse."""
    empty(migrated)
    return migrated


def _logged_in(warehouse: Engine, role: str) -> Iterator[Engine]:
    """The warehouse as the role sees it, which may log in meanwhile."""
    execute(warehouse, f"ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    engine = the_warehouse.engine(warehouse.url.set(username=role, password=PASSWORD))
    yield engine
    engine.dispose()
    execute(warehouse, f"ALTER ROLE {role} NOLOGIN PASSWORD NULL")


@pytest.fixture
def loader(warehouse: Engine) -> Iterator[Engine]:
    """The empty warehouse as the pipeline sees it."""
    yield from _logged_in(warehouse, "weixin_loader")


@pytest.fixture
def reader(warehouse: Engine) -> Iterator[Engine]:
    """The empty warehouse as an analyst sees it."""
    yield from _logged_in(warehouse, "weixin_reader")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline's clock stands at 10:30 on the morning of `TODAY`, in Beijing."""
    monkeypatch.setenv("WEIXIN_NOW", NOW)


@pytest.fixture
def sandbox(now: None) -> Sandbox:  # it follows the pipeline's clock
    """The API's stand-in with one account; `sandbox_url` serves it."""
    return Sandbox()


@pytest.fixture
def sandbox_url(sandbox: Sandbox) -> Iterator[str]:
    """Where the sandbox listens."""
    with sandbox.serve() as url:
        yield url


@pytest.fixture
def account(sandbox_url: str) -> Account:
    """The sandbox's account, as its connection would describe it."""
    return Account(
        "weixin_default",
        DEFAULT_ACCOUNT.appid,
        DEFAULT_ACCOUNT.secret,
        DEFAULT_ACCOUNT.name,
        sandbox_url,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A Chromium that asks nobody but the pages it is sent to.

    Closed with its file: Playwright's event loop runs as long, and no other can in that process.
    """
    if CHROMIUM is None:
        # CI installs it: there a page that nobody looked at would pass
        assert not os.environ.get("CI"), "there is no chromium"
        pytest.skip("there is no chromium: apt install chromium")
    from playwright.sync_api import sync_playwright  # only those who ask for it load it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()
