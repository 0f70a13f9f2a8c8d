"""Tests of the project's own files: migrations, SQL statements and imports."""

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
MIGRATIONS = {
    path: (PROJECT / path).read_text() for path in sorted(files_of_git("sql/migrations/*"))
}
STATEMENTS = {path: (PROJECT / path).read_text() for path in files_of_git("sql/*.sql")}


def prints(code: str) -> list[str]:
    """Run the code in a new interpreter, and return the lines it prints."""
    return printed(sys.executable, "-c", code).splitlines()


def modules_with(pattern: str) -> list[str]:
    """Return the names of the modules whose text matches the pattern."""
    return [name for name, text in MODULES.items() if re.search(pattern, text)]


def test_migrations_are_numbered_without_gaps_and_drop_no_view() -> None:
    """Git shows a conflict if two branches add the same number. Views are made by other files."""
    dropping = re.compile(r"\bDROP\s+(?:MATERIALIZED|VIEW|FUNCTION|ROUTINE)\b|\bCASCADE\b", re.I)
    numbers = [re.fullmatch(r"sql/migrations/(\d{4})_[a-z0-9_]+\.sql", path) for path in MIGRATIONS]

    assert "sql/migrations/0001_warehouse.sql" in MIGRATIONS
    assert [int(match[1]) for match in numbers if match] == [*range(1, len(MIGRATIONS) + 1)]
    assert [name for name, text in MIGRATIONS.items() if dropping.search(text)] == []


def test_every_statement_opens_with_a_comment_and_is_used() -> None:
    """The code names every statement that is no view, and no statement that does not exist."""
    statements = STATEMENTS.keys() - MIGRATIONS.keys()
    local = [(PROJECT / path).read_text() for path in files_of_git("plugins/weixin_local/*.py")]
    code = "".join([*MODULES.values(), *local, *MIGRATIONS.values()])
    named = {f"sql/{path}" for path in re.findall(r'"([a-z_]+/[a-z_]+\.sql)"', code)}

    assert [path for path in statements if not re.match(r"(--|\{#-?) \S", STATEMENTS[path])] == []
    assert named == {path for path in statements if "/analytics/" not in path} - {"sql/roles.sql"}


def test_only_orchestration_imports_airflow() -> None:
    """The other modules can run without Airflow. `--help` imports no heavy package."""
    modules = [name for name in MODULES if folder_of(name) != "orchestration"]
    heavy = {"airflow", "sqlalchemy", "psycopg2", "requests", "rich", "starlette"}
    output = prints(
        "import sys, contextlib\n"
        "from weixin_etl.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print('heavy:', {heavy} & set(sys.modules))"
    )

    assert len(modules) > 20
    assert prints(f"import sys, {', '.join(modules)}; print('airflow' in sys.modules)") == ["False"]
    assert any(line.startswith("    migrate ") for line in output)
    assert output[-1] == "heavy: set()"


def test_only_datasets_names_endpoints_and_no_module_names_the_local_tools() -> None:
    """The wheel contains neither `weixin_local` nor the sandbox."""
    assert modules_with(r"weixin_(local|sandbox)") == []
    assert modules_with("|".join([*DATASETS, "getarticle"])) == ["weixin_etl.datasets"]


def test_packages_import_only_the_packages_that_contributing_allows() -> None:
    """
    The table in CONTRIBUTING lists the allowed imports; `orchestration` may import every package.

    An import inside a function counts as well. No module imports itself through others.
    """
    table = (PROJECT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| .* \| ?(.*) \|$", table, re.MULTILINE)
    nouns = {name for first, _ in rows for name in re.findall(r"`(\w+)\.py`", first)} - {"cli"}
    allowed = dict.fromkeys(nouns, nouns) | {
        folder[1]: nouns | {folder[1], *re.findall(r"`(\w+)/`", imported_folders)}
        for first, imported_folders in rows
        if (folder := re.fullmatch(r"`(\w+)/`", first)) and imported_folders != "all"
    }
    strangers = {
        name: foreign
        for name, imported in imports().items()
        if folder_of(name) in allowed
        and (foreign := {folder_of(module) for module in imported} - allowed[folder_of(name)])
    }

    assert strangers == {}
    assert {folder_of(name) for name in MODULES} == {*allowed, "", "cli", "orchestration"}
    assert len(imports()["weixin_etl.run.ingest"]) > 5
    TopologicalSorter(imports()).prepare()


def folder_of(module: str) -> str:
    """Return the name of the package below `weixin_etl`, or of the module at its root."""
    return module.removeprefix("weixin_etl").removeprefix(".").partition(".")[0]


@cache
def imports() -> dict[str, set[str]]:
    """Return the modules of `weixin_etl` that each module imports."""
    imported: dict[str, set[str]] = {}
    for name, text in MODULES.items():
        nodes = [*ast.walk(ast.parse(text))]
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        plain = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
        assert not any(node.level for node in froms), f"{name} imports relatively"
        named = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        # `from package import module` depends on the module and not on the whole package.
        mentioned = {*plain, *named, *(str(node.module) for node in froms)} & MODULES.keys()
        imported[name] = mentioned - {name.rpartition(".")[0], "weixin_etl", name}
    return imported
