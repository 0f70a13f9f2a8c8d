"""
Stand-ins for Docker's base images, for a machine that reaches Debian and PyPI but no registry.

They have the official tags, so the tests use `Dockerfile` and `docker-compose.yml` unchanged. An
existing image, such as the official one, is used instead of a stand-in.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support.people import printed, typed

RECIPES = Path(__file__).parent
LOCK = RECIPES.parents[2] / "requirements-dev.txt"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
OPTIONS = [f"Acquire::{name}" for name in ("http", "https", "Check-Valid-Until", "Check-Date")]
"""This machine's options of apt for reaching Debian, which a build in a container needs too."""


def make_missing() -> None:
    """Build the base images that Docker lacks."""
    for tag in ("python:3.13-slim", "postgres:18", "redis:8"):
        if not _is_there(tag):
            _build(tag, RECIPES / tag.partition(":")[0])


def newcomers(suite: str) -> str:
    """Return the tag of an image with a Debian release, git, make and Python, and build it once."""
    tag = f"weixin-newcomer:{suite}"
    if not _is_there(tag):
        _build(tag, RECIPES / "newcomer", suite)
    return tag


def _build(tag: str, recipe: Path, suite: str = "trixie") -> None:
    debian = f"weixin-stand-in:{suite}"
    if not _is_there(debian):
        _import_debian(debian, suite)
    with tempfile.TemporaryDirectory(prefix="weixin-stand-in-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(recipe, context)
        for path in (AUTHORITIES, LOCK):
            shutil.copy(path, context)
        argument = f"--build-arg=DEBIAN={debian}"
        printed("docker", "build", "--quiet", "--tag", tag, argument, context)


def _import_debian(tag: str, suite: str) -> None:
    """Import a minimal Debian with the packages that the official images have."""
    with tempfile.TemporaryDirectory(prefix="weixin-debian-") as folder:
        extras = "--include=ca-certificates,netbase,tzdata"
        printed("debootstrap", "--variant=minbase", extras, suite, folder)
        reaches = printed("apt-config", "dump", *OPTIONS)
        Path(folder, "etc/apt/apt.conf.d/99builder").write_text(reaches)
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        with archive:
            subprocess.run(["docker", "import", "-", tag], stdin=archive.stdout, check=True)


def _is_there(tag: str) -> bool:
    return typed("docker", "image", "inspect", tag).returncode == 0
