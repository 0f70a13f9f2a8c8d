"""Rules of the project's own files."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse.views import all_views

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins/weixin_etl"
SQL = ROOT / "sql"
MIGRATIONS = sorted((SQL / "migrations").iterdir())
STATEMENTS = sorted(path for path in SQL.rglob("*.sql") if path not in MIGRATIONS)
MODULES = sorted(PACKAGE.rglob("*.py"))
ORCHESTRATION = PACKAGE / "orchestration"


def name_in_project(path: Path) -> str:
    """For the name of a test."""
    return str(path.relative_to(ROOT))


def test_migrations_are_numbered_without_gaps() -> None:
    """`NNNN_name.sql`, from 0001 on: two branches that add one collide where git sees it."""
    names = [path.name for path in MIGRATIONS]

    assert names[0] == "0001_warehouse.sql"
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name)] == []
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("path", MIGRATIONS, ids=name_in_project)
def test_a_migration_drops_no_view(path: Path) -> None:
    """They are made after it, by their files; somebody else's on one would not be named."""
    dropped = re.findall(
        r"\bDROP\s+(?:MATERIALIZED|VIEW|FUNCTION|ROUTINE)\b|\bCASCADE\b",
        path.read_text(),
        re.IGNORECASE,
    )

    assert dropped == []


@pytest.mark.parametrize("path", STATEMENTS, ids=name_in_project)
def test_a_statement_opens_with_a_comment(path: Path) -> None:
    """It says the statement's grain and why it exists."""
    first = path.read_text().splitlines()[0]

    assert re.match(r"(--|\{#-?) \S", first)


def test_a_file_makes_the_view_of_its_name_unless_its_first_line_says_of_which_datasets() -> None:
    """What it makes need not be looked for in its text."""
    files: dict[str, list[str]] = {}
    for view in all_views():
        files.setdefault(view.file, []).append(view.full_name)
    several = {it for it in files if (ROOT / it).read_text().startswith("{# for each: ")}
    others = files.keys() - several

    assert {it: files[it] for it in others} == {
        it: [it.removeprefix("sql/").removesuffix(".sql").replace("/", ".")] for it in others
    }
    assert several
    assert others


def test_every_statement_is_used() -> None:
    """Each file under sql/ is named by the code, and each named is there; views by their place."""
    local = (ROOT / "plugins/weixin_local").rglob("*.py")
    code = "".join(path.read_text() for path in [*MODULES, *local, *MIGRATIONS])

    unused = [
        name_in_project(path)
        for path in STATEMENTS
        if path.parent.name != "analytics" and f'"{path.relative_to(SQL)}"' not in code
    ]

    named = re.findall(r'"([a-z_]+/[a-z_]+\.sql)"', code)

    assert len(STATEMENTS) > 10
    assert unused == []
    assert [path for path in named if not (SQL / path).exists()] == []


def test_only_orchestration_imports_airflow() -> None:
    """The rest can be run, tested and moved without it, and costs no three seconds to import."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if ORCHESTRATION not in path.parents
    ]
    code = f"import sys, {', '.join(modules)}; print('airflow' in sys.modules)"

    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert len(modules) > 20
    assert said == "False\n"


def test_the_command_line_answers_before_anything_heavy_is_imported() -> None:
    """Whoever asks for help or mistypes does not wait for Airflow."""
    heavy = ("airflow", "sqlalchemy", "psycopg2", "requests", "rich", "starlette")
    code = (
        "import sys, contextlib\n"
        "from weixin_etl.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print('heavy:', *[name for name in {heavy} if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert "\n    migrate " in said
    assert said.splitlines()[-1] == "heavy:"


def test_the_product_knows_nothing_of_the_machinery_around_it() -> None:
    """The wheel carries neither `weixin_local` nor the sandbox."""
    named = [
        name_in_project(path)
        for path in MODULES
        if re.search(r"weixin_(local|sandbox)", path.read_text())
    ]

    assert named == []


def test_only_datasets_names_an_endpoint() -> None:
    """A further endpoint costs a declaration and no branch."""
    named = [
        name_in_project(path)
        for path in MODULES
        if any(word in path.read_text() for word in (*DATASETS, "getarticle"))
    ]

    assert named == ["plugins/weixin_etl/datasets.py"]


def rooms() -> dict[str, set[str]]:
    """
    What each room may import beside itself, by the table in CONTRIBUTING.

    `orchestration` and the command line may all of it.
    """
    table = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| .* \| ?(.*) \|$", table, re.MULTILINE)
    nouns = {name for first, _ in rows for name in re.findall(r"`(\w+)\.py`", first)} - {"cli"}
    return dict.fromkeys(nouns, nouns) | {
        room[1]: nouns | {*re.findall(r"`(\w+)/`", imports)}
        for first, imports in rows
        if (room := re.fullmatch(r"`(\w+)/`", first)) and imports != "all"
    }


def test_the_core_knows_no_extras() -> None:
    """What the answers are kept for, what people are told and Airflow can be left out."""
    allowed = rooms()
    strangers = {
        name: others
        for name, imported in imports_of_modules().items()
        if (room := room_of(name)) in allowed
        and (others := {room_of(it) for it in imported} - allowed[room] - {room})
    }

    assert strangers == {}
    assert {room_of(name) for name in imports_of_modules()} == {
        *allowed,
        "",
        "cli",
        "orchestration",
    }


def room_of(module: str) -> str:
    """The folder below the package, or the module at its root."""
    return module.removeprefix("weixin_etl").removeprefix(".").partition(".")[0]


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Data flows one way; an import inside a function counts as well."""
    imports = imports_of_modules()

    TopologicalSorter(imports).prepare()

    assert len(imports["weixin_etl.run.ingest"]) > 5


def imports_of_modules() -> dict[str, set[str]]:
    """The modules of the package that each of them imports."""
    names = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in MODULES
    }
    imports: dict[str, set[str]] = {}
    for name, path in names.items():
        nodes = [*ast.walk(ast.parse(path.read_text()))]
        froms = [it for it in nodes if isinstance(it, ast.ImportFrom)]
        plain = [it for it in nodes if isinstance(it, ast.Import)]
        assert not any(it.level for it in froms), f"{name} imports relatively"
        imported = {
            candidate
            for node in froms
            for alias in node.names
            for candidate in (f"{node.module}.{alias.name}", node.module)
            if candidate in names
        } | {alias.name for node in plain for alias in node.names if alias.name in names}
        # `from package import module` needs the module, and the package only for its name
        imports[name] = imported - {name.rpartition(".")[0], "weixin_etl"} - {name}
    return imports
