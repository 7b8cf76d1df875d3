"""lib/certificates: files on flash become a TLS context, or one line says why not."""

import datetime
import re
import socket
import ssl
import subprocess
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.linewise import Linewise
from tools.certs import Authority, Identity, make_authority, parse_name
from tools.certs.authority import make_key
from tools.virtualboard import find_micropython

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = (ROOT / "docs/tls.md").read_text().split("## Messages on the serial port")[1]
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
YEAR = datetime.timedelta(days=365)
NAMES = [parse_name(name) for name in ("esp32-ws.local", "localhost", "192.168.4.1", "127.0.0.1")]
AUTHORITY = make_authority(NOW)
EC = AUTHORITY.make_server(NOW, NAMES)


@cache
def rsa():
    """Return a certificate with an RSA key, which takes long to find."""
    return AUTHORITY.make_server(NOW, NAMES, "rsa")


@pytest.fixture(params=["EC", "RSA"])
def server(request):
    return {"EC": lambda: EC, "RSA": rsa}[request.param]()


def certificate(identity, encoding=Encoding.DER):
    return identity.certificate.public_bytes(encoding)


def key(identity, encoding=Encoding.DER, form=PrivateFormat.PKCS8, protection=None):
    return identity.key.private_bytes(encoding, form, protection or NoEncryption())


def anchor(authority=AUTHORITY, encoding=Encoding.DER):
    return authority.make_anchor().public_bytes(encoding)


