"""A test of msgspec types that several threads use for the first time at once."""

import subprocess
import sys

PROGRAM = """
import sys, threading
from typing import Annotated
import msgspec
from weixin_etl.api.threads import convert

sys.setswitchinterval(1e-6)
count = Annotated[int, msgspec.Meta(ge=0)] | None
for _ in range(100):
    form = msgspec.defstruct("Form", [(f"field_{n}", count, None) for n in range(30)])
    barrier = threading.Barrier(8)

    def meet():
        barrier.wait()
        assert convert({"field_29": 2}, form).field_29 == 2

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_threads_can_convert_to_a_new_type_at_once() -> None:
    """msgspec alone crashes the process here. Ruff therefore bans it outside `api.threads`."""
    assert subprocess.run([sys.executable, "-c", PROGRAM], timeout=120, check=False).returncode == 0
