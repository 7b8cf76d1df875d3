"""`make certs`: an authority of one's own, and the certificates that it signs."""

import datetime
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from tools import ROOT
from tools.certs import Store, find_problem, make_authority, parse_name
from tools.certs.cli import main
from tools.virtualboard import VirtualBoard

pytestmark = pytest.mark.host

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
FOR_BOARDS = {"server.crt.der", "server.key.der", "clients.crt.der"}


def has_openssl():
    """Whether there is an OpenSSL of these days; LibreSSL, which macOS has, lacks some options."""
    if not shutil.which("openssl"):
        return False
    done = subprocess.run(["openssl", "version"], text=True, capture_output=True)
    return bool(re.match(r"OpenSSL (1\.1\.1|[3-9])", done.stdout))


needs_openssl = pytest.mark.skipif(not has_openssl(), reason="there is no OpenSSL from 1.1.1 on")


@pytest.fixture
def certs(tmp_path, capsys):
    """certs("--names", "...", now=...) -> (exit status, what was printed); files in certs.folder.

    The board has no config.json, unless a test writes tmp_path/config.json.
    """

    def run(*arguments, now=NOW):
        paths = ("--folder", str(run.folder), "--config", str(tmp_path / "config.json"))
        status = main([*paths, *arguments], now)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    run.folder = tmp_path / "certs"
    return run


def load(path):
    data = path.read_bytes()
    if path.suffix == ".pem":
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def names_of(certificate):
    return {str(name.value) for name in extension(certificate, x509.SubjectAlternativeName).value}


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def handshake(folder, name, trust=None, server=None, client=None):
    """Python's ssl as server and as client, which trusts one file alone; the client's view of the
    server's certificate. ssl.SSLError: one of them refused.
    """
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.load_cert_chain(*(server or (folder / "server.pem", folder / "server.key")))
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.load_verify_locations(trust or folder / "ca.pem")
    if client:
        listening.load_verify_locations(folder / "ca.pem")
        listening.verify_mode = ssl.CERT_REQUIRED
        asking.load_cert_chain(*client)
    ours, theirs = socket.socketpair()
    failure = []

    def serve():
        try:
            with listening.wrap_socket(theirs, server_side=True) as stream:
                stream.sendall(stream.recv(5))
        except (ssl.SSLError, OSError) as error:
            failure.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with asking.wrap_socket(ours, server_hostname=name) as stream:
            stream.sendall(b"hello")
            assert stream.recv(5) == b"hello"
            return stream.getpeercert()
    finally:
        ours.close()
        thread.join(10)


# --- what is made


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_client_that_trusts_the_authority_alone_accepts_the_server_by_all_its_names(certs, kind):
    assert certs("--key", kind)[0] == 0
    for name in ("192.168.4.1", "esp32-ws.local", "localhost", "127.0.0.1"):
        handshake(certs.folder, name)


@pytest.mark.parametrize("name", ["bank.example", "192.168.4.2", "other.local", "esp32-ws"])
def test_by_any_other_name_it_is_refused(certs, name):
    certs()
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(certs.folder, name)


def test_without_the_authority_it_is_refused(certs, tmp_path):
    certs()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certs.folder, "localhost", trust=certs.folder / "server.pem")
    main(["--folder", str(tmp_path / "others")])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certs.folder, "localhost", trust=tmp_path / "others" / "ca.pem")


def test_keys_are_ec_p256_and_on_request_rsa_2048(certs):
    certs()
    key = load(certs.folder / "server.pem").public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    certs("--key", "rsa")
    key = load(certs.folder / "server.pem").public_key()
    assert isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048


