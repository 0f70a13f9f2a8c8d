"""
Tests of the text of the compose files and the Dockerfile.

The tests in tests/nightly/compose run the services.
"""

import re
from typing import Any

import yaml
from support.people import PROJECT

TEXTS = [(PROJECT / f"docker-compose{suffix}.yml").read_text() for suffix in ("", ".celery")]
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
"""The services that receive each secret, by file. A worker extends the scheduler of one machine."""


LIMITS = {
    "pids_limit": 512,
    "ulimits": {"core": 0},
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
"""The limits of every service, besides its memory."""


def holders(variable: str, services: dict[str, dict[str, Any]]) -> set[str]:
    """Return the names of the services that receive the variable's value."""
    return {name for name, service in services.items() if f"${{{variable}" in str(service)}


def test_every_secret_is_required_and_given_only_to_services_that_use_it() -> None:
    """No secret has a default or stands in a file."""
    secrets = {*re.findall(r"^(\w+)=$", EXAMPLE, re.M)} - {"WEIXIN_APPID", "WEIXIN_SECRET"}
    used = {*re.findall(r"(?<!\$)\$\{(\w+)([^}]+)\}", "".join(TEXTS))}
    written = re.findall(r"^ *\w*(?:PASSWORD|KEY|SECRET|CLI_AUTH)\w*: (.+)$", "".join(TEXTS), re.M)

    assert {pair for pair in used if pair[0] in secrets} == {(name, REQUIRED) for name in secrets}
    assert [value for value in written if not value.startswith("${")] == []
    for name, expected in HOLDERS.items():
        assert (holders(name, ONE_MACHINE), holders(name, WORKERS)) == expected, name
    assert WORKERS["worker"]["extends"]["service"] == "scheduler"


def test_only_the_ui_is_published_and_by_default_on_loopback() -> None:
    """Only services that call WeChat reach the internet. Forwarded headers are not trusted."""
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


def test_every_service_has_limits_and_no_rights() -> None:
    """`.env` can set the memory. No service runs as root or writes to its file system."""
    for name in [*ONE_MACHINE, "redis"]:
        service = SERVICES[name]
        memory = re.fullmatch(r"\$\{(\w+_MEMORY):-\d+[gm]\}", service["mem_limit"])
        # The project's own image sets its user in the Dockerfile.
        user = service["image"].partition(":")[0] if service["image"][0] != "$" else None

        assert memory, name
        assert f"\n# {memory[1]}=" in EXAMPLE
        assert service.items() >= LIMITS.items(), name
        assert "max-size" in service["logging"]["options"], name
        assert service.get("user") == user, name


def test_redis_does_not_deliver_a_running_task_twice() -> None:
    """The visibility timeout exceeds the two hours that an ingest may take."""
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"

    for service in ("scheduler", "worker"):
        assert int(WORKERS[service]["environment"][name]) > 7200


def test_the_image_installs_only_locked_packages_and_does_not_run_as_root() -> None:
    """Every installation checks hashes, except that of the wheel just built."""
    dockerfile = (PROJECT / "Dockerfile").read_text().replace("uv pip", "pip")
    installs = re.findall(r"(?:pip install|uv build)(?:[^\n\\&]|\\\n)*", dockerfile)

    assert ["--require-hashes" in install for install in installs] == [True, True, True, False]
    assert "--no-deps dist/*.whl" in installs[3]
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.M)) == {"python:3.13-slim"}
    assert re.findall(r"^USER (.+)$", dockerfile, re.M) == ["weixin"]
