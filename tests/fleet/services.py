"""Runs the services of compose.yaml as containers without an engine for them: each has a network
namespace, and a root of its own that consists of this machine's files and its volumes.

Commands, users, names, addresses and files are those of compose.yaml. In place of an image, the
program of this machine runs. `pip install` of a gateway links packages that are installed here,
and the gateway can import no others.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests.faults.network import Namespace
from tools import ROOT
from tools.fleet.engines import find

_NAMESERVER = "127.0.0.11"  # Docker's
_BRIDGE = "bridge"
# What the image starts; the command of the service follows.
_PROGRAMS = {
    "nats": [find("nats-server")],
    "haproxy": [
        shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin"),
        *("-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"),
    ],
    "python": [],
}
_ROOT = """set -e
mount -t tmpfs tmpfs {box}
cd {box}
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount --rbind /proc root/proc
mount --rbind /dev root/dev
"""
# The links of these packages and of what they need become the gateway's only packages.
_PIP = """import re, sys
from importlib.metadata import distribution
from pathlib import Path

names = [re.match(r"[\\w-]+", line)[0] for line in Path(sys.argv[-1]).read_text().splitlines()]
for name in names:
    found = distribution(name)
    for file in found.files:
        target = Path("/packages", file.parts[0])
        if file.parts[0] != ".." and not target.exists():
            target.symlink_to(found.locate_file(file.parts[0]))
    needed = [text for text in found.requires or () if ";" not in text]
    names += [re.match(r"[\\w-]+", text)[0] for text in needed]
"""


def missing() -> str | None:
    """Return what this machine lacks to run the services, or None."""
    for image, words in _PROGRAMS.items():
        if None in words:
            return f"needs {image}"
    return None


class Services:
    """The services of a compose file. folder: of the file; the volumes are in it.

    addresses: {service: IP address}. outside: the namespace of others; host: its address.
    """

    def __init__(self, compose: dict, folder: Path):
        self._compose = compose
        self._folder = folder
        self._processes: dict[str, subprocess.Popen] = {}
        self._spaces: dict[str, Namespace] = {}
        self._stack = contextlib.ExitStack()
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> Services:
        try:
            self._connect()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def _connect(self):
        """Make a bridge, and a namespace with an address for each service."""
        text = self._compose["networks"]["fleet"]["ipam"]["config"][0]["subnet"]
        subnet = ipaddress.ip_network(text)
        self.outside = self._namespace("wsbridge")
        self.outside.ip("link", "add", _BRIDGE, "type", "bridge")
        self.host = str(subnet[1])
        self.outside.ip("address", "add", f"{self.host}/{subnet.prefixlen}", "dev", _BRIDGE)
        self.outside.ip("link", "set", _BRIDGE, "up")
        for index, (name, service) in enumerate(self._compose["services"].items()):
            networks = service["networks"]
            fixed = networks["fleet"]["ipv4_address"] if isinstance(networks, dict) else ""
            address = self.addresses[name] = fixed or str(subnet[20 + index])
            space = self._spaces[name] = self._namespace("ws" + name)
            ends = ("v" + name, "type", "veth", "peer", "name", "eth0", "netns", space.name)
            self.outside.ip("link", "add", *ends)
            self.outside.ip("link", "set", "v" + name, "master", _BRIDGE, "up")
            space.ip("address", "add", f"{address}/{subnet.prefixlen}", "dev", "eth0")
            space.ip("link", "set", "eth0", "up")
            self._resolve(space)
        lines = ["127.0.0.1 localhost"]
        lines += [f"{address} {name}" for name, address in self.addresses.items()]
        (self._folder / "hosts").write_text("\n".join(lines) + "\n")

    def _namespace(self, name):
        space = Namespace(name)
        self._stack.callback(space.remove)
        return space

    def start(self, name: str) -> None:
        """Start a service."""
        service = self._compose["services"][name]
        box = self._folder / f"{name}.box"
        box.mkdir(exist_ok=True)
        script = _ROOT.format(box=box) + f"cp {self._folder}/hosts root/etc/hosts\n"
        for source, target, is_fixed in self._volumes(service):
            script += f"mkdir -p root{target}\n"
            script += self._project(target) if source == ROOT else ""
            script += f"mount --bind {source} root{target}\n" if source != ROOT else ""
            script += f"mount -o remount,bind,ro root{target}\n" if is_fixed else ""
        for config in service.get("configs", ()):
            path = self._folder / config["source"]
            path.write_text(self._compose["configs"][config["source"]]["content"])
            target = config["target"]
            script += f"mkdir -p root{os.path.dirname(target)}\ncp {path} root{target}\n"
        environment = {"PATH": os.environ["PATH"]}
        image = service["image"].partition(":")[0]
        if image == "python":
            script += self._python()
            environment.update(PATH="/programs:/usr/sbin:/usr/bin:/bin", PYTHONPATH="/packages")
            lines = (self._folder / service["env_file"]).read_text().splitlines()
            environment.update(line.split("=", 1) for line in lines)
        words = [*_PROGRAMS[image], *shlex.split(service.get("command", ""))]
        place = shlex.quote(service.get("working_dir", "/"))
        script += f"exec chroot root sh -c 'cd {place} && exec \"$@\"' sh {shlex.join(words)}\n"
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self._spaces[name].name, "sh", "-c", script],
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(self.kill, name)

    def _volumes(self, service):
        """Yield (folder on this machine, path in the container, whether it is read-only)."""
        for volume in service.get("volumes", ()):
            source, target, *mode = volume.split(":")
            if source == ".":
                folder = ROOT
            elif source.startswith("./"):
                folder = self._folder / source
            else:
                assert source in self._compose["volumes"], source
                folder = self._folder / f"{source}.volume"
                folder.mkdir(exist_ok=True)
            yield folder, target, mode == ["ro"]

    def _project(self, target):
        """Return the script that mounts the project, with the ./deploy of this folder."""
        return f"""mkdir changes changing
