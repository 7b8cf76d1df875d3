"""A program with a panel, for the tests: it reports on the serial port what its functions do."""

import asyncio
import gc

from wsserver import Server, lazy

lazy.load("wsserver.lazyroutes")
server = Server(max_clients=8, log=lambda level, text: print(text))


class Echo:
    def on_message(self, client, message):
        client.send(message)


server.websocket("/echo", Echo())
lazy.load("panel.widgets")  # their names stay in memory, in tables that grow by KB
lazy.load("panel.panel")
lazy.unload("panel.widgets", "panel.panel", "panel")
gc.collect()
before = gc.mem_alloc()
panel = lazy.load("panel.panel").Panel(server, {"wifi": {"hostname": "lab"}})
lazy.unload("panel.widgets")  # as soon as the server runs
gc.collect()
print("panel takes %d" % (gc.mem_alloc() - before))


class State:
    soil = 21.5
    pump = False
    fails = False
    mode = "a"


def soil():
    if State.fails:
        raise OSError("no sensor")
    print("get soil")
    return State.soil


def pump(value=None):
    if value is None:
        return State.pump
    print("set pump", value)
    State.pump = value


def shown(name):
    return lambda value: print("set", name, value)


def break_sensor():
    State.fails = not State.fails


def set_soil(value):
    State.soil = float(value)


def explode(value):
    raise RuntimeError("no power")


def refuse(value):
    raise ValueError("it is too cold")


async def slow(value):
    print("slow begins")
    await asyncio.sleep_ms(300)
    if value == "fail":
        raise OSError("stuck")
    State.mode = value
    print("slow ends")


class Doorbell:
    def on_open(self, client):
        print("bell: open", client.id)

    def on_close(self, client):
        print("bell: close", client.id)

    def on_command(self, client, value):
        print("bell: %r" % value)


panel.value("Soil", soil, unit="%", group="Garden", icon="drop", chart=True)
panel.switch("Pump", get=pump, set=pump)
panel.slider("Fan", set=shown("fan"), minimum=-10, maximum=10, step=0.5)
panel.button("Break the sensor", break_sensor)
panel.select("Mode", ("eco", "boost"), set=shown("mode"), order=2)
panel.text("Soil is", set=set_soil, size=10)
panel.colour("Light", set=shown("light"))
panel.switch("Bad", set=explode)
panel.slider("Cold", set=refuse)
panel.value("History", lambda: State.soil, history=5, every=1)
panel.custom("bell", "Bell", Doorbell())
panel.select("Slow", ("a", "b", "fail"), get=lambda: State.mode, set=slow)
panel.load("part", "late")

PART = """
def add(panel, label):
    print("part: loaded")
    panel.value(label, lambda: 7)
    return lambda: print("part: unloaded")
"""
with open("/lib/part.py", "w") as file:
    file.write(PART)


def measure():
    gc.collect()
    print("heap %d" % gc.mem_alloc())


server.every(500, measure)
server.listen(80)
print("serving")
server.run()
