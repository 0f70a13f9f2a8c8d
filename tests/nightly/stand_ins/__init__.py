"""
Stand-ins for the base images, for a machine that can reach Debian and PyPI but no image registry.

They bear the official tags, so that `Dockerfile` and `docker-compose.yml` are tried as they are. An
image that is there already, the official one for example, is used instead.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support.people import printed, typed

RECIPES = Path(__file__).parent
LOCK = RECIPES.parents[2] / "requirements-dev.txt"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
REACHING = [f"Acquire::{what}" for what in ("http", "https", "Check-Valid-Until", "Check-Date")]
"""How whoever builds here reaches Debian: what is built in a container must do so as well."""


def make_missing() -> None:
    """Make the base images that Docker does not have."""
    for tag in ("python:3.13-slim", "postgres:18", "redis:8"):
        if not _is_there(tag):
            _build(tag, RECIPES / tag.partition(":")[0])


def newcomers(suite: str) -> str:
    """The image of a machine with a release of Debian, git, make and Python, and nothing else."""
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
    """A Debian with nothing but what the official images have beside their program."""
    with tempfile.TemporaryDirectory(prefix="weixin-debian-") as folder:
        extras = "--include=ca-certificates,netbase,tzdata"
        printed("debootstrap", "--variant=minbase", extras, suite, folder)
        reaches = printed("apt-config", "dump", *REACHING)
        Path(folder, "etc/apt/apt.conf.d/99builder").write_text(reaches)
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        with archive:
            subprocess.run(["docker", "import", "-", tag], stdin=archive.stdout, check=True)


def _is_there(tag: str) -> bool:
    return typed("docker", "image", "inspect", tag).returncode == 0
