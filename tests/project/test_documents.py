"""Tests that the commands, links, tests and settings named in the documents exist."""

import re
from pathlib import Path

from support.people import PROJECT, files_of_git, printed

from weixin_etl.datasets import DATASETS
from weixin_etl.orchestration.settings import OPTIONS

DOCUMENTS = {name: (PROJECT / name).read_text() for name in files_of_git("*.md")}
MANUAL = {name: text for name, text in DOCUMENTS.items() if name.startswith("docs/operating/")}
TEXT = "\n".join(DOCUMENTS.values())


def test_every_command_of_the_documents_exists() -> None:
    """The commands are the targets of `make help` and those of the project's own programs."""
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", TEXT, re.DOTALL))
    named = {*re.findall(r"(?:`|^\$ |^)make ([a-z][a-z-]*)", TEXT, re.M)}
    helps = {
        "weixin-etl": printed(".venv/bin/weixin-etl", "--help"),
        "python -m weixin_local": printed(".venv/bin/python", "-m", "weixin_local", "--help"),
    }
    targets = re.findall(
        r"^  make ([a-z-]+)", printed("make", "--no-print-directory", "help"), re.M
    )

    assert {"run", "test", "up", "reset"} <= named <= {*targets}
    for program, usage in helps.items():
        commands = {*re.findall(rf"{program} ([a-z]+)\b(?! is)", code)}
        assert commands
        assert [command for command in commands if command not in usage] == []


def test_links_lead_somewhere() -> None:
    """Each relative link leads to a file of the project or to a heading in a file."""
    link = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
    dead = [
        f"{name}: {file}#{anchor}"
        for name, text in DOCUMENTS.items()
        for file, anchor in link.findall(text)
        if not leads_somewhere((PROJECT / name).parent / file if file else PROJECT / name, anchor)
    ]

    assert dead == []


def leads_somewhere(file: Path, anchor: str) -> bool:
    """Return whether the file exists and has a heading with the anchor that GitHub makes of it."""
    if not file.exists() or not anchor:
        return file.exists()
    text = re.sub(r"^```.*?^```", "", file.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)", text, re.M)
    return anchor in {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_every_test_that_a_document_names_exists() -> None:
    """CONTRIBUTING names the test of each guarantee."""
    named = re.findall(r"`(tests/[\w/.]+)(?:::(test_\w+))?", TEXT)

    assert len([test for _, test in named if test]) > 25
    assert [path for path, _ in named if not (PROJECT / path).exists()] == []
    assert [
        test for path, test in named if test and f"def {test}(" not in (PROJECT / path).read_text()
    ] == []


def test_every_setting_is_described_and_every_described_one_exists() -> None:
    """The manual's table has the declared settings and defaults; keys of .env.example are read."""
    section = MANUAL["docs/operating/reference.md"].split("## Settings")[1].split("\n## ")[0]
    described = dict(re.findall(r"^\| `(\w+)` \| (\S*) ?\|", section, re.M))
    keys = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.M)
    readers = files_of_git("plugins/*.py", "docker-compose*.yml")
    code = "".join((PROJECT / path).read_text() for path in readers)

    assert described == {name: option["default"] for name, option in OPTIONS.items()}
    assert {"WEIXIN_APPID", "WEIXIN_SECRET"} <= {*keys}
    assert [key for key in keys if key not in code] == []


def test_the_spans_of_the_api_are_those_of_the_datasets() -> None:
    """The table has the declared days and permission sets, and links WeChat's page."""
    page = r"\[(\w+)\]\(https://developers\.weixin\.qq\.com/\S+/api_\2\.html\)"
    row = rf"^\| `(\w+)` \| {page} \| (\w+) \| \d+ \| (\S+) \| (\d+) \| (\d+) \|$"
    declared = [
        (
            *(dataset.name, dataset.endpoint),
            "publication" if dataset.describes_articles else "statistics",
            *(str(dataset.first_day), str(dataset.window), str(dataset.permission_set)),
        )
        for dataset in DATASETS.values()
    ]

    assert re.findall(row, DOCUMENTS["docs/weixin-api.md"], re.M) == declared


def test_no_command_of_the_manual_shows_a_password_or_leaves_a_dump_open() -> None:
    """Other users can read command lines, and files created without `umask 077`."""
    text = "".join(MANUAL.values())
    commands = [
        *re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.M | re.S),
        *re.findall(r"`((?:docker|airflow|psql|curl|make|CREATE ROLE) [^`\n]*)`", text),
    ]
    shows = re.compile(r"PASSWORD '|\"password\":|--password\b|://\w+:[^/\s]+@|Bearer [^%\s]")
    keeps = re.compile(r"(?!umask 077\n).*> \S*(?:dump|bearer)\b", re.S)

    assert len(commands) > 60
    assert [command for command in commands if shows.search(command)] == []
    assert [command for command in commands if keeps.match(command)] == []