def signed(name, issuer, own, signer, critical=None):
    """A certificate for "localhost" as others may make it; `critical`: one more extension."""
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    builder = (
        x509.CertificateBuilder(names[1], names[0], own.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - YEAR)
        .not_valid_after(NOW + YEAR)
        .add_extension(x509.BasicConstraints(name != "server", None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    if critical:
        builder = builder.add_extension(critical, critical=True)
    return builder.sign(signer, SHA256())


BUILD = """
import sys
sys.path.insert(0, {lib!r})
{before}
from certificates import TLSError, context
try:
    print("built", type(context.server_context("cert", "key", {client_ca!r})).__name__)
except TLSError as error:
    print(error)
print("loaded:", sorted(name[13:] for name in sys.modules if name.startswith("certificates.")))
"""


@pytest.fixture
def build(lib, tmp_path):
    """build(cert=..., key=..., client_ca=...) -> what a MicroPython says that builds a context of
    files named cert, key and ca. client_ca may also be a path.
    """

    def run(cert=None, key=None, client_ca="", before="", heap="512k"):
        if isinstance(client_ca, bytes):
            (tmp_path / "ca").write_bytes(client_ca)
            client_ca = "ca"
        for name, content in (("cert", cert), ("key", key)):
            if content is not None:
                (tmp_path / name).write_bytes(content)
        program = BUILD.format(lib=str(lib), client_ca=client_ca, before=before)
        (tmp_path / "program.py").write_text(program)
        command = [*find_micropython(), "-X", f"heapsize={heap}", "program.py"]
        done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        line, run.loaded = done.stdout.splitlines()
        return line

    return run


BUILT = "built SSLContext"


# --- valid files

SEC1_OR_PKCS1 = PrivateFormat.TraditionalOpenSSL


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, SEC1_OR_PKCS1])
@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_certificate_and_its_key_make_a_context(build, server, encoding, form):
    assert build(certificate(server, encoding), key(server, encoding, form)) == BUILT


def test_text_around_pem_blocks_is_ignored(build):
    text = b"Subject: board\r\n\r\n" + certificate(EC, Encoding.PEM).replace(b"\n", b"\r\n")
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert build(text, parameters + key(EC, Encoding.PEM, SEC1_OR_PKCS1)) == BUILT


def test_certificate_and_key_can_be_in_one_pem_file(build):
    both = key(EC, Encoding.PEM) + certificate(EC, Encoding.PEM)
    assert build(both, both) == BUILT


def test_an_ec_key_without_its_public_point_is_accepted(build):
    number = EC.key.private_numbers().private_value.to_bytes(32, "big")
    # RFC 5915: version 1, the number, the curve; the public point is optional
    content = b"\x02\x01\x01\x04\x20" + number
    content += b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
    assert build(certificate(EC), b"\x30" + bytes([len(content)]) + content) == BUILT


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_an_authority_for_clients_is_accepted(build, encoding):
    assert build(certificate(EC), key(EC), anchor(encoding=encoding)) == BUILT


# --- problems and remedies


def check(line, file, what, remedy):
    """One line, which begins with the file, and has what is wrong with it and the remedy."""
    assert line.split()[0].rstrip(":") == file
    assert what in line
    assert re.split(r" \d", what)[0] in MESSAGES, "docs/tls.md does not explain it"
    assert remedy in line


def test_a_missing_certificate(build):
    check(build(None, key(EC)), "cert", "not found", "'make certs' or 'esp32-ws certs'")


def test_a_missing_key(build):
    check(build(certificate(EC)), "key", "not found", "copy it together")


def test_a_missing_authority_for_clients(build):
    line = build(certificate(EC), key(EC), client_ca="nowhere")
    check(line, "nowhere", "not found", "make certs")


@pytest.mark.parametrize("file", ["cert", "key"])
def test_a_folder_instead_of_a_file(build, tmp_path, file):
    (tmp_path / file).mkdir()
    files = {"cert": certificate(EC), "key": key(EC)}
    del files[file]
    check(build(**files), file, "cannot be read", "copy")


DAMAGED = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "something else": lambda data: b"-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----\n",
    "noise": lambda data: bytes(range(256)) * 4,
    "text": lambda data: b"<html>404 not found</html>",
    "zeros": lambda data: bytes(len(data)),
    "begun only": lambda data: b"-----BEGIN ",
    "not base64": lambda data: b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_certificate(build, damage, encoding):
    line = build(DAMAGED[damage](certificate(EC, encoding)), key(EC))
    check(line, "cert", "is not a certificate in PEM or DER, or is damaged", "copy it")


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_key(build, damage, encoding):
    line = build(certificate(EC), DAMAGED[damage](key(EC, encoding)))
    check(line, "key", "is not a private key in PEM or DER, or is damaged", "copy it")


def test_a_damaged_authority_for_clients(build):
    line = build(certificate(EC), key(EC), anchor()[:100])
    check(line, "ca", "is not a certificate in PEM or DER, or is damaged", "copy it")


def test_a_certificate_that_mbed_tls_does_not_support(build):
    limits = x509.NameConstraints([x509.DNSName("localhost")], None)
    own = make_key("ec")
    unknown = Identity(signed("server", "server", own, own, limits), own)
    for files in ((certificate(unknown), key(unknown)), (certificate(EC), key(EC))):
        line = build(*files, client_ca=certificate(unknown))
        file = "cert" if files[0] == certificate(unknown) else "ca"
        check(
            line, file, "of a type that MicroPython does not support", "use EC P-256 or RSA-2048"
        )


def test_a_key_that_mbed_tls_does_not_support(build):
    own = ed25519.Ed25519PrivateKey.generate()
    while own.public_key().public_bytes_raw()[0] == 0x30:  # looks like RSA: also refused
        own = ed25519.Ed25519PrivateKey.generate()
    server = Identity(signed("server", "server", own, make_key("ec")), own)
    line = build(certificate(server), key(server))
    check(line, "key", "of a type that MicroPython does not support", "use EC P-256 or RSA-2048")


OTHERS = {
    "an EC key of another EC certificate": lambda: (EC, AUTHORITY.make_server(NOW, NAMES)),
    "an RSA key of another RSA certificate": lambda: (rsa(), rsa.__wrapped__()),
    "an EC certificate, an RSA key": lambda: (EC, rsa()),
    "an RSA certificate, an EC key": lambda: (rsa(), EC),
}


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, SEC1_OR_PKCS1])
@pytest.mark.parametrize("pair", OTHERS)
def test_a_key_of_another_certificate(build, pair, form):
    server, other = OTHERS[pair]()
    line = build(certificate(server), key(other, form=form))
    check(line, "key", "belongs to another certificate", "copy both to the board again")


