"""The documents keep their word: what they name exists."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs/operating"
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


def make_targets() -> set[str]:
    """The targets `make help` lists."""
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^\W*(?:\x1b\[\d+m)?\s*(?:make )?([a-z][a-z-]*)", listed.stdout, re.M))


def test_every_make_command_of_the_documents_is_a_target() -> None:
    """Each `make …` in a document is a target that `make help` lists."""
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|^\$ |^)make ([a-z][a-z-]*)", document.read_text(), re.M)
    }

    assert {"run", "test", "up", "reset"} <= named
    assert named <= make_targets()


@pytest.mark.parametrize("program", ["weixin-etl", "python -m weixin_local"])
def test_every_command_of_our_own_in_the_documents_exists(program: str) -> None:
    """Each command of ours in a document is one that it knows."""
    named = {
        command
        for document in DOCUMENTS
        for command in re.findall(rf"{program} ([a-z]+)\b(?! is)", _code(document))
    }
    usage = subprocess.run(
        [ROOT / ".venv/bin" / program.split()[0], *program.split()[1:], "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert named
    assert [command for command in sorted(named) if command not in usage] == []


def test_every_key_of_the_env_example_is_used() -> None:
    """Each key of .env.example stands in what reads it: the code, or a file of docker compose."""
    keys = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M)
    readers = [*(ROOT / "plugins").rglob("*.py"), *ROOT.glob("docker-compose*.yml")]
    code = "".join(path.read_text() for path in readers)

    assert {"WEIXIN_APPID", "WEIXIN_SECRET"} <= set(keys)
    assert [key for key in keys if key not in code] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Each relative link of a document leads to a file of the project, or to a heading in one."""
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text())
    targets = [((document.parent / file if file else document), anchor) for file, anchor in links]

    assert [str(file) for file, _ in targets if not file.exists()] == []
    assert [f"{file}#{name}" for file, name in targets if name and name not in anchors(file)] == []


def anchors(document: Path) -> set[str]:
    """What GitHub makes of the headings of a document."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_setting_is_described_and_every_described_one_exists() -> None:
    """The table of settings in the manual is the declared list, defaults included."""
    from weixin_etl.orchestration.settings import OPTIONS

    text = (MANUAL / "reference.md").read_text()
    section = text.split("## Settings")[1].split("\n## ")[0]
    described = dict(re.findall(r"^\| `(\w+)` \| (\S*) ?\|", section, re.M))

    assert described == {name: str(default) for name, (default, _) in OPTIONS.items()}


def test_no_command_of_the_manual_shows_a_password_or_leaves_a_dump_open() -> None:
    """Others read command lines in the list of processes, and files made without `umask 077`."""
    text = "".join(page.read_text() for page in MANUAL.glob("*.md"))
    commands = [
        *re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.M | re.S),
        *re.findall(r"`((?:docker|airflow|psql|curl|make|CREATE ROLE) [^`\n]*)`", text),
    ]
    shows = re.compile(r"PASSWORD '|\"password\":|--password\b|://\w+:[^/\s]+@|Bearer [^%\s]")
    keeps = re.compile(r"> \S*(?:dump|bearer)\b")

    assert len(commands) > 60
    assert [it for it in commands if shows.search(it)] == []
    assert [it for it in commands if keeps.search(it) and not it.startswith("umask 077\n")] == []


def _code(document: Path) -> str:
    text = document.read_text()
    return "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_a_document_names_as_a_test_is_there(document: Path) -> None:
    """What "tested by" says can be read and run."""
    named = set(re.findall(r"`(tests/[\w/.*]+\.py)`", document.read_text()))

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_each_guarantee_has_its_test() -> None:
    """The tests that CONTRIBUTING.md lists are there."""
    listed = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", (ROOT / "CONTRIBUTING.md").read_text())

    assert len(listed) == 28
    for path, name in listed:
        assert f"def {name}(" in (ROOT / path).read_text(), name
