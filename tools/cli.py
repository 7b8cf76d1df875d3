"""`python -m tools COMMAND`: the command line. Each command imports its code when it runs."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import click

from tools import HOME, IS_CHECKOUT, PROGRAM, ROOT
from tools.failure import Failure, Interrupted, spelled, with_variable

SECTIONS = {
    "A board": "boards flash erase config deploy join monitor repl reset backup client",
    "A virtual board": "run new certs",
    "Many boards": "fleet fleet-gateway bench-fleet",
    "A release": "build image site romfs package docs release",
    "Help": "manual",
    "Checks": "lint format fuzz mutate soak compare bench screenshots",
}


class Commands(click.Group):
    """List commands by section, and name the one that failed."""

    _NOT_ON_WINDOWS = ("fcntl", "pty", "resource", "termios", "tty")

    def list_commands(self, context: click.Context) -> list[str]:
        """Return all names, in the order of SECTIONS."""
        return " ".join(SECTIONS.values()).split()

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list for each section."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(90)) for name in names.split()]
                )

    def invoke(self, context: click.Context):
        """Run a command, and put its name in front of a Failure's message.

        A file that cannot be read or written is a Failure, too. Commands that start virtual boards
        import modules that Windows does not have.
        """
        try:
            return super().invoke(context)
        except Failure as failure:
            raise Failure(f"{context.invoked_subcommand}: {failure.message}") from failure
        except Interrupted as interrupted:
            sys.stdout.flush()
            # The terminal shows ^C at the end of the last line.
            text = f"\n{context.invoked_subcommand}: {interrupted}"
            print(spelled(text), file=sys.stderr)
            raise click.exceptions.Exit(130) from None
        except OSError as error:
            if not error.filename or not error.strerror:
                raise
            file = error.filename2 or error.filename
            raise Failure(f"{context.invoked_subcommand}: {file}: {error.strerror}") from error
        except ImportError as error:
            if error.name not in self._NOT_ON_WINDOWS:
                raise
            raise Failure(
                f"{context.invoked_subcommand}: the virtual board needs pseudo terminals, which "
                f"this system does not have ({error}). On Windows, use it in WSL: `wsl --install`,"
                " then the same commands there. A real board works without."
            ) from None


@click.group(cls=Commands, context_settings={"max_content_width": 100})
def commands() -> None:
    """Tools for a WebSocket server on ESP32 boards. `make` has a shortcut for most of them."""


def main(arguments: list[str] | None = None, obj: object = None) -> int:
    """Run a command and return its exit status: 0, 1 (Failure), 2 (wrong usage), 130 (Ctrl-C)."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file on Windows cannot contain all characters
        sys.stdout.reconfigure(errors="replace")
    try:
        result = commands.main(arguments, PROGRAM, standalone_mode=False, obj=obj)
        return result if isinstance(result, int) else 0
    except Failure as failure:
        sys.stdout.flush()
        print(spelled(failure.message), file=sys.stderr)
        return 1
    except click.ClickException as error:
        text = "MAKELEVEL" in os.environ and with_variable(error)
        if text:
            print(text, file=sys.stderr)
        else:
            error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130


app_option = click.option(
    "--app", type=click.Path(path_type=Path), help='An application: a file or folder, or "demo".'
)
port_option = click.option("--port", default="", help="Device, COM port or pyserial URL.")


def existing_file(name: str, text: str):
    """Return an option whose value is a path. The command reports a file it cannot read."""
    return click.option(name, type=click.Path(path_type=Path), help=text)


# --- a board


def image_options(command):
    """Add the options that choose the content of an image."""
    for option in (
        click.option("--source", is_flag=True, help="Do not compile lib/."),
        click.option("--certs", is_flag=True, help="Add the certificates of certs/."),
        existing_file("--config", "Add this config.json."),
        existing_file("--app", "Add this application: app.py, or a folder."),
    ):
        command = option(command)
    return command


@commands.command()
@port_option
def boards(port: str) -> None:
    """List connected boards: chip, flash, MAC, MicroPython."""
    from tools.board.survey import survey

    survey(port)


