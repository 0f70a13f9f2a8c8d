"""What others made is what we looked at, and is looked at again."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HTMX = ROOT / "plugins/weixin_etl/orchestration/page/htmx"
WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Type `make`; the one that may be running these tests has no say in it."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={**own, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_audit_without_an_index_fails_and_says_so() -> None:
    """Nothing was looked up: that is not "no known vulnerabilities"."""
    nobody = "http://127.0.0.1:1"

    said = make("audit", https_proxy=nobody, HTTPS_PROXY=nobody, no_proxy="", NO_PROXY="")

    assert said.returncode != 0
    assert said.stderr.startswith("Nothing was audited: https://pypi.org/pypi/")
    assert "No known vulnerabilities" not in said.stdout + said.stderr


def test_an_audit_fails_over_a_package_that_is_not_found() -> None:
    """Without this option pip-audit lists it as skipped, and succeeds."""
    assert re.search(r"pip-audit==\S+ --strict ", make("--dry-run", "audit").stdout)


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved; a comment says which one the commit had."""
    used = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]

    assert len(used) >= 3
    assert [it for it in used if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", it)] == []


def test_htmx_is_npms() -> None:
    """Byte for byte that of the version in the Makefile: `make htmx` compares it with npm's."""
    (version,) = re.findall(r"^HTMX_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    script = (HTMX / "htmx.min.js").read_bytes()

    assert f'version="{version}"'.encode() in script
    assert hashlib.sha256(script).hexdigest() == (
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    )
    assert (HTMX / "LICENSE").read_text().startswith("Zero-Clause BSD\n")
