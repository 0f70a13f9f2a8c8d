"""The compose files and the Dockerfile keep their promises; tests/nightly/compose tries them."""

import re
from typing import Any

import yaml
from support.people import PROJECT

TEXTS = [(PROJECT / f"docker-compose{it}.yml").read_text() for it in ("", ".celery")]
EXAMPLE = (PROJECT / ".env.example").read_text()
yaml.SafeLoader.add_constructor("!override", yaml.SafeLoader.construct_sequence)
ONE_MACHINE, WORKERS = (yaml.safe_load(text)["services"] for text in TEXTS)
SERVICES = {**WORKERS, **ONE_MACHINE}
REQUIRED = ":?`make secrets` puts one into .env"
HOLDERS: dict[str, tuple[set[str], set[str]]] = {
    "POSTGRES_PASSWORD": ({"postgres"}, set()),
    "WEIXIN_OWNER_PASSWORD": ({"postgres", "init"}, set()),
    "WEIXIN_LOADER_PASSWORD": ({"postgres", "scheduler"}, set()),
    "WEIXIN_PAGE_PASSWORD": ({"postgres", "api-server"}, set()),
    "AIRFLOW_ADMIN_PASSWORD": ({"init"}, set()),
    "WEIXIN_SECRET": ({"scheduler"}, set()),
    "REDIS_PASSWORD": (set(), {"redis", "scheduler", "worker"}),
}
"""Who is given a secret, by either file; a worker has what the scheduler of one machine has."""


def holders(variable: str, services: dict[str, dict[str, Any]]) -> set[str]:
    """The services whose environment has the variable's value."""
    return {name for name, service in services.items() if f"${{{variable}" in str(service)}


def test_every_secret_is_required_made_by_make_secrets_and_given_to_those_who_use_it() -> None:
    """None has a default or is written down; `.env.example` leaves the account and them empty."""
    secrets = {*re.findall(r"^(\w+)=$", EXAMPLE, re.M)} - {"WEIXIN_APPID", "WEIXIN_SECRET"}
    used = {*re.findall(r"(?<!\$)\$\{(\w+)([^}]+)\}", "".join(TEXTS))}
    written = re.findall(r"^ *\w*(?:PASSWORD|KEY|SECRET|CLI_AUTH)\w*: (.+)$", "".join(TEXTS), re.M)

    assert {it for it in used if it[0] in secrets} == dict.fromkeys(secrets, REQUIRED).items()
    assert [it for it in written if not it.startswith("${")] == []
    assert {it: (holders(it, ONE_MACHINE), holders(it, WORKERS)) for it in HOLDERS} == HOLDERS
    assert WORKERS["worker"]["extends"]["service"] == "scheduler"


def test_the_ui_alone_is_published_and_by_default_on_loopback() -> None:
    """Who asks WeChat has a way out; no forwarded header is believed; no task starts before it."""
    ui = ONE_MACHINE["api-server"]
    published = {name for name, service in SERVICES.items() if "ports" in service}
    outside = {name for name, service in ONE_MACHINE.items() if "outside" in service["networks"]}

    assert published == {"api-server"}
    assert ui["ports"] == ["${AIRFLOW_ADDRESS:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]
    assert ui["environment"]["FORWARDED_ALLOW_IPS"] == "${AIRFLOW_PROXIES:-}"
    assert yaml.safe_load(TEXTS[0])["networks"]["inside"] == {"internal": True}
    assert outside == {"api-server", "scheduler"}
    assert WORKERS["scheduler"]["networks"] == WORKERS["redis"]["networks"] == ["inside"]
    assert ONE_MACHINE["scheduler"]["depends_on"]["api-server"] == {"condition": "service_healthy"}


def test_every_service_is_limited_and_nobody() -> None:
    """Memory that `.env` can set, processes, no core dump, no root, nothing to write to."""
    for name in [*ONE_MACHINE, "redis"]:
        it = SERVICES[name]
        memory = re.fullmatch(r"\$\{(\w+_MEMORY):-\d+[gm]\}", it["mem_limit"])
        # ours has a user of its own
        user = it["image"].partition(":")[0] if it["image"][0] != "$" else None

        assert memory, name
        assert f"\n# {memory[1]}=" in EXAMPLE
        assert (it["pids_limit"], it["ulimits"], it["read_only"]) == (512, {"core": 0}, True), name
        assert (it["cap_drop"], it["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
        assert "max-size" in it["logging"]["options"], name
        assert it.get("user") == user, name


def test_redis_hands_nothing_out_again_that_is_at_work() -> None:
    """What takes longer than its time-out would run twice: an ingest may take two hours."""
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"

    assert min(int(WORKERS[it]["environment"][name]) for it in ("scheduler", "worker")) > 7200


def test_the_image_has_what_is_locked_nothing_else_and_no_root() -> None:
    """Every install and the build check hashes, but that of the wheel just built."""
    dockerfile = (PROJECT / "Dockerfile").read_text().replace("uv pip", "pip")
    installs = re.findall(r"(?:pip install|uv build)(?:[^\n\\&]|\\\n)*", dockerfile)

    assert ["--require-hashes" in install for install in installs] == [True, True, True, False]
    assert "--no-deps dist/*.whl" in installs[3]
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.M)) == {"python:3.13-slim"}
    assert re.findall(r"^USER (.+)$", dockerfile, re.M) == ["weixin"]