@commands.command()
@port_option
@click.option("--chip", default="", help="Row of docs/boards.md. Without it: detected.")
@existing_file("--firmware", "MicroPython's image. Without it: the newest stable one.")
@click.option("--image", is_flag=True, help="Also write the firmware's files, in one step.")
@image_options
@click.option("--wait", default=30.0, show_default=True, help="Seconds to wait for the prompt.")
@click.option("--baud", default=460800, show_default=True, help="Rate to write at.")
def flash(
    port: str,
    chip: str,
    firmware: Path | None,
    image: bool,
    wait: float,
    baud: int,
    **options,
) -> None:
    """Erase a chip and write MicroPython, or an image with everything."""
    from tools.board.flash import flash

    complete = None
    if image:
        from tools.deploy.imaging import Complete, Options

        complete = Complete(Options(chip=chip, firmware=firmware, **options))
    elif any(options.values()):
        raise Failure(
            "APP=, CONFIG=, CERTS=1 and SOURCE=1 are for an image with the firmware: add IMAGE=1, "
            "or give them to `make deploy` after `make flash`"
        )
    flash(port, chip, firmware, wait, baud, complete)


@commands.command()
@port_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(port: str, yes: bool) -> None:
    """Erase the whole flash of a board."""
    from tools.board.flash import erase

    erase(port, yes)


@commands.command()
@click.option(
    "--file", type=click.Path(path_type=Path), default=HOME / "config.json", help="File to write."
)
def config(file: Path) -> None:
    """Ask for the Wi-Fi's name and password and write config.json."""
    from tools.board.configure import configure

    configure(file)


@commands.command()
@port_option
@click.option(
    "--host", default="", help="Over Wi-Fi: address, address:port, ws://... or wss://..."
)
@existing_file("--ca", "Certificate authority for wss://. Without it: certs/ca.pem.")
@click.option("--source", is_flag=True, help="Copy lib/ as .py files.")
@app_option
@existing_file("--config", "Replace the board's config.json by this file.")
@click.option("--certs", is_flag=True, help="Replace the board's certificates by certs/.")
@click.option("--wait", default=60.0, show_default=True, help="Seconds to wait for the start.")
@click.option(
    "--root", type=click.Path(path_type=Path), default=ROOT, help="Folder with boot.py and lib/."
)
def deploy(**options) -> None:
    """Copy changed files to a board, over USB or Wi-Fi, and start it."""
    from tools.deploy.deployment import Options, deploy

    deploy(Options(**options))


@commands.command()
@port_option
def join(port: str) -> None:
    """Show how to join a board's Wi-Fi and open its page."""
    from tools.board.join import show

    show(port)


@commands.command()
@port_option
@app_option
def monitor(port: str, app: Path | None) -> None:
    """Print a board's serial output and the source of each traceback line."""
    from tools.board.monitor import monitor

    monitor(port, app)


@commands.command()
@port_option
def repl(port: str) -> int:
    """Open a board's prompt. Ctrl-X leaves it."""
    from tools.board.session import repl

    return repl(port)


@commands.command()
@port_option
def reset(port: str) -> None:
    """Restart a board."""
    from tools.board.session import reset

    reset(port)


@commands.command()
@port_option
@click.option(
    "--to", type=click.Path(path_type=Path), default=HOME / "backup", help="Folder for backups."
)
def backup(port: str, to: Path) -> None:
    """Copy all files of a board to this computer."""
    from tools.board.backup import backup

    print(f"the board's files are in {backup(port, to)}")


@commands.command()
@click.argument("url")
@click.option("--stats", is_flag=False, flag_value=2, type=int, metavar="[SECONDS]",
              help="Show the board's status instead, at this interval.")  # fmt: skip
@click.option("--ca", help="Certificate authority for wss://. Without it: certs/ca.pem.")
@click.option("--origin", help="Send this Origin header.")
def client(url: str, stats: int | None, ca: str | None, origin: str | None) -> None:
    """Send lines to a board, such as ws://192.168.4.1/ws, and print its messages."""
    from tools.board.client import run

    run(url, stats, ca, origin)


# --- a release


