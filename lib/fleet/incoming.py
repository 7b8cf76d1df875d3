"""Messages from the broker. Loaded for each; stays loaded while there are remote clients."""

from wsserver import lazy


def read(kind: int, data) -> tuple:
    """Return (topic, position of the payload, id) of a received PUBLISH. The id is 0 for QoS 0.

    Raises ValueError if it is malformed, or if its QoS was not asked for.
    """
    qos = kind & 6
    start = 2 + (data[0] << 8 | data[1]) if len(data) > 1 else 0
    end = start + qos  # the id of QoS 1 takes two bytes
    id = 0
    if start > 2 and end <= len(data) and qos < 3:  # bits 1 and 2 of the first byte (3.3.1)
        id = data[start] << 8 | data[start + 1] if qos else 1
    if not id:
        raise ValueError("malformed PUBLISH")
    return str(memoryview(data)[2:start], "utf-8"), end, id if qos else 0


def deliver(bridge, kind: int, data) -> int:
    """Process a message of a viewer: ROOT/in/GATEWAY/VIEWER/ENDPOINT/KIND[/NUMBER].

    Return the id to acknowledge, or 0. Raises ValueError for a message that is malformed or was
    not subscribed to.
    """
    topic, start, id = read(kind, data)
    payload = memoryview(data)[start:]
    prefix = bridge.prefix
    if topic == prefix + "presence":
        if payload == b"offline":  # the will of an earlier connection
            bridge.announce(topic, b"online")
    elif not topic.startswith(prefix + "in/"):
        raise ValueError("a message that was not subscribed to")
    elif not kind & 1:  # a retained one would be repeated with each connection
        levels = topic[len(prefix) + 3 :].split("/")
        lazy.load("fleet.remote").deliver(bridge, levels, payload)
    return id
