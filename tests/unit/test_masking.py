"""Secrets are masked in parts as they are masked at once."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from airflow._shared.secrets_masker import SecretsMasker as OfServers
from airflow.sdk._shared.secrets_masker import SecretsMasker as OfTasks

from weixin_etl.orchestration.masking import PATTERNS_AT_ONCE, mask_in_parts

SECRETS = [f"secret-{number:06}" for number in range(3 * PATTERNS_AT_ONCE)]


@pytest.fixture(params=[OfServers, OfTasks], ids=["server", "task"])
def masker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A masker that knows a secret from before, and masks in parts from now on."""
    for kind in (OfServers, OfTasks):
        monkeypatch.setattr(kind, "add_mask", kind.add_mask)
    masker = request.param()
    masker.add_mask("known before")
    mask_in_parts()
    mask_in_parts()
    return masker


def test_every_secret_is_masked(masker: Any) -> None:
    """Those of full parts, of the newest one, and the one from before; nothing else."""
    for secret in SECRETS[:-1]:
        masker.add_mask(secret)

    text = " ".join(["known before", *SECRETS])
    assert masker.redact(text) == " ".join(["***"] * len(SECRETS)) + f" {SECRETS[-1]}"


def test_few_patterns_are_compiled_again(masker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of a secret does not grow with those known."""
    compiled: list[int] = []
    real = re.compile
    monkeypatch.setattr(re, "compile", lambda text: (compiled.append(len(text)), real(text))[1])

    for secret in SECRETS:
        masker.add_mask(secret)

    longest = PATTERNS_AT_ONCE * (len(re.escape(SECRETS[0])) + 1)
    assert max(compiled) <= longest
    assert any(later < earlier for earlier, later in pairwise(compiled[1::2]))


def test_names_are_heeded_and_a_reset_forgets(masker: Any) -> None:
    """As in Airflow: a harmless name keeps a value readable, and a new task begins anew."""
    masker.sensitive_variables_fields = ["password"]
    masker.hide_sensitive_var_conn_fields = True
    masker.add_mask({"password": "hidden away", "host": "in the open"})
    assert masker.redact("hidden away in the open") == "*** in the open"

    masker.reset_masker()
    assert masker.redact("hidden away known before") == "hidden away known before"
    masker.add_mask("hidden away")
    assert masker.redact("hidden away known before") == "*** known before"