@commands.command()
@click.option("--chip", multiple=True, help="Only for this board; can be repeated.")
@app_option
@existing_file("--to", "File to write. Without it: build/update/esp32-ws-VERSION.tar.")
def build(chip: tuple[str, ...], app: Path | None, to: Path | None) -> None:
    """Make one update file, which the settings page installs."""
    from tools.deploy.updatefile import Options, make

    make(Options(chip, app, to))


@commands.command()
@click.option("--chip", required=True, help="Row of docs/boards.md.")
@existing_file("--firmware", "MicroPython's image. Without it: the newest stable one.")
@image_options
@click.option("--flash-size", "flash", default=0, help="MB of flash. Without it: the smallest.")
@existing_file("--to", "File to write. Without it: build/image/CHIP.bin.")
@click.option("--no-boot", is_flag=True, help="Do not start a virtual board from it.")
def image(no_boot: bool, **options) -> None:
    """Make one file with MicroPython and everything that a board needs."""
    from tools.deploy.imaging import Options, make

    make(Options(**options, boot=not no_boot))


@commands.command()
@click.option("--chip", required=True, help="Row of docs/boards.md, or a CPU such as x64.")
@existing_file("--to", "File to write. Without it: build/romfs/CHIP.romfs.")
def romfs(chip: str, to: Path | None) -> None:
    """Make a ROMFS image with the compiled lib/."""
    from tools.deploy.romfs import make

    make(chip, to)


@commands.command()
@existing_file("--firmware", "Folder with MicroPython's images. Without it: firmware/.")
@click.option("--chip", multiple=True, help="Only for this board; can be repeated.")
@click.option(
    "--to", type=click.Path(path_type=Path), default=HOME / "build" / "install", help="Folder."
)
def site(firmware: Path | None, chip: tuple[str, ...], to: Path) -> None:
    """Build a page that installs the firmware from a browser."""
    from tools.release.site import Options, make

    make(Options(firmware, chip, to))


@commands.command()
@click.option("--version", default="", help="Set this version, and its section of CHANGELOG.md.")
@click.option("--base", default="", help="Where the packages for mip will be published.")
@existing_file("--firmware", "Folder with MicroPython's images. Without it: firmware/.")
@click.option("--no-images", is_flag=True, help="Build no images for chips.")
@click.option("--no-checks", is_flag=True, help="Do not run lint first.")
def release(
    version: str, base: str, firmware: Path | None, no_images: bool, no_checks: bool
) -> None:
    """Build and check everything that a release consists of, into build/release."""
    from tools.release.release import Options, release

    release(Options(version, base, not no_images, firmware, checks=not no_checks))


@commands.command()
@click.argument("base")
def package(base: str) -> None:
    """Write packages for mip, with absolute addresses below BASE, to build/mip."""
    from tools.deploy.package import publish

    publish(base)


# --- a virtual board


@commands.command()
@click.option("--http-port", default=8080, show_default=True, help="Port for the board's port 80.")
@click.option("--https-port", default=8443, show_default=True, help="Port for its port 443.")
@click.option("--word", type=click.Choice([32, 64]), help="Size of the board's words, in bits.")
@click.option("--heap", help="Size such as 64k, or chip: two heaps as on a chip (32 bits only).")
@existing_file("--config", "A config.json for the board.")
@app_option
@existing_file("--main", "A program that replaces main.py.")
@existing_file("--flash", "Keep the flash in this folder.")
@existing_file("--certs", "A folder with certificates, for wss://.")
@existing_file("--image", "Run from the file system in an image of `image`.")
@click.option("--source", is_flag=True, help="Run lib/ from source, not compiled.")
@click.option("--chip", default="", help="Chip whose limits and names it has, such as c3.")
@click.option("--sockets", type=int, help="Number of sockets. Without it: the chip's.")
def run(**options) -> int:
    """Start a virtual board and print its URLs and its serial output. Ctrl-C ends it."""
    from tools.virtualboard import cli

    _end_with_parent()
    return cli.run(**options)


def _end_with_parent() -> None:
    """Ask Linux for a SIGTERM when `make` is killed: a board left behind would hold its ports."""
    if sys.platform == "linux":
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@commands.command()
@click.argument("path", type=click.Path(path_type=Path))
def new(path: Path) -> None:
    """Write a commented template of an application to PATH."""
    from tools.deploy.template import write

    write(path)


