"""The captive portal: DNS resolves every name to the board, and probes are redirected."""

import http.client
import socket
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import pytest

pytestmark = pytest.mark.needs(wifi=True)

QUIET = {"broadcast": {"interval": 0}}
# (Host, path) of the requests that operating systems send after joining a network.
PROBES = {
    "Android": ("connectivitycheck.gstatic.com", "/generate_204"),
    "Android, older": ("clients3.google.com", "/generate_204"),
    "Android's second": ("www.google.com", "/gen_204"),
    "iOS and macOS": ("captive.apple.com", "/hotspot-detect.html"),
    "iOS, older": ("www.apple.com", "/library/test/success.html"),
    "Windows": ("www.msftconnecttest.com", "/connecttest.txt"),
    "Windows, then": ("www.msftconnecttest.com", "/redirect"),
    "Windows 7": ("www.msftncsi.com", "/ncsi.txt"),
    "Firefox": ("detectportal.firefox.com", "/canonical.html"),
    "Firefox, then": ("detectportal.firefox.com", "/success.txt?ipv4"),
}


@pytest.fixture(scope="module")
def board(make_board):
    return serving(
        make_board(config={"broadcast": {"interval": 0}, "wifi": {"ip": "192.168.7.1"}})
    )


def serving(board):
    """Return the board when it answers queries: it reports "serving" after that."""
    board.wait_for_log("serving")
    return board


def resolver_of(board):
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [board.address]
    resolver.port = board.dns_port
    resolver.lifetime = 10
    return resolver


def ask(board, name, kind="A", timeout=10, **options):
    query = dns.message.make_query(name, kind, **options)
    return dns.query.udp(query, board.address, port=board.dns_port, timeout=timeout)


def get(board, host, path):
    """(status, headers) of a plain GET."""
    connection = http.client.HTTPConnection(board.address, board.http_port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers


@pytest.mark.parametrize("name", ["captive.apple.com", "a.b.c.d.example", "x" * 63 + ".example"])
def test_every_name_resolves_to_the_board(board, name):
    answer = resolver_of(board).resolve(name, "A")
    assert [record.address for record in answer] == ["192.168.7.1"]


def test_an_answer_may_be_cached_for_a_few_seconds_only(board):
    answer = ask(board, "captive.apple.com")
    assert answer.answer[0].ttl <= 10
    assert answer.flags & dns.flags.AA
    assert answer.flags & dns.flags.RA


@pytest.mark.parametrize("kind", ["AAAA", "HTTPS", "TXT", "MX", "SOA"])
def test_other_record_types_get_an_empty_answer_without_an_error(board, kind):
    answer = ask(board, "www.google.com", kind)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.answer == []


def test_a_query_with_edns_is_answered(board):
    answer = ask(board, "www.google.com", use_edns=0, payload=1232, want_dnssec=True)
    assert [record.address for record in answer.answer[0]] == ["192.168.7.1"]


def test_malformed_queries_are_ignored_and_the_next_query_is_answered(board):
    query = dns.message.make_query("www.google.com", "A").to_wire()
    response = dns.message.make_response(dns.message.from_wire(query)).to_wire()
    broken = [
        *(query[:length] for length in range(len(query))),
        response,
        query[:4] + b"\0\2" + query[6:],  # two questions
        query[:2] + b"\x28" + query[3:],  # an update
        query[:12] + b"\xc0\x0c\0\1\0\1",  # a name that refers to itself
        query[:12] + b"\xff" * 200,
        query[:12] + b"\x3f" * 500,
        b"\xff" * 512,
        b"\0" * 700,
    ]
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((board.address, board.dns_port))
        sock.settimeout(10)
        for data in broken:
            sock.send(data)
            # One after the other: the receive buffer is small.
            sock.send(b"\x12\x34" + query[2:])
            assert sock.recv(512)[:2] == b"\x12\x34"


def answers(board):
    """Return whether the board answers a query within half a second."""
    query = dns.message.make_query("a.example", "A")
    try:
        dns.query.udp(query, board.address, port=board.dns_port, timeout=0.5)
    except (dns.exception.Timeout, OSError):
        return False
    return True


def test_without_a_captive_portal_queries_stay_unanswered(make_board):
    board = serving(make_board(config={"wifi": {"captive_portal": False}}))
    assert not answers(board)
    assert get(board, "captive.apple.com", "/hotspot-detect.html")[0] == 421


def test_a_station_does_not_answer_queries(make_board):
    wifi = {"mode": "station", "station_ssid": "Home", "station_password": "correct horse"}
    air = {"networks": {"Home": {"password": "correct horse"}}}
    board = serving(make_board(config={"wifi": wifi}, air=air))
    assert not answers(board)


@pytest.mark.parametrize("system", PROBES)
def test_the_probe_of_each_operating_system_is_redirected_to_the_page(board, system):
    status, headers = get(board, *PROBES[system])
    assert status == 302
    assert headers["Location"] == "http://192.168.7.1/"


def test_the_redirect_leads_to_the_page(board):
    status, headers = get(board, "192.168.7.1", "/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")


def test_after_ctrl_c_the_dns_port_is_free_again(make_board):
    board = serving(make_board(config=QUIET))
    position = board.log_position
    board.exec("import machine")
    board.serial_write(
        b"import socket; s = socket.socket(2, 2); s.bind(('0.0.0.0', 53)); print('bo' + 'und')\r"
    )
    board.wait_for_log("bound", since=position)


def test_a_burst_of_queries_is_answered(board):
    query = dns.message.make_query("www.google.com", "A").to_wire()
    numbers = [bytes((0, number)) for number in range(5)]
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((board.address, board.dns_port))
        sock.settimeout(10)
        for number in numbers:
            sock.send(number + query[2:])
        assert [sock.recv(512)[:2] for _ in numbers] == numbers


def test_without_memory_for_answers_the_board_serves_pages_and_drops_queries(make_board):
    source = (Path(__file__).parents[2] / "lib/wifi/captive_portal.py").read_text()
    source += "\n\ndef _answer(*_):\n    print('asked')\n    raise MemoryError\n"
    files = {"lib/wifi/captive_portal.py": source}
    board = serving(make_board(config=QUIET, files=files))
    with pytest.raises(dns.exception.Timeout):
        ask(board, "www.google.com", timeout=0.2)
    for _ in range(3):
        assert get(board, "localhost", "/")[0] == 200
    assert board.log.count("asked") == 1  # the query is dropped, not tried again
    assert "Traceback" not in board.log
