"""What others made is what we looked at, and is looked at again."""

import hashlib
import re

from support.people import PROJECT

PAGE = PROJECT / "plugins/weixin_etl/orchestration/web/page/static"
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
"""Of htmx.org 4.0.1 at npm."""


def test_what_others_made_is_pinned() -> None:
    """A tag of an action can be moved; htmx is the file that was looked at."""
    workflows = [it.read_text() for it in (PROJECT / ".github/workflows").iterdir()]
    used = re.findall(r"uses: (.+)", "".join(workflows))

    assert used
    assert [it for it in used if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", it)] == []
    assert hashlib.sha256((PAGE / "htmx.min.js").read_bytes()).hexdigest() == HTMX


def test_what_is_installed_has_the_hash_that_was_locked() -> None:
    """All but the project itself, and a pre-release of Airflow, which nobody can have locked."""
    texts = [(PROJECT / it).read_text() for it in ("Makefile", "Dockerfile")]
    text = "".join(texts).replace("\\\n", "")
    installs = re.findall(r"(?:pip install|OTHERS =).*", text)
    locked = re.compile(r"--require-hashes|--no-deps +(--editable \.|dist/\*\.whl)|\$\(OTHERS\)")

    assert len(installs) > 10
    assert re.findall(r"tool run|uvx", text) == []  # neither checks hashes
    assert [it for it in installs if not locked.search(it)] == [
        "OTHERS = --override .ci/next-airflow.txt --group dev '.[local,server]'"
    ]
