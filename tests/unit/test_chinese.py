"""Every sentence that operators are told has its Chinese: the code is searched for them."""

import ast
import importlib
import re
import time
import tomllib
from collections.abc import Iterator
from datetime import date
from itertools import count, product
from pathlib import Path
from types import ModuleType

import pytest

import weixin_etl
from weixin_etl.api import errors
from weixin_etl.health import chinese
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.warehouse import errors as errors_of_warehouse

PACKAGE = Path(weixin_etl.__file__).parent
CATALOGUE = tomllib.loads(chinese.CATALOGUE.read_text())
TEXTS: dict[str, str] = CATALOGUE["texts"]
TELL_NOBODY = (
    "cli",
    "kept.imported",
    "probe",
    *map("orchestration.{}".format, ("commands", "page", "settings")),
)
"""Modules without causes or cures: what they print or serve is English."""
NAMED_SO = {"cause", "cure", "met_by", "asked_again", "why", "never", "unreadable"}
"""Variables, attributes and keywords whose texts are sentences."""
ARGUMENTS: dict[str, tuple[int, ...]] = {
    **{name: (0,) for name in vars(errors) if name.endswith("Error")},
    **dict.fromkeys(("ParameterError", "_reject", "_unknown"), (0,)),
    **dict.fromkeys(("Advice", "Matter", "WarehouseError", "PassingWarehouseError"), (0, 1)),
    **dict.fromkeys(("Problem", "_unusable"), (1, 2)),
    **{"problem_of": (2, 3), "from_errcode": (1,)},
    "says": (0,),
}
"""Where sentences stand in calls, by position."""
RETURNING = {"_describe", "too_large", "_successor", "connection", "disagreement"}
RETURNING |= {"_when", "_what_is_well", "_refusal"}
"""Functions that return one."""
OF_POSTGRES = errors_of_warehouse._SAYS_NO_CONNECTION_LEFT
"""What Postgres says: looked for, not said."""
numbers = map(str, count(9001))


def rendered(node: ast.expr | None, module: ModuleType) -> list[str]:
    """The texts that an expression stands for, with a number in place of each value."""
    match node:
        case ast.Call(func=ast.Name(id="counted"), args=[_, ast.Constant(value=what)]):
            return [f"{next(numbers)} {what}{plural}" for plural in ("", "s")]
        case ast.Call(func=ast.Attribute(attr="beijing_text"), args=instants):
            return [f"{' to '.join(next(numbers) for _ in instants)} Beijing time"]
        case ast.Constant(value=str(text)):
            return [re.sub(r"{\w+}|%s", lambda _: next(numbers), text)]
        case ast.Name(id=name) if isinstance(getattr(module, name, None), str):
            return [getattr(module, name)]
        case ast.JoinedStr(values=parts):
            return ["".join(it) for it in product(*(rendered(part, module) for part in parts))]
        case ast.FormattedValue(value=value):
            return rendered(value, module) or [next(numbers)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            sides = [rendered(side, module) for side in (left, right)]
            filled = (side or [next(numbers)] for side in sides)
            return ["".join(it) for it in product(*filled)] if any(sides) else []
        case ast.IfExp(body=first, orelse=second):
            return [text for it in (first, second) for text in rendered(it, module)]
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            return [text for it in parts for text in rendered(it, module)]
    return []


def sentences(node: ast.AST) -> list[ast.expr]:
    """What of a statement or a call are sentences."""
    match node:
        case ast.Call(func=called, args=arguments, keywords=keywords):
            name = getattr(called, "id", getattr(called, "attr", ""))
            named = [it.value for it in keywords if it.arg in NAMED_SO]
            return named + [arguments[it] for it in ARGUMENTS.get(name, ()) if it < len(arguments)]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            its = zip(names, values, strict=True)
            return [value for name, value in its if getattr(name, "id", "") in NAMED_SO]
        case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
            return [ast.BinOp(target, op, value)] if name in NAMED_SO else []
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in NAMED_SO:
            return [value]
        case ast.Assign(value=ast.Dict() | ast.Tuple() as several):
            return [several]
        case ast.AnnAssign(value=ast.Dict() as several):
            return [several]
        case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=str()) | ast.JoinedStr(), *_])):
            return [node.value]
        case ast.FunctionDef(name=name) if name in RETURNING:
            return [it.value for it in ast.walk(node) if isinstance(it, ast.Return) and it.value]
    return []


