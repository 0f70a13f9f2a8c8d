"""What chats could take for a link, a mention or markup in a stranger's title."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weixin_etl.text import unmarked


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("平常的标题：10:30 涨 3.5%", "平常的标题：10:30 涨 3.5%"),
        ('@all 看 <at user_id="all">所有人</at>', '＠all 看 ＜at user＿id="all"＞所有人＜／at＞'),
        ("<!channel> *粗* _斜_ ~删~ `码`", "＜!channel＞ ＊粗＊ ＿斜＿ ～删～ ｀码｀"),
        ("[点我](https://evil.example/x)", "［点我］（https：／／evil．example／x）"),
        ("见 evil.example 或 a@b.example", "见 evil．example 或 a＠b．example"),
        ("第一行\n# 第二行", "第一行 ＃ 第二行"),
        ("完。", "完。"),
        ("The end. Next", "The end. Next"),
    ],
)
def test_marks_become_full_width(title: str, shown: str) -> None:
    """A full stop or colon between digits, or at the end of a word, is no mark."""
    assert unmarked(title) == shown


@given(st.text())
def test_no_text_keeps_a_mark(title: str) -> None:
    """No domain, address, tag or Markdown is left in any text."""
    shown = unmarked(title)
    assert not re.search(r"[<>@#&*_~`|/\\\[\]()\n]", shown)
    assert not re.search(r"[^\W\d]\.\w|\w\.[^\W\d]|://", shown)
