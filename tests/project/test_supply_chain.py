"""What others made is what we looked at, and is looked at again."""

import hashlib
import re

from people import PROJECT

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