def test_a_key_with_a_passphrase(build):
    protection = BestAvailableEncryption(b"secret")
    for form in (PrivateFormat.PKCS8, SEC1_OR_PKCS1):
        line = build(certificate(EC), key(EC, Encoding.PEM, form, protection))
        check(line, "key", "has a passphrase", "remove it")


def test_an_expired_certificate(build):
    then = NOW - 2 * YEAR
    server = make_authority(then).make_server(then, NAMES)
    end = server.certificate.not_valid_after_utc
    line = build(certificate(server), key(server))
    check(line, "cert", f"expired on {end:%Y-%m-%d}", "make a new one")


@pytest.mark.parametrize("years", [1, 30], ids=["next year", "after 2049"])
def test_a_certificate_that_is_not_yet_valid(build, years):
    then = NOW + years * YEAR
    server = make_authority(then).make_server(then, NAMES)
    start = server.certificate.not_valid_before_utc
    line = build(certificate(server), key(server))
    check(line, "cert", f"is not valid before {start:%Y-%m-%d}", "set the clock")
    assert f"the clock shows {NOW:%Y-%m}" in line


def test_an_authority_for_clients_that_has_expired(build):
    line = build(certificate(EC), key(EC), anchor(make_authority(NOW - 12 * YEAR)))
    check(line, "ca", "expired on", "make a new one")


def test_a_file_that_is_too_long_is_not_read(build):
    line = build(bytes(3_000_000), key(EC))
    check(line, "cert", "is longer than 12288 bytes", "leave only what the server needs")


FILL = """
from certificates import context, files
keep = []
try:
    while True:
        keep.append(bytearray(500))
except MemoryError:
    del keep[:8]
"""


def test_a_heap_that_is_too_small(build):
    chain = certificate(rsa(), Encoding.PEM) * 7  # 9 KB
    line = build(chain, key(rsa()), before=FILL, heap="96k")
    check(line, "cert", "not enough memory for TLS", "lower server.max_clients")


@pytest.mark.parametrize("free, in_one", [(20000, 18000), (60000, 12000)])
def test_a_chip_without_memory_for_one_connection(build, free, in_one):
    regions = [(100000, in_one, in_one, 0), (50000, free - in_one, in_one // 2, 0)]
    before = f"""
class esp32:
    HEAP_DATA = 4
    idf_heap_info = staticmethod(lambda kind: {regions})
sys.modules["esp32"] = esp32
"""
    line = build(certificate(EC), key(EC), before=before)
    check(line, "cert", "not enough memory for TLS", "lower server.max_clients")


# --- arbitrary bytes

READER = """
import binascii, sys
sys.path.insert(0, sys.argv[1])
import io
from certificates import der, files
print("ready")
while True:
    line = sys.stdin.readline().strip()
    if not line:
        break
    first, second = (binascii.unhexlify(part) for part in line.split("-"))
    try:
        for certificate in files.objects(io.BytesIO(first), b"CERTIFICATE") or ():
            der.validity(certificate)
            der.belong_together(certificate, second)
        print("read")
    except ValueError:
        print("refused")
"""


@pytest.fixture(scope="module")
def reader(lib, tmp_path_factory):
    """reader(certificate, key) -> "read" or "refused" """
    program = tmp_path_factory.mktemp("reader") / "reader.py"
    program.write_text(READER)
    with Linewise(program, lib) as process:
        yield lambda first, second: process.ask(f"{first.hex()}-{second.hex()}")


def test_the_reader_reads_valid_files(reader):
    assert reader(certificate(EC), key(EC)) == "read"
    assert reader(certificate(rsa(), Encoding.PEM), key(rsa())) == "read"


def test_a_truncated_certificate_is_refused(reader):
    whole = certificate(EC)
    assert {reader(whole[:at], b"") for at in range(len(whole))} == {"refused"}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_modified_certificate_is_read_or_refused(reader, data):
    changed = bytearray(certificate(EC, data.draw(st.sampled_from([Encoding.DER, Encoding.PEM]))))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert reader(bytes(changed), key(EC)) in ("read", "refused")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=100))