@commands.command()
@click.option("--key", type=click.Choice(["ec", "rsa"]), default="ec", help="Kind of key.")
@click.option("--names", default="", help="More host names and addresses of the board.")
@click.option("--client", default="", help="Make a certificate for this client instead.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=HOME / "certs", help="Folder to fill."
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=HOME / "config.json",
    help="The board's config.json.",
)
@click.pass_obj
def certs(now, **options) -> None:
    """Make a certificate authority and the board's certificate."""
    from tools.certs.cli import make

    make(now=now, **options)


@commands.command()
@click.argument("page", default="")
def manual(page: str) -> None:
    """Show a page of the documentation, such as tls; without PAGE, list them."""
    from tools.manual import show

    show(page)


# --- many boards


def positive(name: str, default: float, text: str):
    """Return an option whose value is a number above 0, of the type of its default."""
    kind = click.IntRange(1) if isinstance(default, int) else click.FloatRange(0, min_open=True)
    return click.option(name, type=kind, default=default, show_default=True, help=text)


gateway_port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True,
    help="Port of the gateway.",
)  # fmt: skip


@commands.command()
@click.option("--boards", type=click.IntRange(1, 200), default=5, show_default=True)
@click.option("--engine", type=click.Choice(["nats-server", "mosquitto"]), help="Default: any.")
@gateway_port_option
def fleet(boards: int, engine: str | None, port: int) -> int:
    """Start an MQTT engine, a gateway and virtual boards. Ctrl-C ends all of them."""
    from tools.fleet.demo import run

    _end_with_parent()
    return run(boards, engine, port)


@commands.command("fleet-gateway")
@click.option("--engine", default="127.0.0.1:1883", show_default=True,
              help="HOST:PORT of the MQTT engine; several, separated by commas.")  # fmt: skip
@click.option("--user", default="", help="Account of the engine; FLEET_PASSWORD has its password.")
@click.option("--engine-ca", help="Authority for TLS to the engine; '' for the system's.")
@click.option("--prefix", default="boards", show_default=True, help="As fleet.prefix.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@gateway_port_option
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True)
@existing_file("--tokens", "JSON: {board: token, or {path: token}}; the board * means all others.")
@existing_file("--pages", "Folder with VERSION/ for pages of other versions.")
@existing_file("--cert", "Certificate for wss://, in PEM.")
@existing_file("--key", "Its private key.")
@click.option("--name", multiple=True, help="Host name besides this machine's; repeatable.")
@click.option("--origin", multiple=True, help="Origin of other pages that may connect.")
@click.option("--proxy", multiple=True, help="Address whose X-Forwarded-For is trusted.")
@positive("--max-size", 4096, "Bytes of a message.")
@positive("--max-stream", 1_000_000, "Bytes of what a board streams to one viewer.")
@positive("--max-viewers", 10000, "Of one board, per process.")
@positive("--per-address", 100, "Connections of an address.")
@positive("--rate", 50.0, "Messages a second of a viewer.")
@positive("--buffer", 65536, "Bytes that wait for a viewer.")
@click.option("--slow", type=click.Choice(["close", "drop"]), default="close", show_default=True)
def fleet_gateway(**options) -> int:
    """Serve the pages and endpoints of boards to any number of viewers."""
    from tools.fleet.processes import run

    return run(**options)


@commands.command("bench-fleet")
@click.option("--boards", default=100, show_default=True)
@click.option("--viewers", default=1000, show_default=True, help="In the first scenario.")
@click.option("--crowd", default=5000, show_default=True, help="Viewers of one board.")
@click.option("--seconds", default=60.0, show_default=True, help="Of each scenario.")
@click.option("--outages", default=1000, show_default=True)
@click.option("--only", default="", help="Scenarios with this in their name.")
@click.option("--document", is_flag=True, help="Write the figures to docs/fleet.md.")
def bench_fleet(**options) -> int:
    """Measure boards, gateways and engines together."""
    from tools.fleet.bench import run

    return run(**options)


# --- checks


@commands.command()
def lint() -> int:
    """Check style, types, prose, and that everything compiles for every chip."""
    from tools.lint.checks import lint

    return lint()


