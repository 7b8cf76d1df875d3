"""Limits of secrets, rates and bodies, each from both sides, with a clock that the test sets."""

import pytest

from tests.wsserver.programs import CLOCK, run_script

SECRETS = (
    CLOCK.replace("MODULE", "auth")
    + """
token = auth.Token("right")
right = parse_request(b"GET /?token=right HTTP/1.1\\r\\nHost: board")
wrong = parse_request(b"GET /?token=wrong HTTP/1.1\\r\\nHost: board")


def get(request, ip):
    return status(token.check, request, ip)


"""
)
RATES = (
    CLOCK.replace("MODULE", "ratelimit")
    + """
from wsserver.core import protocol


class Route:
    reserved = False


class Client:
    # What Limits reads of a client.
    _route = Route
    _decoder = None
    _state = _messages = _bytes = 0
    _counted_messages = protocol.Client._counted_messages
    _counted_bytes = protocol.Client._counted_bytes
    _address = ("1.1.1.1", 1)
    closed = 0

    def receive(self, messages, size):
        self._messages += messages
        self._bytes += size
        limits.sweep([self], self)
        return self.closed

    def _fail(self, code, reason):
        self.closed = code

    def _log_refusal(self, ip, text):
        self.refused = ip


def sweep():
    for _ in range(16):
        limits.sweep([], None)


"""
)


@pytest.fixture
def run(lib, tmp_path):
    """run(source) -> the lines that a script prints."""
    return lambda source: run_script(lib, source, tmp_path).splitlines()


# --- wrong secrets


def test_twenty_wrong_secrets_of_all_addresses_are_answered(run):
    source = """
print([get(wrong, "1.1.1.%d" % number) for number in range(21)] == [401] * 20 + [429])
now += 59
print(get(right, "1.1.1.99"))
now += 1
print(get(right, "1.1.1.99"))
"""
    assert run(SECRETS + source) == ["True", "429", "200"]


def test_wrong_secrets_of_known_addresses_do_not_lock_out_others(run):
    source = """
for number in range(5):
    get(right, "1.1.2.%d" % number)
    print(statuses(token.check, 4, wrong, "1.1.2.%d" % number))
print(get(right, "1.1.1.1"))
"""
    assert run(SECRETS + source) == ["[401, 401, 401, 401]"] * 5 + ["200"]


@pytest.mark.parametrize(("known", "first"), [(16, 200), (17, 429)])
def test_sixteen_addresses_with_the_right_secret_are_remembered(run, known, first):
    source = f"""
for number in range({known}):
    get(right, "1.1.2.%d" % number)
    get(right, "1.1.2.%d" % number)  # is remembered once
for number in range(20):
    get(wrong, "1.1.1.%d" % number)
print([get(right, "1.1.2.%d" % number) for number in range({known})])
print(get(right, "1.1.1.99"))
"""
    expected = [first] + [200] * (known - 1)
    assert run(SECRETS + source) == [str(expected), "429"]


def test_a_network_of_64_bits_guesses_as_one_address(run):
    source = """
for number in range(4):
    get(wrong, "2001:db8:0:1::%d" % number)
print(get(wrong, "2001:db8:0:1:5::1"), get(right, "2001:db8:0:1:6::1"))
print(get(right, "2001:db8:0:2::1"), get(right, "1.1.1.1"))
"""
    assert run(SECRETS + source) == ["401 429", "200 200"]


def test_the_right_secret_clears_the_wrong_ones_before_it(run):
    source = """
print(statuses(token.check, 4, wrong, "1.1.1.1"), get(right, "1.1.1.1"))
print(statuses(token.check, 6, wrong, "1.1.1.1"))
"""
    expected = ["[401, 401, 401, 401] 200", "[401, 401, 401, 401, 401, 429]"]
    assert run(SECRETS + source) == expected


@pytest.mark.parametrize(
    "secret", ["righ", "rightright", "rigHt", "", "right ", "Right", "tright"]
)
def test_only_the_whole_secret_is_right(run, secret):
    source = f"""
query = "token=" + {secret!r}.replace(" ", "%20")
request = parse_request(b"GET /?" + query.encode() + b" HTTP/1.1\\r\\nHost: board")
print(get(request, "1.1.1.1"), get(right, "1.1.1.1"))
"""
    assert run(SECRETS + source) == ["401 200"]