def test_arbitrary_bytes_are_read_or_refused(reader, first, second):
    assert reader(first, second) in ("read", "refused")
    assert reader(b"0" + bytes([min(len(first), 127)]) + first, second) in ("read", "refused")


# --- DER files are used unparsed

TIME = "import sys\nclass time:\n    gmtime = staticmethod(lambda: (%d, 1, 1, 0, 0, 0, 5, 1))\n"
TIME += "sys.modules['time'] = time\n"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, SEC1_OR_PKCS1])
def test_with_der_files_the_checking_code_is_not_loaded(build, server, form):
    assert build(certificate(server), key(server, form=form), before=TIME % 2000) == BUILT
    assert build.loaded == "loaded: ['context']"


CHECKED = {
    "PEM": {"cert": certificate(EC, Encoding.PEM), "key": key(EC)},
    "the clock is set": {"cert": certificate(EC), "key": key(EC), "year": NOW.year},
    "client certificates": {"cert": certificate(EC), "key": key(EC), "client_ca": anchor()},
}


@pytest.mark.parametrize("reason", CHECKED)
def test_the_checking_code_is_loaded_if_it_is_needed(build, reason):
    files = dict(CHECKED[reason])
    build(before=TIME % files.pop("year", 2000), **files)
    assert build.loaded == "loaded: ['context', 'der', 'files']"


@pytest.mark.parametrize("pair", OTHERS)
def test_a_wrong_key_in_der_is_detected_without_a_clock(build, pair):
    server, other = OTHERS[pair]()
    line = build(certificate(server), key(other), before=TIME % 2000)
    check(line, "key", "belongs to another certificate", "copy both to the board again")


# --- on a board, and to real clients

SERVE = """
import socket
from certificates import TLSError
from certificates.context import server_context
try:
    context = server_context("/certs/a.crt", "/certs/a.key", {client_ca!r})
except TLSError as error:
    context = None
    print(error)
if context:
    listener = socket.socket()
    listener.bind(socket.getaddrinfo("0.0.0.0", 443)[0][-1])
    listener.listen(2)
    print("listening on 443")
    while True:
        plain = listener.accept()[0]
        try:
            stream = context.wrap_socket(plain, server_side=True)
            stream.write(b"you said " + stream.read(5))
            stream.close()
        except (OSError, ValueError) as error:
            print("refused:", error)
            plain.close()
"""


@pytest.fixture
def serve(make_board):
    """serve(certificate, key, client_ca) -> a board that answers TLS connections one by one."""

    def start(certificate, key, client_ca=b"", heap="128k"):
        files = {"certs/a.crt": certificate, "certs/a.key": key, "certs/ca.crt": client_ca}
        main = SERVE.format(client_ca="/certs/ca.crt" if client_ca else "")
        board = make_board(wait=False, files={**files, "main.py": main}, heap=heap)
        board.wait_for_log(r"listening on 443\n|>>> $")
        return board

    return start


