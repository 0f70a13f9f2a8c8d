"""Types that several threads meet at once."""

import ast
import subprocess
import sys
from pathlib import Path

import weixin_etl

PLAIN = ("type=str", "type=list[str]")
"""Of these there is nothing to prepare."""
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


def test_threads_that_meet_a_type_at_once():
    """msgspec alone ends the process by a segmentation fault."""
    assert subprocess.run([sys.executable, "-c", PROGRAM], timeout=120, check=False).returncode == 0


def test_nothing_else_lets_msgspec_meet_a_type():
    """`api.threads.convert` does, or a decoder that is made when its module is imported."""
    package = Path(weixin_etl.__file__).parent
    found = [
        f"{path.relative_to(package)}:{call.lineno}"
        for path in package.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and (
            ast.unparse(call.func) == "msgspec.convert"
            or (
                ast.unparse(call.func) == "msgspec.json.decode"
                and any(ast.unparse(it) not in PLAIN for it in call.keywords)
            )
        )
    ]

    assert [
        it for it in found if not it.startswith(("parse/", "datasets.py", "api/threads.py"))
    ] == []