# --- rates


@pytest.mark.parametrize(
    ("limits", "messages", "size", "closed"),
    [
        ("messages=20", 40, 1000, 0),
        ("messages=20", 41, 1000, 1008),
        ("bytes=1000", 100, 2000, 0),
        ("bytes=1000", 100, 2001, 1008),
        ("messages=20, bytes=1000", 41, 10, 1008),
        ("messages=20, bytes=1000", 40, 2001, 1008),
    ],
)
def test_two_seconds_of_messages_and_bytes_fit_at_once(run, limits, messages, size, closed):
    source = f"""
limits = ratelimit.Limits({limits})
print(Client().receive({messages}, {size}))
"""
    assert run(RATES + source) == [str(closed)]


def test_the_address_of_a_closed_client_is_logged_once(run):
    source = """
limits = ratelimit.Limits(messages=20)
client = Client()
client.receive(41, 1)
print(client.refused)
client._state = 2
client.refused = None
client.receive(41, 1)
print(client.refused)
"""
    assert run(RATES + source) == ["1.1.1.1", "None"]


def test_a_bucket_drains_by_the_rate(run):
    source = """
limits = ratelimit.Limits(messages=20)
client = Client()
print(client.receive(40, 1))
now += 500
print(client.receive(10, 1))
now += 50
print(client.receive(1, 1))
now += 49
print(client.receive(1, 1))
"""
    assert run(RATES + source) == ["0", "0", "0", "1008"]


def test_a_flood_costs_an_address_at_most_two_more_bursts(run):
    source = """
limits = ratelimit.Limits(handshakes=10)
print(statuses(limits.check_handshake, 50, "1.1.1.1").count(200))
now += 60000
print(statuses(limits.check_handshake, 1, "1.1.1.1"))
now += 120000
print(statuses(limits.check_handshake, 11, "1.1.1.1").count(200))
"""
    # After the flood, the bucket holds twice the limit, which drains in two minutes.
    assert run(RATES + source) == ["10", "[429]", "10"]


def test_an_address_is_forgotten_only_when_nothing_counts_any_more(run):
    source = """
limits = ratelimit.Limits(handshakes=10)
statuses(limits.check_handshake, 50, "1.1.1.1")
now += 100000
sweep()
print(statuses(limits.check_handshake, 11, "1.1.1.1").count(200))
"""
    assert run(RATES + source) == ["6"]


def test_an_address_that_was_not_used_for_weeks_is_taken_as_new(run):
    source = """
limits = ratelimit.Limits(handshakes=2)
print(statuses(limits.check_handshake, 3, "1.1.1.1"))
for _ in range(12):
    now = (now + (1 << 27)) & 0x3FFFFFFF
    sweep()
print(statuses(limits.check_handshake, 3, "1.1.1.1"))
"""
    assert run(RATES + source) == ["[200, 200, 429]"] * 2


def test_the_table_of_rate_limits_has_sixteen_addresses(run):
    source = """
limits = ratelimit.Limits(handshakes=1)
for number in range(16):
    now += 1
    print(status(limits.check_handshake, "1.1.1.%d" % number), end=" ")
now += 1
print(status(limits.check_handshake, "1.1.1.0"))  # the oldest is still there, and used again
now += 1
print(status(limits.check_handshake, "1.1.1.16"))  # takes the place of 1.1.1.1
now += 1
print(status(limits.check_handshake, "1.1.1.0"), status(limits.check_handshake, "1.1.1.2"))
now += 1
print(status(limits.check_handshake, "1.1.1.1"))  # is new again
"""
    assert run(RATES + source) == ["200 " * 16 + "429", "200", "429 429", "200"]


@pytest.mark.parametrize(("limit", "admitted"), [(2, False), (3, True), (None, True)])
def test_connections_of_an_address_are_counted(run, limit, admitted):
    source = f"""
limits = ratelimit.Limits(connections={limit})
other = Client()
other._address = ("2.2.2.2", 1)
connections = [Client(), other, Client(), other]
print(limits.admits("1.1.1.1", connections))
print(status(limits.check_connection, "1.1.1.1", connections, False))
"""
    assert run(RATES + source) == [str(admitted), "200" if admitted else "429"]


