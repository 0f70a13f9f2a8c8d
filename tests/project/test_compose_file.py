"""The compose files and the Dockerfile keep their promises; tests/nightly/compose tries them."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TEXTS = [(ROOT / f"docker-compose{it}.yml").read_text() for it in ("", ".celery")]
yaml.SafeLoader.add_constructor("!override", yaml.SafeLoader.construct_sequence)
ONE_MACHINE, WORKERS = (yaml.safe_load(text)["services"] for text in TEXTS)
IMAGES = {"${COMPOSE_PROJECT_NAME}": None, "postgres:18": "postgres", "redis:8": "redis"}
"""Each with the user that it is given; ours has one of its own."""
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
    empty = set(re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.M))
    said = re.findall(r"^ *\w*(?:PASSWORD|KEY|SECRET|CLI_AUTH)\w*: (.+)$", "".join(TEXTS), re.M)
    made = [re.fullmatch(r"\$\{(\w+):\?`make secrets` puts one into \.env\}", it) for it in said]

    assert {it and it[1] for it in made} == empty - {"WEIXIN_APPID", "WEIXIN_SECRET"}
    assert {it: (holders(it, ONE_MACHINE), holders(it, WORKERS)) for it in HOLDERS} == HOLDERS
    assert WORKERS["worker"]["extends"]["service"] == "scheduler"


def test_the_ui_alone_is_published_and_by_default_on_loopback() -> None:
    """Who asks WeChat has a way out; no forwarded header is believed."""
    services = {**WORKERS, **ONE_MACHINE}
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    outside = {name for name, service in ONE_MACHINE.items() if "outside" in service["networks"]}

    assert published == {"api-server": ["${AIRFLOW_ADDRESS:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]}
    assert ONE_MACHINE["api-server"]["environment"]["FORWARDED_ALLOW_IPS"] == "${AIRFLOW_PROXIES:-}"
    assert yaml.safe_load(TEXTS[0])["networks"]["inside"] == {"internal": True}
    assert outside == {"api-server", "scheduler"}
    assert WORKERS["scheduler"]["networks"] == WORKERS["redis"]["networks"] == ["inside"]


@pytest.mark.parametrize("name", [*ONE_MACHINE, "redis"])
def test_every_service_is_limited_and_nobody(name: str) -> None:
    """Memory that `.env` can set, processes, no core dump, no root, nothing to write to."""
    settings = {**WORKERS, **ONE_MACHINE}[name]
    memory = re.fullmatch(r"\$\{(\w+_MEMORY):-\d+[gm]\}", settings["mem_limit"])

    assert memory
    assert f"\n# {memory[1]}=" in (ROOT / ".env.example").read_text()
    assert (settings["pids_limit"], settings["ulimits"]) == (512, {"core": 0})
    assert (settings["cap_drop"], settings["read_only"]) == (["ALL"], True)
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert "max-size" in settings["logging"]["options"]
    assert settings.get("user") == IMAGES[settings["image"]]


def test_no_task_starts_before_the_api_server_answers_nor_twice() -> None:
    """It would fail without a log; Redis hands out again what takes longer than its time-out."""
    longest = timedelta(hours=2)  # of ingest: dags/weixin_article_statistics.py
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"

    assert "healthcheck" in ONE_MACHINE["api-server"]
    assert ONE_MACHINE["scheduler"]["depends_on"]["api-server"] == {"condition": "service_healthy"}
    for service in ("scheduler", "worker"):
        assert int(WORKERS[service]["environment"][name]) > longest.total_seconds()


def test_the_image_has_what_is_locked_nothing_else_and_no_root() -> None:
    """Every install and the build check hashes, but that of the wheel just built."""
    installs = re.findall(
        r"(?:pip install|uv build)(?:[^\n\\&]|\\\n)*", DOCKERFILE.replace("uv pip", "pip")
    )

    assert ["--require-hashes" in install for install in installs] == [True, True, True, False]
    assert "--no-deps dist/*.whl" in installs[3]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"python:3.13-slim"}
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["weixin"]
