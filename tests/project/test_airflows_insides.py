"""Tests of what the product imports from Airflow: the public interface, and named insides."""

import ast
from collections.abc import Iterator
from pathlib import Path

from support.people import PROJECT

PUBLIC = ("airflow.sdk", "airflow.configuration", "airflow.listeners", "airflow.plugins_manager")
PROVIDERS = "airflow.providers."
INSIDES = PROJECT / "plugins/weixin_etl/orchestration/insides.py"


def modules_of_airflow(path: Path) -> Iterator[str]:
    """Yield the modules of Airflow that a file imports, inside of functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (name for name in names if name.split(".")[0] == "airflow")


def inside(module: str) -> bool:
    """Return whether Airflow may change a module in any release."""
    is_public = any(module == name or module.startswith(f"{name}.") for name in PUBLIC)
    return not (is_public or module.startswith(PROVIDERS))


def test_one_file_imports_airflows_insides() -> None:
    files = [path for folder in ("plugins", "dags") for path in (PROJECT / folder).rglob("*.py")]
    importing = {path for path in files if any(map(inside, modules_of_airflow(path)))}
    assert importing == {INSIDES}


def test_the_insides_are_these() -> None:
    assert sorted(filter(inside, {*modules_of_airflow(INSIDES)})) == [
        "airflow.api.common.airflow_health",
        "airflow.api_fastapi.app",
        "airflow.api_fastapi.auth.managers.models.resource_details",
        "airflow.api_fastapi.core_api.security",
        "airflow.models",
        "airflow.models.serialized_dag",
        "airflow.models.taskreschedule",
        "airflow.models.xcom",
        "airflow.settings",
        "airflow.utils.session",
        "airflow.utils.state",
        "airflow.utils.types",
    ]