def test_only_tls_counts_a_connection_before_its_request(run):
    source = """
limits = ratelimit.Limits(handshakes=1)
print([status(limits.check_connection, "1.1.1.1", [], tls) for tls in (False, False, True, True)])
"""
    assert run(RATES + source) == ["[200, 200, 200, 429]"]


@pytest.mark.parametrize("callback", ["on_message", "on_chunk"])
def test_each_frame_counts_once(run, callback):
    source = f"""
from wsserver.core.buffers import BufferPool
from wsserver.core.protocol import Protocol
from wsserver.http.routes import make_route


class Endpoint:
    def {callback}(self, client, *args):
        pass


connection = Protocol(make_route(Endpoint()), BufferPool(1000, 1000, print))
for first in (0x89, 0x8A, 0x01, 0x89, 0x00, 0x80, 0x82, 0x81):
    frame = bytes((first, 0x81, 1, 2, 3, 4, 1 ^ 97))
    connection._receive(memoryview(bytearray(connection._tail + frame)), 0, len(frame))
print(connection._messages + connection._decoder.frames)
"""
    assert run(source) == ["8"]


# --- heads

HEADS = """
from wsserver.http.request import HTTPError, find_head


def find(data):
    try:
        return find_head(data, 100)
    except HTTPError as error:
        return error.status


"""


def test_a_head_has_as_many_bytes_as_the_limit(run):
    source = """
print(find(b"G" * 100 + b"\\r\\n\\r\\n"), find(b"G" * 101 + b"\\r\\n\\r\\n"))
print(find(b"G" * 100 + b"\\r\\n\\r")[1], find(b"G" * 103)[1], find(b"G" * 104))
"""
    assert run(HEADS + source) == ["(0, 100, 104) 431", "-1 -1 431"]


def test_eight_empty_lines_before_a_head_are_ignored(run):
    source = """
print([find(b"\\r\\n" * count + b"GET\\r\\n\\r\\n") for count in (0, 1, 8, 9)])
"""
    assert run(HEADS + source) == ["[(0, 3, 7), (2, 5, 9), (16, 19, 23), 400]"]


# --- bodies

BODIES = """
from wsserver.http.bodies import Body
from wsserver.http.request import HTTPError, parse_request


def receive(data, limit=1000, headers=b"Transfer-Encoding: chunked"):
    request = parse_request(b"POST / HTTP/1.1\\r\\nHost: board\\r\\n" + headers)
    try:
        body = Body(request, limit)
        content, pos = b"", 0
        while pos < len(data) and not body.done:
            start, stop, pos = body.next(data, pos, len(data))
            content += data[start:stop]
        return content if body.done else "incomplete"
    except HTTPError as error:
        return error.status


END = b"\\r\\n0\\r\\n\\r\\n"
"""


@pytest.mark.parametrize(("length", "result"), [(511, "b'a'"), (512, "b'a'"), (513, "400")])
@pytest.mark.parametrize("where", ["extension", "trailer"])
def test_an_extension_and_the_trailers_have_512_bytes_at_most(run, length, result, where):
    extension = f'b"1;" + b"e" * {length} + b"\\r\\na\\r\\n0\\r\\n\\r\\n"'
    trailer = f'b"1\\r\\na\\r\\n0\\r\\n" + b"a:" + b"t" * ({length} - 2) + b"\\r\\n\\r\\n"'
    code = f"print(receive({extension if where == 'extension' else trailer}))"
    assert run(BODIES + code) == [result]


def test_all_extensions_and_trailers_of_a_body_together_are_limited(run):
    source = """
line = b"a:" + b"t" * 200 + b"\\r\\n"
print([receive(b"1\\r\\na\\r\\n0\\r\\n" + line * count + b"\\r\\n") for count in (2, 3)])
chunk = b"1;" + b"e" * 90 + b"\\r\\na\\r\\n"
print([receive(chunk * 3 + b"0\\r\\n" + line * count + b"\\r\\n") for count in (1, 2)])
print([receive(chunk * count + b"0\\r\\n\\r\\n") for count in (5, 6)])
"""
    assert run(BODIES + source) == ["[b'a', 400]", "[b'aaa', 400]", "[b'aaaaa', 400]"]