@commands.command()
def format() -> None:
    """Lay out the code and regenerate generated files."""
    from tools.lint.checks import format

    format()


@commands.command()
@click.option("--minutes", default=5.0, show_default=True, help="Duration.")
@existing_file("--find", "Add this input, which made a run fail, to the corpus.")
@click.option("--target", type=click.Choice(["session", "request", "packets"]), default="session")
@click.option("--remark", default="a find of make fuzz", help="Comment in the corpus file.")
@click.option("--document", is_flag=True, help="Add the run to docs/reliability.md.")
def fuzz(minutes: float, find: Path | None, target: str, remark: str, document: bool) -> int:
    """Send random and mutated input to the core and to live boards."""
    from tools.hardening.fuzz import runner

    if find:
        return runner.add_find(find, target, remark)
    return runner.run(minutes * 60, document)


@commands.command()
@click.option("--minutes", default=10.0, show_default=True, help="Duration; 0 only reports.")
@click.option("--only", default="", help="Only changes with this in their file or line.")
@click.option("--again", is_flag=True, help="Try survivors again that are not explained.")
@click.option("--document", is_flag=True, help="Write all results to docs/reliability.md.")
def mutate(minutes: float, only: str, again: bool, document: bool) -> int:
    """Change one operator, constant or statement at a time and see whether a test fails."""
    from tools.hardening.mutate import runner

    status = runner.run(minutes * 60, only, again)
    if document:
        runner.document()
    return status


@commands.command()
@click.option("--hours", default=1.0, show_default=True, help="Duration.")
@existing_file("--json", "Also write all samples to this file.")
@click.option("--check", is_flag=True, help="Do not write docs/reliability.md.")
@existing_file("--redraw", "Write docs/reliability.md from such a file, without a run.")
def soak(hours: float, json: Path | None, check: bool, redraw: Path | None) -> int:
    """Put every kind of load on a board at once and write docs/reliability.md."""
    from tools.hardening.soak import runner

    return runner.soak(hours, json, check, redraw)


@commands.command()
@click.option("--only", default="", help="Checks with this in their name; writes nothing.")
def compare(only: str) -> None:
    """Run the same checks on other servers and write docs/reliability.md."""
    from tools.hardening.compare import runner

    runner.compare(only)


@commands.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@existing_file("--json", "Also write the figures to this file.")
@click.option("--only", help="Only loads with one of these names in theirs, by commas.")
@click.option("--check", is_flag=True, help="Compare with tools/bench/baseline.json instead.")
@click.option("--no-docs", is_flag=True, help="Do not write docs/benchmarks.md.")
@click.option("--memory", is_flag=True, help="Measure the firmware's heap instead.")
@click.option("--startup", is_flag=True, help="Show what each import of the start takes instead.")
@click.option("--word", type=click.Choice([32, 64]), help="The board's word, in bits.")
@click.option("--heap", help="The board's heap for --memory and --startup.")
@click.option("--romfs", is_flag=True, help="Measure --memory with lib/ in a ROMFS.")
@click.option("--seconds", default=60.0, help="Duration of --memory for an idle server.")
def bench(**options) -> int:
    """Measure speed and memory beside other servers and write docs/benchmarks.md."""
    from types import SimpleNamespace

    from tools.bench import runner

    return runner.main(SimpleNamespace(**options))


@commands.command()
def docs() -> None:
    """Build the documentation site into build/site. Broken links are errors."""
    from tools.docs.site import build

    build()


@commands.command()
def screenshots() -> None:
    """Take the pictures of the page in docs/ with this computer's Chromium."""
    from tools.docs.screenshots import make

    make()


def _leave_out(names: str) -> None:
    """Remove commands that need the repository: an installed package has only a part of it."""
    for title, listed in SECTIONS.items():
        SECTIONS[title] = " ".join(name for name in listed.split() if name not in names.split())
    for name in names.split():
        commands.commands.pop(name, None)


if not IS_CHECKOUT:
    commands.help = "Tools for a WebSocket server on ESP32 boards."
    _leave_out(f"{SECTIONS.pop('Checks')} docs release bench-fleet")
