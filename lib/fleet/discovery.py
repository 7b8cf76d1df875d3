"""Home Assistant's MQTT discovery for the widgets of the panel. Loaded while it is used.

https://www.home-assistant.io/integrations/mqtt#mqtt-discovery
"""

import json

from micropython import const

from wsserver import WARNING, lazy

_PAUSE = const(200)  # ms between two widgets, so that their descriptions need little memory
_COMPONENTS = {
    "switch": "switch",
    "slider": "number",
    "button": "button",
    "select": "select",
    "text": "text",
    "colour": "text",
}


def announce(bridge) -> None:
    """Publish the configuration of each widget, one after the other, and then all values."""
    panel = bridge.panel
    panel.values()  # opens the session that stays
    state = [0]

    def step():
        id = state[0]
        if not bridge.is_open or id >= len(panel.widgets):
            timer.cancel()
            lazy.call("fleet.discovery", "publish_values", bridge)
            return
        state[0] += 1
        lazy.call("fleet.discovery", "publish_widget", bridge, id)

    timer = bridge.server.every(_PAUSE, step)


def publish_widget(bridge, id: int) -> None:
    """Publish the configuration of one widget; custom kinds have none."""
    panel = bridge.panel
    widget = lazy.call("panel.pages", "describe", panel.session, id, panel.widgets[id])
    kind = widget["kind"]
    component = _COMPONENTS.get(kind)
    if kind == "value":
        component = "binary_sensor" if isinstance(widget["value"], bool) else "sensor"
    if not component:
        return
    name = bridge.prefix.split("/")[-2]
    config = {
        "name": widget["label"],
        "unique_id": "%s-%d" % (name, id),
        "availability_topic": bridge.prefix + "presence",
        "device": {"identifiers": [name], "name": name, "manufacturer": "wsserver"},
    }
    if kind != "button":
        config["state_topic"] = bridge.prefix + "panel/values"
        config["value_template"] = "{{ value_json['%d'] }}" % id
    if kind != "value":
        config["command_topic"] = "%sin/panel/%d" % (bridge.prefix, id)
    config.update(_options(kind, component, widget))
    topic = "%s/%s/%s/%d/config" % (bridge.settings["discovery"], component, name, id)
    bridge.announce(topic, json.dumps(config).encode())


def _options(kind, component, widget):
    """Return what a component needs beside the common fields."""
    options: dict = {}
    if component in ("switch", "binary_sensor"):
        # Templates show true as "True".
        options = {"payload_on": "True", "payload_off": "False"}
    elif kind == "slider":
        options = {"min": widget["minimum"], "max": widget["maximum"], "step": widget["step"]}
    elif kind == "select":
        options = {"options": widget["choices"]}
    elif kind == "text":
        options = {"max": min(255, widget["size"])}
    elif kind == "colour":
        options = {"pattern": "#[0-9a-fA-F]{6}"}
    if widget.get("unit"):
        options["unit_of_measurement"] = widget["unit"]
    return options


def publish_values(bridge) -> None:
    """Publish all values, as an object by id."""
    values = bridge.panel.values()
    items = ['"%d": %s' % (id, json.dumps(value)) for id, value in enumerate(values)]
    bridge.announce(bridge.prefix + "panel/values", ("{%s}" % ", ".join(items)).encode())


def command(bridge, levels: list, payload) -> None:
    """Execute a command: levels are "panel" and the id of a widget. Errors are logged."""
    try:
        panel = bridge.panel
        if not panel or not bridge.settings["discovery"] or not levels[1].isdigit():
            raise ValueError("no such widget")
        id = int(levels[1])
        if id >= len(panel.widgets):
            raise ValueError("no such widget")
        panel.command(id, _value(panel.widgets[id][0], str(payload, "utf-8")))
    except MemoryError:
        raise
    except Exception as error:
        bridge.server.log(WARNING, "fleet: command for a widget: %s" % error)
        if bridge.panel:
            publish_values(bridge)  # as they are; after a command the panel has them published


def _value(kind, text):
    """Return the value that a widget of this kind takes. Raises ValueError."""
    if kind == "switch":
        return text.lower() in ("true", "on", "1")
    if kind == "slider":
        number = float(text)
        return int(number) if number == int(number) else number
    return None if kind == "button" else text