def test_a_length_has_fifteen_digits_at_most(run):
    source = """
print(receive(b"0" * 14 + b"1\\r\\na" + END), receive(b"0" * 15 + b"1\\r\\na" + END))
for digits in (15, 16):
    print(receive(b"", headers=b"Content-Length: " + b"9" * digits), end=" ")
print(receive(b"a", headers=b"Content-Length: " + b"0" * 14 + b"1"))
"""
    assert run(BODIES + source) == ["b'a' 400", "413 400 b'a'"]


@pytest.mark.parametrize(("limit", "result"), [(4, "413"), (5, "b'abcde'"), (None, "b'abcde'")])
def test_the_chunks_together_may_be_as_long_as_the_limit(run, limit, result):
    code = f'print(receive(b"2\\r\\nab\\r\\n3\\r\\ncde" + END, {limit}))'
    assert run(BODIES + code) == [result]


def test_each_digit_of_a_chunk_size_counts(run):
    source = """
for digit in b"0123456789abcdefABCDEF":
    size = int(chr(digit), 16)
    assert receive(b"1" + bytes([digit]) + b"\\r\\n" + b"x" * (16 + size) + END) == (
        b"x" * (16 + size)), digit
for other in b"/:@G`g \\t-+x_\\x1a\\xb0\\xc1\\xe1":
    assert receive(b"1" + bytes([other]) + b"\\r\\n" + b"x" * 16 + END) == 400, other
"""
    assert run(BODIES + source) == []


@pytest.mark.parametrize(
    ("trailer", "result"),
    [
        ("a: b\\tc", "b'a'"),
        (" folded", "400"),
        ("a: \\x1f", "400"),
        ("a: \\x08", "400"),
        ("a: \\n", "400"),
        ("\\tfolded", "400"),
        ("a: \\x20b", "b'a'"),
    ],
)
def test_a_trailer_has_no_control_characters_and_no_fold(run, trailer, result):
    code = f'print(receive(b"1\\r\\na\\r\\n0\\r\\n{trailer}\\r\\n\\r\\n"))'
    assert run(BODIES + code) == [result]


# --- received bytes


def test_no_byte_behind_the_end_of_what_was_read_is_used(run):
    source = """
from array import array

from wsserver.core import portable

try:
    from wsserver.core import native
except (ImportError, AttributeError, SyntaxError):
    native = portable


class Client:
    _bytes = _messages = 0
    _plain = True
    _inbox = None
    _state = 0

    def _free_inbox(self):
        pass


def deliver(code, data, end):
    seen, progress = [], array("i", (0, 0))
    result = code.deliver(0, end, 1000, memoryview(bytearray(data)), Client(),
                          lambda client, message: seen.append(message), progress)
    return result, seen, list(progress)


short = b"\\x81\\x83\\1\\2\\3\\4" + bytes((97 ^ 1, 97 ^ 2, 97 ^ 3))
long = b"\\x82\\xfe\\0\\xc8\\0\\0\\0\\0" + b"z" * 200
data = short + long + short
for code in (native, portable):
    for end in range(len(data) + 1):
        whole = deliver(code, data, end)
        assert whole == deliver(code, data[:end] + bytes(16), end), (code, end, whole)
        # The general decoder takes what cannot be judged yet.
        assert whole == deliver(portable, data, end), (code, end)
print(deliver(native, data, len(data))[2])
"""
    assert run(source) == ["[226, 3]"]


# --- sent frames


def test_code_1005_without_a_reason_closes_without_a_code(run):
    source = """
from wsserver.core.frames import close_payload

print(close_payload(1005, ""), close_payload(1000, ""), close_payload(4999, "x" * 123)[:3])
for code, reason in (1005, "x"), (1000, "x" * 124), (1004, ""), (1006, ""), (1015, ""), (999, ""):
    try:
        print(close_payload(code, reason))
    except ValueError:
        pass
"""
    assert run(source) == [r"b'' b'\x03\xe8' b'\x13\x87x'"]
