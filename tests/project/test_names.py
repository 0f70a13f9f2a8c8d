"""Tests of names: no variable is a pronoun, and a public name has one meaning."""

import ast
from collections import Counter
from collections.abc import Iterator

from support.people import PROJECT

PRONOUNS = """it its one ones those these them they this that ours theirs others here came said met
    what how the"""
SHARED = (
    "plan extract ingest report check main read probe status replay refresh_access_token app log"
)


def nodes(*folders: str) -> Iterator[ast.AST]:
    """Yield the nodes of each Python file in folders of the project."""
    for folder in folders:
        for path in (PROJECT / folder).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text()))


def test_no_variable_is_a_pronoun() -> None:
    every = [*nodes("plugins", "dags", "sandbox", "benchmarks", "analytics", "tests")]
    names = {
        node.id for node in every if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names |= {node.arg for node in every if isinstance(node, ast.arg)}
    assert {name for name in names if name.strip("_") in PRONOUNS.split()} == set()


def test_a_public_function_or_class_has_a_name_of_its_own() -> None:
    modules = (node for node in nodes("plugins", "dags") if isinstance(node, ast.Module))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = Counter(
        node.name for module in modules for node in module.body if isinstance(node, kinds)
    )
    twice = {name for name, count in names.items() if count > 1 and not name.startswith("_")}
    assert twice - {*SHARED.split()} == set()
