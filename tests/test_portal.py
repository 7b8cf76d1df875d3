"""A phone joins the board's Wi-Fi: every name leads to the board, and the page opens by itself."""

import http.client
import socket

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import pytest

from tests.wsserver.conftest import telling

QUIET = {"broadcast": {"interval": 0}}
# What they ask for, with the Host that they send, when they have joined a Wi-Fi.
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
    """The board, once it also answers names: it says that it serves after that."""
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
def test_every_name_leads_to_the_board(board, name):
    answer = resolver_of(board).resolve(name, "A")
    assert [record.address for record in answer] == ["192.168.7.1"]


def test_the_answer_is_one_that_nobody_keeps_for_long(board):
    answer = ask(board, "captive.apple.com")
    assert answer.answer[0].ttl <= 10
    assert answer.flags & dns.flags.AA
    assert answer.flags & dns.flags.RA


@pytest.mark.parametrize("kind", ["AAAA", "HTTPS", "TXT", "MX", "SOA"])
def test_of_other_kinds_there_is_nothing_which_is_no_error(board, kind):
    answer = ask(board, "www.google.com", kind)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.answer == []


def test_a_resolver_that_knows_extensions_is_answered_too(board):
    answer = ask(board, "www.google.com", use_edns=0, payload=1232, want_dnssec=True)
    assert [record.address for record in answer.answer[0]] == ["192.168.7.1"]


def test_what_is_no_query_is_ignored_and_the_next_one_answered(board):
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
            # The board keeps few: one after the other.
            sock.send(b"\x12\x34" + query[2:])
            assert sock.recv(512)[:2] == b"\x12\x34"


def test_when_the_captive_portal_is_off_nobody_answers_and_foreign_names_are_refused(make_board):
    board = serving(make_board(config={"wifi": {"captive_portal": False}}))
    with pytest.raises((dns.exception.Timeout, OSError)):
        dns.query.udp(
            dns.message.make_query("a.example", "A"),
            board.address,
            port=board.dns_port,
            timeout=0.5,
        )
    assert get(board, "captive.apple.com", "/hotspot-detect.html")[0] == 421


def test_in_somebody_elses_network_the_board_answers_no_names(make_board):
    wifi = {"mode": "station", "station_ssid": "Home", "station_password": "correct horse"}
    air = {"networks": {"Home": {"password": "correct horse"}}}
    board = serving(make_board(config={"wifi": wifi}, air=air))
    with pytest.raises((dns.exception.Timeout, OSError)):
        dns.query.udp(
            dns.message.make_query("a.example", "A"),
            board.address,
            port=board.dns_port,
            timeout=0.5,
        )


@pytest.mark.parametrize("system", PROBES)
def test_what_a_system_asks_for_when_it_has_joined_is_sent_on_to_the_page(board, system):
    status, headers = get(board, *PROBES[system])
    assert status == 302
    assert headers["Location"] == "http://192.168.7.1/"


def test_where_they_are_sent_there_is_the_page(board):
    status, headers = get(board, "192.168.7.1", "/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")


def test_after_ctrl_c_the_port_for_names_is_free_again(make_board):
    board = serving(make_board(config=QUIET))
    position = board.log_position
    board.exec("import machine")
    board.serial_write(
        b"import socket; s = socket.socket(2, 2); s.bind(('0.0.0.0', 53)); print('bo' + 'und')\r"
    )
    board.wait_for_log("bound", since=position)


def test_where_the_heap_is_small_names_are_answered_and_the_code_for_it_does_not_stay(make_board):
    board = serving(make_board(config=QUIET, heap="64k", files=telling("names")))
    for _ in range(3):
        assert ask(board, "www.google.com").answer
    position = board.log_position
    assert board.wait_for_log(r"loaded: (True|False)", since=position)[1] == "False"


def test_queries_that_come_together_are_all_answered(board):
    query = dns.message.make_query("www.google.com", "A").to_wire()
    numbers = [bytes((0, number)) for number in range(5)]
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((board.address, board.dns_port))
        sock.settimeout(10)
        for number in numbers:
            sock.send(number + query[2:])
        assert [sock.recv(512)[:2] for _ in numbers] == numbers


def test_without_memory_to_answer_names_pages_are_served_and_nothing_is_reported(make_board):
    files = {"lib/names.py": "print('asked')\nraise MemoryError\n"}
    board = serving(make_board(config=QUIET, files=files))
    for _ in range(3):
        assert get(board, "localhost", "/")[0] == 200
    with pytest.raises(dns.exception.Timeout):
        ask(board, "www.google.com", timeout=0.2)
    assert get(board, "localhost", "/")[0] == 200
    assert board.log.count("asked") == 1  # not for each connection
    assert "Traceback" not in board.log