mount -t overlay overlay -o lowerdir={ROOT},upperdir=changes,workdir=changing root{target}
mkdir root{target}/deploy
mount --bind {self._folder}/deploy root{target}/deploy
"""

    def _python(self):
        """Return the script that makes `python` and `pip` of a gateway."""
        (self._folder / "pip.py").write_text(_PIP)
        return f"""mkdir root/programs root/packages
cp {self._folder}/pip.py root/programs/pip.py
cd root/programs
echo '#!/bin/sh\nexec {sys.executable} -S "$@"' >python
echo '#!/bin/sh\nPYTHONPATH= exec {sys.executable} /programs/pip.py "$@"' >pip
chmod +x python pip
cd ../..
"""

    def kill(self, name: str) -> None:
        """End all processes of a service, as kill -9 does."""
        process = self._processes.pop(name, None)
        if process:
            command = ["ip", "netns", "pids", self._spaces[name].name]
            for pid in subprocess.run(command, capture_output=True, text=True).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            process.wait()

    def log(self, name: str) -> str:
        """Return what a service has printed."""
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def _resolve(self, space):
        """Answer questions for the addresses of the services, as Docker does."""
        with space.entered():
            server = socket.socket(type=socket.SOCK_DGRAM)
        self._stack.callback(server.close)
        server.bind((_NAMESERVER, 53))

        def run():
            with contextlib.suppress(OSError):
                while True:
                    query, sender = server.recvfrom(512)
                    server.sendto(self._answer(query), sender)

        threading.Thread(target=run, daemon=True).start()

    def _answer(self, query):
        size = query[12]
        address = self.addresses.get(query[13 : 13 + size].decode())
        end = query.index(b"\0", 12) + 5
        records = b""
        if address and query[end - 3] == 1:
            records = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address)
        head = query[:2] + b"\x81\x80\0\1\0" + bytes((bool(records),)) + bytes(4)
        return head + query[12:end] + records
