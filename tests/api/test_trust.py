"""Who is spoken to, and when: TLS is verified, and the clocks agree, or no token is used."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wire import DATASET, DAY, LIMITS, Wire, answered, refused, says

from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.problem import ProblemKind


def call(wire: Wire) -> Answer | Refusal:
    """Ask for a day."""
    return WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    return path


@pytest.fixture
def https(
    start_wire: Callable[[Wire], Wire], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Wire:
    """A server with that certificate, on a machine that trusts nobody but the usual."""
    # where one is set, requests verifies with it even when it was told not to verify
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    wire = Wire()
    wire.speak_tls(str(certificate), str(certificate))
    return start_wire(wire)


def test_nothing_is_said_to_a_server_that_cannot_prove_who_it_is(
    https: Wire, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tries end; once the machine trusts its certificate it is asked."""
    error = refused(call(https)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert "certificate verify failed" in str(error)
    assert (https.asked, https.connections) == ([], 3)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert answered(call(https))


def test_a_server_that_speaks_no_tls_is_told_apart_from_a_bad_certificate(wire: Wire) -> None:
    """The operator looks for a wrong port or a proxy, not for a certificate."""
    wire.scheme = "https"

    error = refused(call(wire)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert "SSL" in str(error)
    assert "certificate" not in str(error)
    assert wire.asked == []


TOKEN = b'{"access_token":"t","expires_in":7200}'


def dated(seconds: float) -> bytes:
    """A Date header that is so far ahead of this machine."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return b"Date: " + format_datetime(at, usegmt=True).encode()


@pytest.mark.parametrize("seconds", [-3600, -310, 310, 86_400 * 400])
@pytest.mark.parametrize("body", [TOKEN, b'{"errcode":40125,"errmsg":"no"}'])
@pytest.mark.usefixtures("now")
def test_a_token_of_another_time_is_not_used(wire: Wire, seconds: int, body: bytes) -> None:
    """Wherever `WEIXIN_NOW` is; not asked again: a clock is set by somebody. Both are told."""
    wire.on_token = says(body, 200, dated(seconds))

    error = refused(call(wire)).error

    told = re.findall(r"[-\d]{10} [:\d]{8}", str(error))
    ours, theirs = (datetime.fromisoformat(f"{it}+08:00") for it in told)
    assert error.kind is ProblemKind.CLOCK
    assert (len(wire.token_calls), len(wire.data_calls)) == (1, 0)
    assert abs(theirs - ours - timedelta(seconds=seconds)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "header",
    [
        -280,
        280,
        b"Date: yesterday",
        b"Date: Wed, 25 Nov 99999 20:36:12 GMT",
        b"Date: Wed, 25 Nov 2026 20:36:12 +99999999999999999",
        b"Date;",
        b"X: y",
    ],
)
def test_a_token_of_the_same_time_or_of_none_is_used(wire: Wire, header: int | bytes) -> None:
    """A header that is missing or says no time is not compared."""
    wire.on_token = says(TOKEN, 200, dated(header) if isinstance(header, int) else header)

    assert answered(call(wire)).calls == 1


def test_what_is_no_answer_of_wechats_is_not_compared(wire: Wire) -> None:
    """A gateway's page is trouble on the way, whose clock does not matter."""
    wire.on_token = says(b"<html>", 404, dated(3600))

    assert refused(call(wire)).error.kind is ProblemKind.UNREACHABLE