def modules() -> Iterator[tuple[ast.Module, ModuleType]]:
    """Those that say something to operators; the titles have a table of their own."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if not name.startswith(TELL_NOBODY):
            tree = ast.parse(path.read_text())
            tree.body = [it for it in tree.body if getattr(it, "name", "") != "ProblemKind"]
            yield tree, importlib.import_module(f"weixin_etl.{name}".rstrip("."))


MODULES = [*modules()]


def told() -> set[str]:
    """Every sentence of the package, with numbers in place of values, and those of SQLSTATEs."""
    matters = errors_of_warehouse.BY_SQLSTATE.values()
    return {text for matter in matters for text in (matter.cause, matter.cure)} | {
        text
        for tree, module in MODULES
        for node in ast.walk(tree)
        for sentence in sentences(node)
        for text in rendered(sentence, module)
        if re.search("[a-z]{2} [a-z]", text)
    }


def possible() -> set[str]:
    """Every text of the package, said or not."""
    nodes = [(node, module) for tree, module in MODULES for node in ast.walk(tree)]
    texts = {
        text
        for node, module in nodes
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for text in rendered(node, module)
    }
    counted = {
        f"{next(numbers)} {what.value}{plural}"
        for node, _ in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "counted"
        for what in node.args[1:]
        if isinstance(what, ast.Constant)
        for plural in ("", "s")
    }
    return {*texts, *counted, *told()}


def test_every_sentence_has_its_chinese() -> None:
    """With its values, and nothing left in English."""
    english_left = re.compile("[a-z]{2,} [a-z]{2,} [a-z]{2,}")
    its = {text: chinese.of(text) for text in told() - set(OF_POSTGRES)}
    without = [it for it in its if its[it] == it or english_left.search(its[it])]

    assert len(its) > 250
    assert without == []


def test_nothing_in_the_catalogue_is_said_no_more() -> None:
    """Each English text of it is one of the package's."""
    texts = possible()
    patterns = {it: re.sub(r"\\{\w+\\}", ".+", re.escape(it)) for it in TEXTS}

    assert [it for it in TEXTS if not any(map(re.compile(patterns[it]).fullmatch, texts))] == []


@pytest.mark.parametrize("english", TEXTS)
def test_an_example_of_each_text_comes_back_with_its_values(english: str) -> None:
    """Whatever sentences are more like it; and both languages have the same places."""
    places = re.findall(r"{(\w+)}", english)
    values = dict(zip(places, numbers, strict=False))

    assert sorted(places) == sorted(re.findall(r"{(\w+)}", TEXTS[english]))
    assert "}{" not in english
    assert chinese.of(english.format(**values)) == TEXTS[english].format(**values)


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_kind_has_its_title(kind: ProblemKind) -> None:
    """About the account, or about what else it names."""
    problem = Problem(kind, "a cause", "a cure", account="春风", subject="int_page")
    who, subject = ("春风" if "{who}" in kind.heading else ""), ("{subject}" in kind.heading)

    title = chinese.title(problem)

    assert title.startswith(who)
    assert ("int_page" in title) == subject
    assert re.search("[\u4e00-\u9fff]", title.removeprefix("春风"))


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("the AppSecret is wrong: invalid appsecret", "AppSecret 错误：invalid appsecret"),
        ("the AppSecret is wrong: wait 3 days: please", "AppSecret 错误：wait 3 days: please"),
        ("correct the login in the connection spring", "改正连接 spring 中的 login"),
        (
            "no usable answer came: no connection within 5 s",
            "没有得到可用的应答：5 秒内没有连上",
        ),
        (
            "share_user is a text, not a whole number from 0 to 9223372036854775807 and 3 more",
            "share_user 是文本，不是 0 到 9223372036854775807 的整数，另有 3 个",
        ),
        (
            "wait; Airflow tries again; then trigger weixin_article_total with begin_date "
            "2026-08-03 and end_date 2026-08-04",
            "稍等；Airflow 会重试；然后用 begin_date 2026-08-03 和 end_date 2026-08-04 "
            "触发 weixin_article_total",
        ),
        ("an account {x} that nobody knows", "an account {x} that nobody knows"),
        ("", ""),
    ],
)
def test_values_stay_unless_they_are_sentences(english: str, expected: str) -> None:
    """Names, details, and what the catalogue does not have."""
    assert chinese.of(english) == expected


def test_a_problem_is_told_whole() -> None:
    """Cure, cause, days and ids, in the order of the English line; WeChat's words as they came."""
    problem = Problem(
        ProblemKind.CONFIGURATION,
        "the AppSecret is wrong: the clocks disagree",
        "correct the password in the connection day",
        account="day",
        appid="wx1",
        conn_id="day",
        days=(date(2026, 11, 17), date(2026, 11, 18)),
        errcode=40125,
    )

    assert chinese.line(chinese.told(problem)) == (
        "day：改正连接 day 中的 password（AppSecret 错误：the clocks disagree） · "
        "2026-11-17 至 2026-11-18 · day，错误码 40125"
    )


@pytest.mark.parametrize("name", ["day", "the clocks disagree", "x and 3 more", "no"])
def test_what_strangers_wrote_stays(name: str) -> None:
    """Names that are sentences: of an account, of the first of several, of an entry, in a place."""
    kind = ProblemKind.CONFIGURATION
    account = Problem(kind, f"it does not authorise {name}", "", name, "wx1")
    several = Problem(
        ProblemKind.CALL_REFUSED, f"it does not authorise {name}", "", f"{name} and 2 more"
    )
    entry = Problem(kind, "", "", name, subject=name)

    assert chinese.title(account) == f"{name}：被拒绝"
    assert chinese.told(account).cause == f"它没有授权 {name}"
    assert chinese.told(several).account == f"{name}，另有 2 个"
    assert chinese.told(several).cause == f"它没有授权 {name}"
    assert chinese.told(entry).account == name
    assert chinese.title(Problem(ProblemKind.UNREACHABLE, "", "")) == "微信：无法访问"


@pytest.mark.parametrize("hostile", ["the clocks disagree: ", "a ", ": ", " is ", "x and 3 more"])
def test_any_text_takes_time_in_proportion_to_its_length(hostile: str) -> None:
    """Ten million characters of a stranger's, within a few seconds."""
    started = time.process_time()
    chinese.of(hostile * (10_000_000 // len(hostile)))

    assert time.process_time() - started < 5
