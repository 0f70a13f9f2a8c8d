"""TLS is verified, and a certificate nobody vouches for is refused in words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wire import DATASET, DAY, LIMITS, Wire, answered, refused

from weixin_etl.api.client import WeixinClient
from weixin_etl.problem import ProblemKind


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
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
    wire.speak_tls(str(certificate), str(certificate.with_name("key.pem")))
    return start_wire(wire)


def test_a_self_signed_certificate_is_refused_before_anything_is_said(https: Wire):
    """Neither secret nor token goes to a server that cannot prove who it is; the tries end."""
    error = refused(WeixinClient(https.account, LIMITS).datacube(DATASET, DAY)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert "the TLS certificate could not be verified" in str(error)
    assert https.asked == []
    assert https.connections == 3


def test_a_certificate_that_the_machine_trusts_is_accepted(
    https: Wire, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    """The same server, once its certificate is among the trusted ones."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    assert answered(WeixinClient(https.account, LIMITS).datacube(DATASET, DAY))


def test_a_server_that_speaks_no_tls_is_told_apart_from_a_bad_certificate(wire: Wire):
    """The operator looks for a wrong port or a proxy, not for a certificate."""
    wire.scheme = "https"

    error = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert "the TLS connection failed" in str(error)
    assert "certificate" not in str(error)
    assert wire.asked == []
