"""Tests that third-party actions, scripts and packages are pinned to the reviewed versions."""

import hashlib
import re

from support.people import PROJECT

PAGE = PROJECT / "plugins/weixin_etl/orchestration/web/page/static"
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
"""The SHA-256 of htmx.org 4.0.1 at npm."""


def test_actions_and_htmx_are_pinned() -> None:
    """An action is pinned by its commit, because a tag can be moved."""
    workflows = [path.read_text() for path in (PROJECT / ".github/workflows").iterdir()]
    used = re.findall(r"uses: (.+)", "".join(workflows))

    assert used
    pinned = re.compile(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    assert [action for action in used if not pinned.search(action)] == []
    assert hashlib.sha256((PAGE / "htmx.min.js").read_bytes()).hexdigest() == HTMX


def test_packages_are_installed_only_with_locked_hashes() -> None:
    """The project itself and a pre-release of Airflow are exceptions."""
    texts = [(PROJECT / name).read_text() for name in ("Makefile", "Dockerfile")]
    text = "".join(texts).replace("\\\n", "")
    installs = re.findall(r"(?:pip install|OTHERS =).*", text)
    locked = re.compile(r"--require-hashes|--no-deps +(--editable \.|dist/\*\.whl)|\$\(OTHERS\)")

    assert len(installs) > 10
    assert re.findall(r"tool run|uvx", text) == []  # neither checks hashes
    assert [command for command in installs if not locked.search(command)] == [
        "OTHERS = --override .ci/next-airflow.txt --group dev '.[local,server]'"
    ]
