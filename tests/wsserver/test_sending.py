"""Sending on a live board: slow readers, full buffers, pacing, broadcast."""

import json
import time

from tools.wsclient import BINARY, CLOSE, PING, TEXT, frame


def test_a_burst_that_the_network_takes_is_sent_whole(raw, lab):
    connection = raw(lab).open("/sends").send(frame(TEXT, b"20 1000"))
    frames = [connection.frame() for _ in range(21)]
    assert frames == [(BINARY, bytes(1000))] * 20 + [(TEXT, b"taken 20")]


def test_a_reader_that_does_not_read_is_closed_with_1013_when_its_buffer_is_full(raw, lab):
    position = lab.log_position
    connection = raw(lab, receive_buffer=4096).open("/sends")
    connection.send(frame(TEXT, b"4000 1000"))
    found = lab.wait_for_log(r"taken (\d+) waiting (\d+)", since=position)
    assert int(found[1]) < 4000
    assert int(found[2]) <= 4096 + 4096 + 16 + 270
    assert connection.close_code() == 1013
    lab.wait_for_log(r"closed \d+ /sends 1006 send buffer full", since=position)


def test_with_overflow_drop_the_client_stays_and_misses_what_did_not_fit(raw, lab):
    position = lab.log_position
    connection = raw(lab, receive_buffer=4096).open("/drops")
    connection.send(frame(TEXT, b"4000 1000"))
    taken = int(lab.wait_for_log(r"taken (\d+)", since=position)[1])
    assert 0 < taken < 4000
    assert [connection.frame() for _ in range(taken)] == [(BINARY, bytes(1000))] * taken
    lab.wait_for_log("drained 0", since=position)
    connection.send(frame(TEXT, b"1 5"))
    frames = [connection.frame(), connection.frame()]
    assert frames[-1] == (TEXT, b"taken 1") or (BINARY, bytes(5)) in frames


def test_a_message_that_can_never_fit_is_named_in_the_log(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/drops").send(frame(TEXT, b"1 9000"))
    assert connection.frame() == (TEXT, b"taken 0")
    lab.wait_for_log(r"9004 bytes.*write_limit", since=position)


def test_on_drain_paces_a_producer_to_a_slow_reader(raw, lab):
    connection = raw(lab, receive_buffer=4096).open("/paced").send(frame(TEXT, b"go"))
    size = 0
    while size < 1000000:
        opcode, payload = connection.frame()
        assert opcode == BINARY
        size += len(payload)
    assert size == 1000000


def test_a_client_that_does_not_read_costs_the_others_nothing(raw, served):
    stuck = raw(served, receive_buffer=4096).open()
    stuck.sock.settimeout(0.2)
    try:
        for _ in range(1000):
            stuck.send(frame(TEXT, b"x" * 4000))
    except TimeoutError:
        pass  # its echoes have nowhere to go, so the board has stopped reading it
    else:
        raise AssertionError("the board went on reading from a client that does not read")
    other = raw(served).open()
    times = []
    for _ in range(50):
        started = time.monotonic()
        assert other.send(frame(TEXT, b"quick")).frame() == (TEXT, b"quick")
        times.append(time.monotonic() - started)
    assert sorted(times)[25] < 0.2


def test_an_echo_client_that_reads_late_gets_everything(raw, served):
    stuck = raw(served, receive_buffer=4096).open()
    count = 0
    stuck.sock.settimeout(0.3)
    data = b""
    try:
        for _ in range(300):
            data = frame(TEXT, b"%04d" % count + b"x" * 4000)
            while data:
                data = data[stuck.sock.send(data) :]
            count += 1
    except TimeoutError:
        pass
    assert count > 1
    stuck.sock.settimeout(10)
    for number in range(count):
        assert stuck.frame() == (TEXT, b"%04d" % number + b"x" * 4000)
    if data:  # the message that was cut by the time-out
        stuck.send(data)
        assert stuck.frame() == (TEXT, b"%04d" % count + b"x" * 4000)


def test_a_broadcast_counts_a_client_for_which_it_waits(raw, make_lab):
    board = make_lab(max_clients=2, ping_interval=None, write_limit=60000, heap="512k")
    slow = raw(board, receive_buffer=4096).open()
    control = raw(board).open("/control")
    texts = [b"%05d" % number + b"x" * 3000 for number in range(15)]  # more than TCP holds
    for text in texts:
        assert control.send(frame(TEXT, b"broadcast " + text)).message() == b"reached 1"
    assert [slow.message() for _ in texts] == texts


def test_a_broadcast_reaches_every_client_of_its_path(raw, lab):
    clients = [raw(lab).open() for _ in range(3)]
    control = raw(lab).open("/control").send(frame(TEXT, "broadcast Grüße".encode()))
    assert control.frame() == (TEXT, b"reached 3")
    assert [client.frame() for client in clients] == [(TEXT, "Grüße".encode())] * 3
    control.send(frame(TEXT, b"everyone hello"))
    assert [client.frame() for client in [*clients, control]] == [(TEXT, b"hello")] * 4
    control.send(frame(TEXT, b"broadcast x") + frame(TEXT, b"everyone y"))
    # For this client, the second one waits behind the reply to the first.
    assert [control.frame() for _ in range(2)] == [(TEXT, b"reached 3"), (TEXT, b"y")]


def test_a_broadcast_to_a_client_that_does_not_read_reaches_the_others(raw, lab):
    stuck = raw(lab, receive_buffer=4096).open()
    other = raw(lab).open()
    control = raw(lab).open("/control")
    text = b"x" * 3000
    for _ in range(2000):
        control.send(frame(TEXT, b"broadcast " + text))
        assert other.frame() == (TEXT, text)
        reached = control.frame()[1]
        if reached == b"reached 1":
            break
    assert reached == b"reached 1"
    assert stuck.close_code() == 1013


def test_a_client_is_found_by_its_id(raw, lab):
    client = raw(lab).open("/describes")  # which tells it its id: the log has those of others, too
    id = json.loads(client.frame()[1])["id"]
    control = raw(lab).open("/control")
    control.send(frame(TEXT, f"send_to {id} only you".encode()))
    assert client.frame() == (TEXT, b"only you")
    assert control.frame() == (TEXT, b"sent True")
    control.send(frame(TEXT, b"send_to 999999 x"))
    assert control.frame() == (TEXT, b"no such client")


def test_a_close_gets_through_to_a_client_whose_buffer_is_nearly_full(raw, lab):
    connection = raw(lab, receive_buffer=4096).open("/sends").send(frame(TEXT, b"4000 1000"))
    connection.send(frame(PING, b"are you there"))
    opcode, payload = connection.frame()
    while opcode == BINARY:
        assert payload == bytes(1000)  # not one frame is cut off
        opcode, payload = connection.frame()
    assert (opcode, payload[:2]) == (CLOSE, (1013).to_bytes(2, "big"))
