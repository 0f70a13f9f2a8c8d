"""The system user that root's Postgres runs as, on a machine that does not have it yet."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from weixin_local.postgres import SERVER_USER

AT_ONCE = 6
SAYS_THE_USER = (
    "import os, pwd; from weixin_local import postgres; "
    "os.write(1, b'%d\\n' % pwd.getpwnam(postgres.server_user()).pw_uid)"
)
ON_A_NEW_MACHINE = f"""
set -eu
mount --bind "$1" /etc
mount -t tmpfs none /var/lib
sed -i '/^{SERVER_USER}:/d' /etc/passwd /etc/shadow /etc/group /etc/gshadow
for number in $(seq {AT_ONCE}); do
    "$2" -c "$3" &
done
wait
"""
IN_A_NAMESPACE = ("unshare", "--mount", "sh", "-c")
MAY_MOUNT = (
    os.geteuid() == 0
    and not subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True, check=False
    ).returncode
)


@pytest.mark.skipif(not MAY_MOUNT, reason="only root has a mount namespace of its own")
def test_who_come_at_once_find_one_user(tmp_path: Path):
    """Several test workers start on a new machine: all of them mean the same number."""
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True)

    said = subprocess.run(
        [*IN_A_NAMESPACE, ON_A_NEW_MACHINE, "-", etc, sys.executable, SAYS_THE_USER],
        capture_output=True,
        text=True,
        check=True,
    )

    numbers = said.stdout.split()
    assert (len(numbers), len(set(numbers))) == (AT_ONCE, 1), said.stderr
