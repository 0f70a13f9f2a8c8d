"""Rules of the project's own files."""

import ast
import re
import sys
from functools import cache
from graphlib import TopologicalSorter

from support.people import PROJECT, files_of_git, printed

from weixin_etl.datasets import DATASETS

MODULES = {
    path.removeprefix("plugins/").removesuffix(".py").removesuffix("/__init__").replace("/", "."): (
        PROJECT / path
    ).read_text()
    for path in files_of_git("plugins/weixin_etl/*.py")
}
MIGRATIONS = {it: (PROJECT / it).read_text() for it in sorted(files_of_git("sql/migrations/*"))}
STATEMENTS = {it: (PROJECT / it).read_text() for it in files_of_git("sql/*.sql")}


def prints(code: str) -> list[str]:
    """The lines that a fresh interpreter prints."""
    return printed(sys.executable, "-c", code).splitlines()


def those_with(pattern: str) -> list[str]:
    """The modules whose text matches."""
    return [name for name, text in MODULES.items() if re.search(pattern, text)]


def test_migrations_are_numbered_without_gaps_and_drop_no_view() -> None:
    """Two branches that add one collide where git sees it; views are made after it, by files."""
    dropping = re.compile(r"\bDROP\s+(?:MATERIALIZED|VIEW|FUNCTION|ROUTINE)\b|\bCASCADE\b", re.I)
    numbers = [re.fullmatch(r"sql/migrations/(\d{4})_[a-z0-9_]+\.sql", it) for it in MIGRATIONS]

    assert "sql/migrations/0001_warehouse.sql" in MIGRATIONS
    assert [int(it[1]) for it in numbers if it] == [*range(1, len(MIGRATIONS) + 1)]
    assert [name for name, text in MIGRATIONS.items() if dropping.search(text)] == []


def test_every_statement_opens_with_a_comment_and_is_used() -> None:
    """Its first line says why it exists; the code names each but views, and none that is not."""
    others = STATEMENTS.keys() - MIGRATIONS.keys()
    local = [(PROJECT / it).read_text() for it in files_of_git("plugins/weixin_local/*.py")]
    code = "".join([*MODULES.values(), *local, *MIGRATIONS.values()])
    named = {f"sql/{it}" for it in re.findall(r'"([a-z_]+/[a-z_]+\.sql)"', code)}

    assert [it for it in others if not re.match(r"(--|\{#-?) \S", STATEMENTS[it])] == []
    assert named == {it for it in others if "/analytics/" not in it} - {"sql/roles.sql"}


def test_only_orchestration_imports_airflow() -> None:
    """The rest can be run, tested and moved without it; `--help` loads nothing heavy at all."""
    others = [it for it in MODULES if room_of(it) != "orchestration"]
    heavy = {"airflow", "sqlalchemy", "psycopg2", "requests", "rich", "starlette"}
    said = prints(
        "import sys, contextlib\n"
        "from weixin_etl.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print('heavy:', {heavy} & set(sys.modules))"
    )

    assert len(others) > 20
    assert prints(f"import sys, {', '.join(others)}; print('airflow' in sys.modules)") == ["False"]
    assert any(line.startswith("    migrate ") for line in said)
    assert said[-1] == "heavy: set()"


def test_only_datasets_names_an_endpoint_and_nothing_the_machinery_around_the_product() -> None:
    """An endpoint costs a declaration; the wheel has neither `weixin_local` nor the sandbox."""
    assert those_with(r"weixin_(local|sandbox)") == []
    assert those_with("|".join([*DATASETS, "getarticle"])) == ["weixin_etl.datasets"]


def test_the_core_knows_no_extras_and_no_module_itself() -> None:
    """
    A room imports what the table in CONTRIBUTING says; `orchestration` may import all.

    Data flows one way; an import inside a function counts as well.
    """
    table = (PROJECT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| .* \| ?(.*) \|$", table, re.MULTILINE)
    nouns = {name for first, _ in rows for name in re.findall(r"`(\w+)\.py`", first)} - {"cli"}
    allowed = dict.fromkeys(nouns, nouns) | {
        room[1]: nouns | {room[1], *re.findall(r"`(\w+)/`", others)}
        for first, others in rows
        if (room := re.fullmatch(r"`(\w+)/`", first)) and others != "all"
    }
    strangers = {
        name: others
        for name, imported in imports().items()
        if room_of(name) in allowed
        and (others := {room_of(it) for it in imported} - allowed[room_of(name)])
    }

    assert strangers == {}
    assert {room_of(name) for name in MODULES} == {*allowed, "", "cli", "orchestration"}
    assert len(imports()["weixin_etl.run.ingest"]) > 5
    TopologicalSorter(imports()).prepare()


def room_of(module: str) -> str:
    """The folder below the package, or the module at its root."""
    return module.removeprefix("weixin_etl").removeprefix(".").partition(".")[0]


@cache
def imports() -> dict[str, set[str]]:
    """The modules of the package that each of them imports."""
    found: dict[str, set[str]] = {}
    for name, text in MODULES.items():
        nodes = [*ast.walk(ast.parse(text))]
        froms = [it for it in nodes if isinstance(it, ast.ImportFrom)]
        plain = [it.name for node in nodes if isinstance(node, ast.Import) for it in node.names]
        assert not any(it.level for it in froms), f"{name} imports relatively"
        named = {f"{node.module}.{it.name}" for node in froms for it in node.names}
        # `from package import module` needs the module, and the package only for its name
        mentioned = {*plain, *named, *(str(node.module) for node in froms)} & MODULES.keys()
        found[name] = mentioned - {name.rpartition(".")[0], "weixin_etl", name}
    return found
