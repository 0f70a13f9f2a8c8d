"""Tests of the checks before an answer is used: the TLS certificate and the server's clock."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.wire import DATASET, DAY, LIMITS, Wire, answered, call, in_turn, refused, says

from weixin_etl.api.client import WeixinClient
from weixin_etl.problem import ProblemKind


def certificate_in(folder: Path) -> str:
    """Write a self-signed certificate for 127.0.0.1 with its key, and return the file's path."""
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
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(pem) + private)
    return str(path)


def test_no_request_is_sent_to_a_server_with_an_untrusted_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are sent once the machine trusts the certificate."""
    # With these variables requests would verify even if the client turned verification off.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    certificate, wire = certificate_in(tmp_path), Wire()
    wire.speak_tls(certificate)

    with wire.serving():
        error = refused(call(wire)).error
        assert error.kind is ProblemKind.UNREACHABLE
        assert "certificate verify failed" in str(error)
        assert (wire.asked, wire.connections) == ([], 3)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
        assert answered(call(wire))


TOKEN = b'{"access_token":"t","expires_in":7200}'
REFUSED = b'{"errcode":40125,"errmsg":"no"}'
FIGURES = b'{"list":[]}'
SAME = [-280, 280, "yesterday", "Wed, 25 Nov 99999 20:36:12 GMT", "", None]
DIFFERENT = [-3600, -310, 310, 86_400 * 400]


def date_header(date: int | str | None) -> bytes:
    """
    Return a header `Date`.

    Args:
        date: Seconds from now, a text, or None for an unrelated header instead.
    """
    if isinstance(date, int):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=date), usegmt=True)
    return b"X: y" if date is None else f"Date: {date}".encode()


@pytest.mark.parametrize(
    ("body", "date", "is_used"),
    [(TOKEN, date, True) for date in SAME]
    + [(body, date, False) for body in (TOKEN, REFUSED) for date in DIFFERENT],
)
@pytest.mark.usefixtures("now")
def test_a_token_is_not_used_if_the_clocks_differ(
    wire: Wire, body: bytes, date: int | str | None, is_used: bool
) -> None:
    """
    The call is not repeated, and the error tells both times. `WEIXIN_NOW` has no effect.

    A missing or unreadable header is not compared.
    """
    ahead = timedelta(seconds=date if isinstance(date, int) else 0)
    wire.on_token = says(body, 200, date_header(date))

    outcome = call(wire)

    assert (len(wire.token_calls), len(wire.data_calls)) == (1, int(is_used))
    if not is_used:
        error = refused(outcome).error
        times = re.findall(r"[-\d]{10} [:\d]{8}", str(error))
        own_time, server_time = (datetime.fromisoformat(f"{text}+08:00") for text in times)
        assert error.kind is ProblemKind.CLOCK
        assert abs(server_time - own_time - ahead) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("body", "date", "is_used"),
    [(FIGURES, date, True) for date in SAME]
    + [(body, date, False) for body in (FIGURES, REFUSED) for date in DIFFERENT],
)
def test_figures_are_not_used_if_the_clocks_differ(
    wire: Wire, body: bytes, date: int | str | None, is_used: bool
) -> None:
    """The clock of a token service does not matter; WeChat's clock does."""
    service = replace(wire.account, token_url=f"{wire.account.base_url}/tokens")
    wire.on_data = in_turn(says(TOKEN, 200, date_header(-3600)), says(body, 200, date_header(date)))

    outcome = WeixinClient(service, LIMITS).datacube(DATASET, DAY)

    assert [call.path for call in wire.asked] == ["/tokens", DATASET.path]
    assert is_used or refused(outcome).error.kind is ProblemKind.CLOCK
    assert not is_used or answered(outcome).body == body
