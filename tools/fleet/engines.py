"""Start the MQTT engines: nats-server, alone or as a cluster of three, and mosquitto."""

from __future__ import annotations

import functools
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tools.failure import Failure
from tools.ports import free_port

NAMES = ("nats-server", "mosquitto")
MQTT_TIMEOUT_SINCE = (2, 11, 3)  # of nats-server
INSTALL = (
    "no MQTT engine is installed: install one with 'apt install nats-server' or "
    "'apt install mosquitto' (docs/fleet.md)"
)


def find(name: str) -> str | None:
    """Return the path of an engine's program; Debian installs both into /usr/sbin."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@functools.cache
def nats_version() -> tuple[int, ...]:
    """Return the version of nats-server, such as (2, 9, 10); () if it is not installed."""
    program = find("nats-server")
    if not program:
        return ()
    text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else ()


def installed() -> list[str]:
    """Return the names of the engines that are installed, the preferred one first."""
    return [name for name in NAMES if find(name)]


@dataclass(frozen=True)
class User:
    """An account of the engine. board: the only board whose topics it may use; None: all."""

    name: str
    password: str
    board: str | None = None


def free_ports(count: int) -> list[int]:
    """Return different unused TCP ports, which no outgoing connection takes meanwhile."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


class Engine:
    """A broker on this machine, with its data in a temporary folder.

    port: of MQTT; it stays the same after a restart. users: the accounts; without any, all clients
    are accepted. tls: (certificate, key), PEM files. clients: at most so many; 0: no limit.
    storage: of JetStream.
    """

    def __init__(
        self,
        name: str,
        users: tuple[User, ...] = (),
        prefix: str = "boards",
        port: int = 0,
        tls: tuple[Path, Path] | None = None,
        node: int = 0,
        cluster: tuple[int, ...] = (),
        clients: int = 0,
        storage: str = "1G",
    ):
        self.name = name
        self._folder = Path(tempfile.mkdtemp(prefix="fleet-"))
        self.port, self.client_port, self.monitor_port = free_ports(3)
        self.port = port or self.port
        text = (
            nats_config(self, users, prefix, tls, node, cluster, storage)
            if name == "nats-server"
            else mosquitto_config(self, users, prefix, tls)
        )
        if clients:
            text += f"max_connections {clients}\n"
        self._config = self._folder / "engine.conf"
        self._config.write_text(text)
        self._process: subprocess.Popen | None = None

    @property
    def folder(self) -> Path:
        """Return the folder with the configuration, the data and the log."""
        return self._folder

    @property
    def log(self) -> str:
        """Return what the engine has logged."""
        return (self._folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Return the process id of the engine, which must run."""
        assert self._process, "the engine does not run"
        return self._process.pid

    def start(self, wait: bool = True) -> Engine:
        """Start the engine; wait until it accepts connections."""
        program = find(self.name)
        if not program:
            raise Failure(INSTALL)
        with (self._folder / "log").open("ab") as log:
            command = [program, "-c", str(self._config)]
            # Ctrl-C is for its parent, which ends it after the boards.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds: float = 15) -> None:
        """Wait until the engine accepts MQTT connections. Raises Failure if it does not."""
        assert self._process
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.02)
        raise Failure(f"{self.name} does not start: {self.log[-500:]}")

    def kill(self) -> None:
        """End the process at once, as kill -9 does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop the process without closing its connections: it answers nothing any more."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after pause()."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process and remove its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Engine:
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()


def mosquitto_config(engine: Engine, users, prefix, tls) -> str:
    """Return the configuration of mosquitto; writes its password and access control files."""
    folder = engine.folder
    lines = [
        f"listener {engine.port} 127.0.0.1",
        # With the default, 1,800 s, acknowledged messages of the last half hour can be lost.
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_queued_messages 100000",
        f"allow_anonymous {'false' if users else 'true'}",
        "log_type error",
        "log_type warning",
    ]
    if tls:
        lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
    if users:
        passwords, access = folder / "passwords", folder / "access"
        passwords.write_text("".join(f"{user.name}:{user.password}\n" for user in users))
        passwords.chmod(0o600)
        tool = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
        subprocess.run([tool, "-U", str(passwords)], check=True)
        rules = []
        for user in users:
            rules.append(f"user {user.name}")
            if user.board is None:
                rules.append("topic readwrite #")
                continue
            root = f"{prefix}/v1/{user.board}"
            rules += [f"topic read {root}/in/#", f"topic readwrite {root}/presence"]
            rules += [f"topic write {root}/{kind}" for kind in ("state", "all/#", "group/#")]
            rules += [f"topic write {root}/{kind}" for kind in ("to/#", "panel/#")]
            rules.append(f"topic write homeassistant/+/{user.board}/+/config")
        access.write_text("\n".join(rules) + "\n")
        access.chmod(0o600)
        lines += [f"password_file {passwords}", f"acl_file {access}"]
    if _is_root():
        lines.append("user root")  # otherwise it gives up the right to write to its folder
    return "\n".join(lines) + "\n"


def _is_root():
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def nats_config(engine: Engine, users, prefix, tls, node, cluster, storage) -> str:
    """Return the configuration of nats-server, with JetStream and MQTT.

    cluster: the ports of the routes between all nodes; node: the index of this one.
    """
    lines = [
        f"server_name: node{node}",
        f'listen: "127.0.0.1:{engine.client_port}"',
        f'http: "127.0.0.1:{engine.monitor_port}"',
        f'jetstream {{ store_dir: "{engine.folder}/data", max_file: {storage} }}',
        "mqtt {",
        f'  listen: "127.0.0.1:{engine.port}"',
        "  ack_wait: 5s",
        "  max_ack_pending: 1000",
    ]
    if nats_version() >= MQTT_TIMEOUT_SINCE:
        # What is asked without a leader is never answered: 5 s would be lost, the default.
        lines.append("  js_api_timeout: 1s")
    if tls:
        lines.append(f'  tls {{ cert_file: "{tls[0]}", key_file: "{tls[1]}" }}')
    lines.append("}")
    if cluster:
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in cluster)
        lines += [
            "cluster {",
            "  name: fleet",
            f'  listen: "127.0.0.1:{cluster[node]}"',
            f"  routes: [{routes}]",
            "}",
        ]
    if users:
        accounts = "\n".join(f"      {_nats_user(user, prefix)}" for user in users)
        lines += ["accounts {", "  FLEET {", "    jetstream: enabled", "    users: ["]
        lines += [accounts, "    ]", "  }", "  SYS { users: [] }", "}", "system_account: SYS"]
    return "\n".join(lines) + "\n"