def trusting(authority=AUTHORITY):
    """A client's context that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate(authority.identity))
    return context


def talk(board, context, name="localhost"):
    """The answer, and the TLS connection's facts."""
    with (
        socket.create_connection((board.address, board.https_port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as stream,
    ):
        stream.sendall(b"hello")
        return stream.recv(100), stream.version(), stream.getpeercert()


def test_a_client_that_trusts_the_authority_gets_the_newest_tls(serve, server, newest_tls):
    board = serve(certificate(server), key(server))
    answer, version, shown = talk(board, trusting(), "192.168.4.1")
    assert answer == b"you said hello"
    assert version == newest_tls
    assert ("IP Address", "192.168.4.1") in shown["subjectAltName"]
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        talk(board, trusting(make_authority(NOW, title="another authority")))
    with pytest.raises(ssl.SSLCertVerificationError, match="[Hh]ostname mismatch"):
        talk(board, trusting(), "bank.example")


def test_tls_1_2_uses_ephemeral_keys_and_authenticated_encryption(serve, server):
    board = serve(certificate(server), key(server))
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert talk(board, context)[:2] == (b"you said hello", "TLSv1.2")
    context.set_ciphers("kRSA:ECDHE+AES+SHA:ECDHE+AES+SHA256:!AESGCM:!CHACHA20:!AESCCM")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(board, context)


def test_a_board_with_64_kb_serves_tls(serve):
    board = serve(certificate(EC), key(EC), heap="64k")
    assert talk(board, trusting())[0] == b"you said hello"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, SEC1_OR_PKCS1])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_board_sends_all_certificates_of_a_chain(serve, kind, form):
    root, between, server = (make_key(kind) for _ in range(3))
    links = [
        signed("server", "between", server, between),
        signed("between", "further", between, root),
        signed("further", "root", root, root),
    ]
    chain = b"".join(link.public_bytes(Encoding.PEM) for link in links)
    board = serve(chain, key(Identity(links[0], server), Encoding.PEM, form))
    trusted = signed("root", "root", root, root)
    assert talk(board, trusting(Authority(Identity(trusted, root))))[0] == b"you said hello"


def test_only_clients_of_the_given_authority_are_accepted(serve, tmp_path):
    board = serve(certificate(EC), key(EC), anchor())

    def client(authority, now=NOW):
        identity = authority.make_client(now, "tom")
        file = tmp_path / "client.pem"
        file.write_bytes(key(identity, Encoding.PEM) + certificate(identity, Encoding.PEM))
        context = trusting()
        context.load_cert_chain(file)
        return context

    assert talk(board, client(AUTHORITY))[0] == b"you said hello"
    stranger = client(make_authority(NOW, title="another authority"))
    for context in (trusting(), stranger, client(AUTHORITY, NOW - 3 * YEAR)):
        position = board.log_position
        with pytest.raises((ssl.SSLError, ConnectionError)):
            talk(board, context)
        board.wait_for_log("refused: .*", since=position)
    assert talk(board, client(AUTHORITY))[0] == b"you said hello"


def test_an_authority_that_begins_after_the_boards_clock_is_refused(serve):
    """Otherwise Mbed TLS would refuse all clients without a reason."""
    board = serve(certificate(EC), key(EC), certificate(AUTHORITY.identity))
    board.wait_for_log(
        r"/certs/ca\.crt is not valid before .*clock shows 2000-01-01: set the clock, or use the "
        r"clients\.crt\.der"
    )


def test_a_client_with_a_server_certificate_is_refused(serve, tmp_path):
    board = serve(certificate(EC), key(EC), anchor())
    file = tmp_path / "client.pem"
    file.write_bytes(key(EC, Encoding.PEM) + certificate(EC, Encoding.PEM))
    context = trusting()
    context.load_cert_chain(file)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(board, context)


def test_without_a_clock_dates_are_not_checked(serve):
    then = NOW - 2 * YEAR
    server = make_authority(then).make_server(then, NAMES)
    assert "listening on 443" in serve(certificate(server), key(server)).log


def test_a_board_logs_the_problem_with_the_file_names(serve):
    board = serve(certificate(EC), key(rsa()))
    board.wait_for_log(r"/certs/a\.key belongs to another certificate than /certs/a\.crt: copy")
