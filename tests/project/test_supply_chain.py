"""What others made is what we looked at, and is looked at again."""

import hashlib
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HTMX = ROOT / "plugins/weixin_etl/orchestration/web/page/static"
WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())


def test_an_audit_fails_over_a_package_that_is_not_found() -> None:
    """Without this option pip-audit lists it as skipped, and succeeds."""
    said = subprocess.run(
        ["make", "--dry-run", "audit"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert re.search(r"pip-audit==\S+ --strict ", said.stdout)


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved; a comment says which one the commit had."""
    used = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]

    assert len(used) == 2
    assert [it for it in used if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", it)] == []


def test_htmx_is_npms() -> None:
    """Byte for byte that of htmx.org 4.0.1."""
    script = (HTMX / "htmx.min.js").read_bytes()

    assert hashlib.sha256(script).hexdigest() == (
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    )
    assert (HTMX / "htmx.LICENSE").read_text().startswith("Zero-Clause BSD\n")
