"""What others made is what we looked at, and is looked at again."""

import hashlib
import re

from people import PROJECT

PAGE = PROJECT / "plugins/weixin_etl/orchestration/web/page/static"
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
"""Of htmx.org 4.0.1 at npm."""


def test_what_others_made_is_pinned_and_an_audit_leaves_nothing_out() -> None:
    """A tag of an action can be moved; without `--strict` an unknown package is skipped."""
    workflows = [it.read_text() for it in (PROJECT / ".github/workflows").iterdir()]
    used = re.findall(r"uses: (.+)", "".join(workflows))

    assert used
    assert [it for it in used if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", it)] == []
    assert hashlib.sha256((PAGE / "htmx.min.js").read_bytes()).hexdigest() == HTMX
    assert re.search(r"pip-audit==\S+ --strict ", (PROJECT / "Makefile").read_text())
