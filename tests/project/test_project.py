"""Rules of the project's own files."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse.views import all_views

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins/weixin_etl"
SQL = ROOT / "sql"
MIGRATIONS = sorted((SQL / "migrations").iterdir())
STATEMENTS = sorted(path for path in SQL.rglob("*.sql") if path not in MIGRATIONS)
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def prints(code: str) -> list[str]:
    """The lines that a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, text=True).splitlines()


def those_with(pattern: str) -> list[str]:
    """The modules whose text matches."""
    return [name for name, path in MODULES.items() if re.search(pattern, path.read_text())]


def test_migrations_are_numbered_without_gaps_and_drop_no_view() -> None:
    """Two branches that add one collide where git sees it; views are made after it, by files."""
    dropping = re.compile(r"\bDROP\s+(?:MATERIALIZED|VIEW|FUNCTION|ROUTINE)\b|\bCASCADE\b", re.I)
    numbers = [re.match(r"(\d{4})_[a-z0-9_]+\.sql$", path.name) for path in MIGRATIONS]

    assert [int(it[1]) for it in numbers if it] == [*range(1, len(MIGRATIONS) + 1)]
    assert MIGRATIONS[0].name == "0001_warehouse.sql"
    assert [path.name for path in MIGRATIONS if dropping.search(path.read_text())] == []


def test_every_statement_opens_with_a_comment_and_is_used() -> None:
    """Its first line says why it exists; the code names each but views, and none that is not."""
    local = (ROOT / "plugins/weixin_local").rglob("*.py")
    code = "".join(path.read_text() for path in [*MODULES.values(), *local, *MIGRATIONS])
    silent = [it for it in STATEMENTS if not re.match(r"(--|\{#-?) \S", it.read_text())]
    named = set(re.findall(r'"([a-z_]+/[a-z_]+\.sql)"', code))

    assert len(STATEMENTS) > 10
    assert silent == []
    assert named == {
        str(it.relative_to(SQL)) for it in STATEMENTS if it.parent.name != "analytics"
    } - {"roles.sql"}


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


def test_only_orchestration_imports_airflow() -> None:
    """The rest can be run, tested and moved without it, and costs no three seconds to import."""
    others = [it for it in MODULES if room_of(it) != "orchestration"]

    assert len(others) > 20
    assert prints(f"import sys, {', '.join(others)}; print('airflow' in sys.modules)") == ["False"]


def test_the_command_line_answers_before_anything_heavy_is_imported() -> None:
    """Whoever asks for help or mistypes does not wait for Airflow."""
    heavy = {"airflow", "sqlalchemy", "psycopg2", "requests", "rich", "starlette"}
    said = prints(
        "import sys, contextlib\n"
        "from weixin_etl.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print('heavy:', {heavy} & set(sys.modules))"
    )

    assert any(line.startswith("    migrate ") for line in said)
    assert said[-1] == "heavy: set()"


def test_only_datasets_names_an_endpoint_and_nothing_the_machinery_around_the_product() -> None:
    """An endpoint costs a declaration; the wheel has neither `weixin_local` nor the sandbox."""
    assert those_with(r"weixin_(local|sandbox)") == []
    assert those_with("|".join([*DATASETS, "getarticle"])) == ["weixin_etl.datasets"]


def test_the_core_knows_no_extras() -> None:
    """A room imports what the table in CONTRIBUTING says; `orchestration` may import all."""
    table = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| .* \| ?(.*) \|$", table, re.MULTILINE)
    nouns = {name for first, _ in rows for name in re.findall(r"`(\w+)\.py`", first)} - {"cli"}
    allowed = dict.fromkeys(nouns, nouns) | {
        room[1]: nouns | {room[1], *re.findall(r"`(\w+)/`", others)}
        for first, others in rows
        if (room := re.fullmatch(r"`(\w+)/`", first)) and others != "all"
    }
    rooms = {room_of(name) for name in MODULES}
    strangers = {
        name: others
        for name, imported in imports().items()
        if room_of(name) in allowed
        and (others := {room_of(it) for it in imported} - allowed[room_of(name)])
    }

    assert strangers == {}
    assert rooms == {*allowed, "", "cli", "orchestration"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Data flows one way; an import inside a function counts as well."""
    TopologicalSorter(imports()).prepare()

    assert len(imports()["weixin_etl.run.ingest"]) > 5


def room_of(module: str) -> str:
    """The folder below the package, or the module at its root."""
    return module.removeprefix("weixin_etl").removeprefix(".").partition(".")[0]


@cache
def imports() -> dict[str, set[str]]:
    """The modules of the package that each of them imports."""
    found: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        nodes = [*ast.walk(ast.parse(path.read_text()))]
        froms = [it for it in nodes if isinstance(it, ast.ImportFrom)]
        plain = [it.name for node in nodes if isinstance(node, ast.Import) for it in node.names]
        assert not any(it.level for it in froms), f"{name} imports relatively"
        named = {f"{node.module}.{it.name}" for node in froms for it in node.names}
        # `from package import module` needs the module, and the package only for its name
        mentioned = {*plain, *named, *(str(node.module) for node in froms)} & MODULES.keys()
        found[name] = mentioned - {name.rpartition(".")[0], "weixin_etl", name}
    return found