def _nats_user(user: User, prefix: str) -> str:
    name = f'user: "{user.name}", password: "{user.password}"'
    if user.board is None:
        return f"{{ {name} }}"
    publish, subscribe = nats_permissions(user.board, prefix)
    lists = [", ".join(f'"{subject}"' for subject in one) for one in (publish, subscribe)]
    rules = f"publish: {{ allow: [{lists[0]}] }}, subscribe: {{ allow: [{lists[1]}] }}"
    # With the protocol of NATS itself an account could read "$MQTT.sub.>": the others' messages.
    return f'{{ {name}, permissions: {{ {rules} }}, allowed_connection_types: ["MQTT"] }}'


def nats_permissions(board: str, prefix: str = "boards") -> tuple[list[str], list[str]]:
    """Return the NATS subjects to which a board may publish, and to which it may subscribe.

    MQTT's "/" is "." in a subject, "+" is "*", and "#" is ">". A subscription to "a/#" needs "a"
    as well. Subscriptions of QoS 1 are delivered by "$MQTT.sub.>"; the server refuses a
    subscription of an MQTT client to these.
    """
    root = f"{prefix.replace('/', '.')}.v1.{board}"
    kinds = ("presence", "state", "all.>", "group.>", "to.>", "panel.>")
    publish = [f"{root}.{kind}" for kind in kinds]
    publish.append(f"homeassistant.*.{board}.*.config")
    return publish, [f"{root}.in", f"{root}.in.>", f"{root}.presence", "$MQTT.sub.>"]


class Cluster:
    """Three nodes of nats-server that form one cluster."""

    def __init__(self, users: tuple[User, ...] = ()):
        ports = tuple(free_ports(3))
        self.nodes = [
            Engine("nats-server", users, node=index, cluster=ports) for index in range(3)
        ]

    def __enter__(self) -> Cluster:
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()
        return self

    def __exit__(self, *_) -> None:
        for node in self.nodes:
            node.stop()
