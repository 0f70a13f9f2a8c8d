"""Who is spoken to, and when: TLS is verified, and the clocks agree, or no token is used."""

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
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(pem) + private)
    return str(path)


def test_nothing_is_said_to_a_server_that_cannot_prove_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the machine trusts its certificate it is asked."""
    # where one is set, requests verifies with it even when it was told not to verify
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
OTHER = [-3600, -310, 310, 86_400 * 400]


def date_header(date: int | str | None) -> bytes:
    """A header `Date`: so many seconds from now, or this text; another header for None."""
    if isinstance(date, int):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=date), usegmt=True)
    return b"X: y" if date is None else f"Date: {date}".encode()


@pytest.mark.parametrize(
    ("body", "date", "is_used"),
    [(TOKEN, it, True) for it in SAME]
    + [(it, date, False) for it in (TOKEN, REFUSED) for date in OTHER],
)
@pytest.mark.usefixtures("now")
def test_a_token_of_another_time_is_not_used(
    wire: Wire, body: bytes, date: int | str | None, is_used: bool
) -> None:
    """
    Wherever `WEIXIN_NOW` is; not asked again: a clock is set by somebody. Both clocks are told.

    A header that is missing or says no time is not compared.
    """
    ahead = timedelta(seconds=date if isinstance(date, int) else 0)
    wire.on_token = says(body, 200, date_header(date))

    came = call(wire)

    assert (len(wire.token_calls), len(wire.data_calls)) == (1, int(is_used))
    if not is_used:
        error = refused(came).error
        told = re.findall(r"[-\d]{10} [:\d]{8}", str(error))
        ours, theirs = (datetime.fromisoformat(f"{it}+08:00") for it in told)
        assert error.kind is ProblemKind.CLOCK
        assert abs(theirs - ours - ahead) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("body", "date", "is_used"),
    [(FIGURES, it, True) for it in SAME]
    + [(it, date, False) for it in (FIGURES, REFUSED) for date in OTHER],
)
def test_figures_of_another_time_are_not_used(
    wire: Wire, body: bytes, date: int | str | None, is_used: bool
) -> None:
    """A token service gives the token, whatever its clock says: WeChat's decides."""
    service = replace(wire.account, token_url=f"{wire.account.base_url}/tokens")
    wire.on_data = in_turn(says(TOKEN, 200, date_header(-3600)), says(body, 200, date_header(date)))

    came = WeixinClient(service, LIMITS).datacube(DATASET, DAY)

    assert [it.path for it in wire.asked] == ["/tokens", DATASET.path]
    assert is_used or refused(came).error.kind is ProblemKind.CLOCK
    assert not is_used or answered(came).body == body