def test_the_certificates_say_what_browsers_want_to_read(certs):
    certs()
    ca, server = load(certs.folder / "ca.pem"), load(certs.folder / "server.pem")
    for certificate in (ca, server):
        assert certificate.signature_hash_algorithm.name == "sha256"
        assert certificate.version == x509.Version.v3
        assert extension(certificate, x509.BasicConstraints).critical
        assert extension(certificate, x509.KeyUsage).critical
    assert extension(ca, x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert extension(ca, x509.KeyUsage).value.key_cert_sign
    assert extension(server, x509.BasicConstraints).value == x509.BasicConstraints(False, None)
    assert extension(server, x509.KeyUsage).value.digital_signature
    assert not extension(server, x509.KeyUsage).value.key_cert_sign
    purposes = list(extension(server, x509.ExtendedKeyUsage).value)
    assert purposes == [ExtendedKeyUsageOID.SERVER_AUTH]
    own = extension(ca, x509.SubjectKeyIdentifier).value
    assert extension(server, x509.AuthorityKeyIdentifier).value.key_identifier == own.digest


def test_they_are_valid_from_yesterday_for_397_days_and_ten_years(certs):
    certs()
    ca, server = load(certs.folder / "ca.pem"), load(certs.folder / "server.pem")
    assert ca.not_valid_before_utc == server.not_valid_before_utc == NOW - DAY
    assert server.not_valid_after_utc - server.not_valid_before_utc == 397 * DAY
    assert 3650 * DAY <= ca.not_valid_after_utc - NOW <= 3653 * DAY


def test_the_server_is_not_valid_for_longer_than_its_authority(certs):
    certs(now=NOW - 3600 * DAY)
    certs(now=NOW)
    ca, server = load(certs.folder / "ca.pem"), load(certs.folder / "server.pem")
    assert server.not_valid_after_utc == ca.not_valid_after_utc


def test_what_is_for_boards_is_the_same_in_der(certs):
    certs()
    assert load(certs.folder / "server.crt.der") == load(certs.folder / "server.pem")
    assert load(certs.folder / "ca.crt") == load(certs.folder / "ca.pem")
    pem = load_pem_private_key((certs.folder / "server.key").read_bytes(), None)
    der = load_der_private_key((certs.folder / "server.key.der").read_bytes(), None)
    assert pem.private_numbers() == der.private_numbers()
    anchor = load(certs.folder / "clients.crt.der")
    assert anchor.public_key() == load(certs.folder / "ca.pem").public_key()
    assert anchor.not_valid_before_utc.year < 2000


@needs_openssl
def test_openssl_verifies_them_by_its_strict_rules(certs):
    certs()
    certs("--client", "tom")
    for options in (
        ["-purpose", "sslserver", "-verify_ip", "192.168.4.1", "server.pem"],
        ["-purpose", "sslserver", "-verify_hostname", "esp32-ws.local", "server.pem"],
        ["-purpose", "sslclient", "clients/tom.pem"],
    ):
        command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", *options]
        done = subprocess.run(command, cwd=certs.folder, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_openssl
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_openssl_speaks_tls_1_2_with_them(certs, kind):
    """As the board does, with the cipher that it chooses; an older version finds no one."""
    certs("--key", kind)
    command = ["openssl", "s_server", "-accept", "0", "-naccept", "2", "-tls1_2"]
    command += ["-cert", "server.pem", "-key", "server.key", "-cipher", "ECDHE+AESGCM"]
    server = subprocess.Popen(
        command, cwd=certs.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        port = ""
        while not port:
            line = server.stdout.readline()
            assert line, "openssl s_server has ended"
            found = re.match(r"ACCEPT .*:(\d+)$", line)
            port = found[1] if found else ""
        client = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", "ca.pem"]
        client += ["-verify_return_error", "-verify_ip", "192.168.4.1"]
        outcomes = [
            subprocess.run(
                [*client, version], cwd=certs.folder, text=True, capture_output=True, input=""
            )
            for version in ("-tls1_2", "-tls1_1")
        ]
    finally:
        server.kill()
        server.communicate()
    assert outcomes[0].returncode == 0
    assert "Verify return code: 0 (ok)" in outcomes[0].stdout
    assert "TLSv1.2" in outcomes[0].stdout
    assert outcomes[1].returncode != 0


# --- the check before deploying


def test_the_files_of_make_certs_pass_the_check(certs):
    certs()
    assert find_problem(certs.folder) is None
    assert find_problem(certs.folder / "nothing here") is None


def test_expired_and_future_certificates_fail_the_check(certs):
    certs()
    assert "server.crt.der expired on" in find_problem(certs.folder, NOW + 398 * DAY)
    assert "server.crt.der is not valid before" in find_problem(certs.folder, NOW - 2 * DAY)


@pytest.mark.parametrize("name", ["server.crt.der", "server.key.der", "clients.crt.der"])
def test_damaged_files_fail_the_check(certs, name):
    certs()
    path = certs.folder / name
    path.write_bytes(path.read_bytes()[:60])
    assert f"{name} is not a" in find_problem(certs.folder)


@pytest.mark.parametrize("name", ["server.crt.der", "server.key.der"])
def test_half_a_pair_fails_the_check(certs, name):
    certs()
    (certs.folder / name).unlink()
    assert f"without {name}" in find_problem(certs.folder)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_key_of_another_certificate_fails_the_check(certs, kind):
    certs()
    key = (certs.folder / "server.key.der").read_bytes()
    certs("--key", kind)
    (certs.folder / "server.key.der").write_bytes(key)
    assert "belongs to another certificate" in find_problem(certs.folder)


# --- names


def test_names_of_the_users_are_added(certs):
    status, printed = certs("--names", "board.example.org 10.0.0.7 *.lab.local fd00::7")
    assert status == 0
    usual = {"192.168.4.1", "esp32-ws.local", "localhost", "127.0.0.1"}
    added = {"board.example.org", "10.0.0.7", "*.lab.local", "fd00::7"}
    assert names_of(load(certs.folder / "server.pem")) == usual | added
    assert all(name in printed for name in usual | added)
    for name in ("board.example.org", "10.0.0.7", "three.lab.local", "fd00::7"):
        handshake(certs.folder, name)


def test_the_boards_name_and_address_come_from_its_config_json(certs, tmp_path):
    wifi = '{"wifi": {"hostname": "kitchen", "ip": "10.1.2.3"}}'
    (tmp_path / "config.json").write_text(wifi)
    certs()
    names = names_of(load(certs.folder / "server.pem"))
    assert names == {"kitchen.local", "10.1.2.3", "192.168.4.1", "localhost", "127.0.0.1"}


def test_a_static_address_in_the_network_section_is_a_name(certs, tmp_path):
    (tmp_path / "config.json").write_text('{"network": {"address": "10.0.0.9/24"}}')
    assert certs()[0] == 0
    assert "10.0.0.9" in names_of(load(certs.folder / "server.pem"))


@pytest.mark.parametrize("config", ["{", "[]", '{"wifi": {"hostname": "-"}}', "[" * 100000])
def test_a_broken_config_json_means_the_defaults_as_it_does_for_the_board(certs, tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    assert certs()[0] == 0
    assert "esp32-ws.local" in names_of(load(certs.folder / "server.pem"))


@pytest.mark.parametrize("name", ["two..dots", "-x.local", "http://x", "1.2.3", "a" * 64, "*"])
def test_what_is_no_name_is_refused_and_nothing_is_made(certs, name):
    status, printed = certs(f"--names={name}")
    assert status == 1
    assert printed == f"certs: {name!r} is neither a host name nor an address\n"
    assert not certs.folder.exists()


# --- the authority is restricted


def forge(folder, name):
    """A server's certificate for any name, signed as whoever has stolen ca.key can sign it."""
    authority = Store(folder).load_authority()
    authority.check_names = lambda names: None
    identity = authority.make_server(NOW, [parse_name(name)])
    files = folder / "forged.pem", folder / "forged.key"
    files[0].write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files[1].write_bytes(key)
    return files


@pytest.mark.parametrize("name", ["bank.example", "localhost.example", "8.8.8.8", "notlocal"])
def test_with_the_authoritys_stolen_key_nobody_can_be_somebody_on_the_internet(certs, name):
    certs()
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(certs.folder, name, server=forge(certs.folder, name))


@pytest.mark.parametrize("name", ["other.local", "10.9.8.7", "fe80::1", "x.home.arpa"])
def test_local_names_are_all_permitted(certs, name):
    certs()
    handshake(certs.folder, name, server=forge(certs.folder, name))


def test_a_name_outside_that_is_asked_for_later_is_refused_and_nothing_changes(certs):
    certs()
    before = contents(certs.folder)
    status, printed = certs("--names", "board.example.org")
    assert status == 1
    assert "restricted to names without board.example.org" in printed
    assert "Move ca.pem and ca.key" in printed
    assert contents(certs.folder) == before


# --- files


def modes(folder):
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_keys_are_for_their_owner_alone(certs):
    old = os.umask(0)
    try:
        certs()
        certs("--client", "tom")
    finally:
        os.umask(old)
    found = modes(certs.folder)
    secret = {name for name, mode in found.items() if mode == 0o600}
    assert secret == {
        *("ca.key", "server.key", "server.key.der", "clients/tom.key", "clients/tom.p12"),
    }
    assert {mode for name, mode in found.items() if name not in secret} == {0o644}
    assert stat.S_IMODE(certs.folder.stat().st_mode) == 0o700


def test_keys_are_for_their_owner_alone_from_their_first_byte_on(certs, monkeypatch):
    seen = []

    def watch(descriptor):  # called when all is written, before anything gets its name
        seen.extend(modes(certs.folder).items())

    monkeypatch.setattr("os.fsync", watch)
    monkeypatch.setattr("os.chmod", lambda *_: pytest.fail("too late"))
    monkeypatch.setattr("os.fchmod", lambda *_: pytest.fail("too late"))
    old = os.umask(0)
    try:
        certs()
    finally:
        os.umask(old)
    keys = {mode for name, mode in seen if ".key" in name}
    assert keys == {0o600}


def test_asked_again_it_keeps_the_authority_and_renews_the_servers_certificate_and_key(certs):
    certs(now=NOW - 30 * DAY)
    before = contents(certs.folder)
    status, printed = certs()
    after = contents(certs.folder)
    assert status == 0
    assert "authority" not in printed
    same = {path.name for path in after if after[path] == before[path]}
    assert same == {"ca.pem", "ca.crt", "ca.key"}
    assert load(certs.folder / "server.pem").not_valid_before_utc == NOW - DAY
    handshake(certs.folder, "localhost")


def test_when_writing_fails_everything_is_as_before(certs, monkeypatch):
    certs()
    before = contents(certs.folder)
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", "server.key.der")

    monkeypatch.setattr("os.fsync", full)
    status, printed = certs()
    assert (status, printed) == (1, "certs: server.key.der: No space left on device\n")
    assert contents(certs.folder) == before


def put_leaf(folder):
    shutil.copy(folder / "server.pem", folder / "ca.pem")
    shutil.copy(folder / "server.key", folder / "ca.key")


def put_key(folder, key, protection):
    form = (Encoding.PEM, PrivateFormat.PKCS8, protection)
    (folder / "ca.key").write_bytes(key.private_bytes(*form))


def put_ed25519(folder):
    put_key(folder, ed25519.Ed25519PrivateKey.generate(), NoEncryption())


def put_passphrase(folder):
    key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    put_key(folder, key, BestAvailableEncryption(b"secret"))


SPOILED = {
    "the certificate is cut off": lambda f: (f / "ca.pem").write_bytes(b"-----BEGIN CERT"),
    "the certificate is empty": lambda f: (f / "ca.pem").write_bytes(b""),
    "the key is damaged": lambda f: (f / "ca.key").write_bytes(b"\xff" * 100),
    "the certificate is gone": lambda f: (f / "ca.pem").unlink(),
    "the key is gone": lambda f: (f / "ca.key").unlink(),
    "the key is another one": lambda f: shutil.copy(f / "server.key", f / "ca.key"),
    "it is no authority": put_leaf,
    "the key is of another kind": put_ed25519,
    "the key has a passphrase": put_passphrase,
    "the certificate is a folder": lambda f: ((f / "ca.pem").unlink(), (f / "ca.pem").mkdir()),
}


@pytest.mark.parametrize("what", SPOILED)
def test_an_authority_that_cannot_be_used_is_named_and_nothing_is_overwritten(certs, what):
    certs()
    SPOILED[what](certs.folder)
    before = contents(certs.folder)
    for arguments in ((), ("--client", "tom"), ("--key", "rsa")):
        status, printed = certs(*arguments)
        assert status == 1
        assert re.match(rf"certs: {certs.folder}/ca\.(pem|key) (is|cannot)", printed)
        assert "Nothing was changed" in printed
        assert "move ca.pem and ca.key away" in printed
    assert contents(certs.folder) == before


def test_an_authority_that_has_expired_is_named_and_kept(certs):
    certs(now=NOW - 4000 * DAY)
    before = contents(certs.folder)
    status, printed = certs()
    assert status == 1
    assert re.search(r"ca\.pem has expired on \d{4}-\d\d-\d\d\. Move it", printed)
    assert contents(certs.folder) == before


def test_an_authority_that_others_made_is_used_if_it_may_sign(certs):
    certs("--key", "rsa")
    foreign = make_authority(NOW, title="the company's own")
    Store(certs.folder).save_authority(foreign)
    assert certs()[0] == 0
    assert load(certs.folder / "ca.pem") == foreign.identity.certificate
    handshake(certs.folder, "localhost")


# --- clients


def test_a_client_gets_in_with_its_certificate_and_the_server_is_left_as_it_is(certs):
    certs()
    before = contents(certs.folder)
    assert certs("--client", "tom")[0] == 0
    after = contents(certs.folder)
    assert {path: after[path] for path in before} == before
    clients = certs.folder / "clients"
    handshake(certs.folder, "localhost", client=(clients / "tom.pem", clients / "tom.key"))
    purposes = extension(load(clients / "tom.pem"), x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_servers_certificate_is_none_of_a_client(certs):
    certs()
    own = (certs.folder / "server.pem", certs.folder / "server.key")
    with pytest.raises((ssl.SSLError, OSError)):
        handshake(certs.folder, "localhost", client=own)


def test_a_client_that_comes_first_has_the_rest_made_too(certs):
    assert certs("--client", "tom")[0] == 0
    assert {"ca.pem", "server.pem", "clients"} <= {path.name for path in certs.folder.iterdir()}


def test_a_client_can_be_imported_with_the_password_that_is_printed_and_no_other(certs):
    _, printed = certs("--client", "tom")
    password = re.search(r"password (\w{20,}) ", printed)[1]
    data = (certs.folder / "clients" / "tom.p12").read_bytes()
    key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode())
    assert certificate == load(certs.folder / "clients" / "tom.pem")
    assert key.public_key() == certificate.public_key()
    assert others == [load(certs.folder / "ca.pem")]
    with pytest.raises(ValueError):
        pkcs12.load_key_and_certificates(data, b"")
    assert not any(password.encode() in data for data in contents(certs.folder).values())


@pytest.mark.parametrize("name", ["../x", "a/b", "a.b", " ", ".hidden", "x" * 41, "t\u00f6m"])
def test_a_clients_name_that_is_no_good_as_a_file_name_is_refused(certs, name):
    status, printed = certs("--client", name)
    assert status == 1
    assert "a client's name has up to 40 letters" in printed
    assert not certs.folder.exists()


# --- boards


def test_only_what_a_board_needs_goes_onto_its_flash(tmp_path):
    """The authority's key, above all, does not."""
    folder = tmp_path / "certs"
    main(["--folder", str(folder), "--client", "tom"])
    board = VirtualBoard(certs=folder)
    try:
        assert {path.name for path in (board.flash / "certs").rglob("*")} == FOR_BOARDS
    finally:
        board.stop()


def test_the_settings_name_the_files_as_make_certs_does(certs):
    certs()
    tls = json.loads((ROOT / "config.example.json").read_text())["tls"]
    assert {tls["cert"], tls["key"]} == {"/certs/server.crt.der", "/certs/server.key.der"}
    assert {path.name for path in certs.folder.iterdir()} >= FOR_BOARDS


def calls_of(tmp_path, target, *variables, **environment):
    """Return the words of each command that the Makefile runs for a target."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text('#!/bin/sh\necho call; for word in "$@"; do echo "[$word]"; done\n')
    python.chmod(0o755)
    (python.parent.parent / ".ready").touch()
    done = subprocess.run(
        ["make", "-s", "-f", ROOT / "Makefile", "-o", ".venv/.ready", target, *variables],
        cwd=tmp_path,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=True,
    )
    return [call.splitlines() for call in done.stdout.split("call\n")[1:]]


def test_make_certs_passes_on_its_variables_and_not_the_environment(tmp_path):
    variables = ("KEY=rsa", "NAMES=a.local 10.0.0.7", "CONFIG=my config.json")
    calls = calls_of(tmp_path, "certs", *variables, CLIENT="not from here", KEY="nor this")
    assert calls == [
        [
            *("[-m]", "[tools]", "[certs]", "[--key]", "[rsa]"),
            *("[--names]", "[a.local 10.0.0.7]", "[--client]", "[]"),
            *("[--config]", "[my config.json]"),
        ]
    ]


def test_make_run_makes_certificates_if_there_are_none(tmp_path):
    first, second = calls_of(tmp_path, "run", "HTTP_PORT=1", "HTTPS_PORT=2", "HEAP=3")
    assert first == ["[-m]", "[tools]", "[certs]"]
    assert "[--certs] [certs]" in " ".join(second)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "server.crt.der").write_bytes(b"there")
    assert calls_of(tmp_path, "run", "HTTP_PORT=1", "HTTPS_PORT=2", "HEAP=3") == [second]
