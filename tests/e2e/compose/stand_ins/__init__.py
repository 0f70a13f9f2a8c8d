"""
Stand-ins for the base images, for a machine that can reach Debian and PyPI but no image registry.

They bear the official tags, so that `Dockerfile` and `docker-compose.yml` are tried as they are. An
image that is there already, the official one for example, is used instead.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

RECIPES = Path(__file__).parent
LOCK = RECIPES.parents[3] / "requirements-dev.txt"
DEBIAN = "weixin-stand-in:trixie"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def make_missing() -> None:
    """Make the base images that Docker does not have."""
    for tag, recipe in {"python:3.13-slim": "python", "postgres:18": "postgres"}.items():
        if not _is_there(tag):
            _build(tag, RECIPES / recipe)


def _build(tag: str, recipe: Path) -> None:
    if not _is_there(DEBIAN):
        _import_debian()
    with tempfile.TemporaryDirectory(prefix="weixin-stand-in-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(recipe, context)
        for path in (AUTHORITIES, LOCK):
            shutil.copy(path, context)
        subprocess.run(["docker", "build", "--quiet", "--tag", tag, context], check=True)


def _import_debian() -> None:
    """A Debian with nothing but what the official images have beside their program."""
    with tempfile.TemporaryDirectory(prefix="weixin-debian-") as folder:
        extras = "--include=ca-certificates,netbase,tzdata"
        subprocess.run(["debootstrap", "--variant=minbase", extras, "trixie", folder], check=True)
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        with archive:
            subprocess.run(["docker", "import", "-", DEBIAN], stdin=archive.stdout, check=True)


def _is_there(tag: str) -> bool:
    found = subprocess.run(
        ["docker", "image", "inspect", tag], stdout=subprocess.DEVNULL, check=False
    )
    return found.returncode == 0
