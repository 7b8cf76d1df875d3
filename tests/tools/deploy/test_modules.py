"""The modules of an application are checked before a board runs them."""

import os
from importlib.metadata import distribution

import pytest

from tests.tools import commands
from tests.tools.deploy.test_application import ECHO, write
from tests.tools.deploy.test_image import make_image, stock  # noqa: F401 - fixtures
from tests.tools.deploy.test_usb import target
from tools import ROOT
from tools.deploy import modules, updatefile
from tools.deploy.application import find
from tools.deploy.build import build
from tools.deploy.deployment import Options, deploy
from tools.deploy.template import write as write_template
from tools.failure import Failure

pytestmark = pytest.mark.host


def check(path):
    modules.check(find(path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = (\n", r"pumps/water\.py:1: '\(' was never closed"),
        ("def f():\n    retrun 1\n", r"pumps/water\.py:2: invalid syntax"),
        ("x = 1\nmatch x:\n    case 1: pass\n", r"water\.py:2: .*not in MicroPython"),
        ("import micropython\n@micropython.asm_rv32\ndef f(a0):\n    mvv(a0, a0)\n", r"\.py:4: "),
    ],
)
def test_a_module_that_does_not_compile_is_named_with_its_line(tmp_path, text, problem):
    write(tmp_path, app_py=ECHO, pumps__water_py=text)
    with pytest.raises(Failure, match=problem):
        check(tmp_path)


def test_native_code_of_every_kind_of_cpu_is_accepted(tmp_path, capsys):
    viper = "import micropython\n\n@micropython.viper\ndef f(x: int) -> int:\n    return x\n"
    text = "import micropython\n\n@micropython.asm_%s\ndef f(%s):\n    %s\n"
    write(tmp_path, app_py=ECHO, viper_py=viper, v_py=text % ("rv32", "a0", "mv(a0, a0)"))
    write(tmp_path, x_py=text % ("xtensa", "a2", "mov(a2, a2)"))
    check(tmp_path)
    assert capsys.readouterr().err == ""


MISSING = "no module '%s' in the application, the firmware or MicroPython"
ADD = ": add it to the application, or install it on the board with `mpremote mip`"


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("import sensorz", MISSING % "sensorz" + "; did you mean 'sensors'?"),
        ("from pumps.watr import on", MISSING % "pumps.watr" + "; did you mean 'pumps.water'?"),
        ("import wsserver.nothing", MISSING % "wsserver.nothing" + ADD),
        ("from .nothing import x", MISSING % "app.nothing" + ADD),
        ("def late():\n    import typing", MISSING % "typing" + ADD),
        ("import requestz", MISSING % "requestz" + "; did you mean 'requests'?"),
    ],
)
def test_an_import_of_an_unknown_module_is_warned_of(tmp_path, capsys, line, warning):
    write(tmp_path, app_py=f"{line}\n{ECHO}", sensors_py="", pumps__water_py="on = 1")
    check(tmp_path)
    number = 2 if "\n" in line else 1
    assert capsys.readouterr().err == f"warning: {tmp_path / 'app.py'}:{number}: {warning}\n"


def test_imports_that_work_on_a_board_are_not_warned_of(tmp_path, capsys):
    lines = (
        *("import asyncio, ujson, machine", "from umqtt.simple import MQTTClient", "import pumps"),
        *("from app import pumps", "import app.pumps.water", "from wsserver.http import request"),
        *("import application", "try:\n    import lcd", "except ImportError:\n    lcd = None"),
    )
    parts = {"__init___py": "from .water import on\nfrom . import water"}
    write(tmp_path, app_py="\n".join([*lines, ECHO]), pumps__water_py="on = 1")
    (tmp_path / "pumps" / "__init__.py").write_text(parts["__init___py"])
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "download.py").write_text("import nothing, (")
    check(tmp_path)
    assert capsys.readouterr().err == ""


def test_every_module_of_the_stubs_of_the_port_is_known(tmp_path, capsys):
    stubs = distribution("micropython-esp32-stubs").files
    tops = {
        str(file).split("/")[0].removesuffix(".pyi") for file in stubs if file.suffix == ".pyi"
    }
    names = sorted(tops - {"__builtins__", "uzlib"})  # which MicroPython 1.21 has removed
    assert len(names) > 50
    write(tmp_path, app_py="".join(f"import {name}\n" for name in names) + ECHO)
    check(tmp_path)
    assert capsys.readouterr().err == ""


def test_the_template_and_the_examples_are_without_warnings(tmp_path, capsys):
    write_template(tmp_path / "mine.py")
    capsys.readouterr()
    for file in (tmp_path / "mine.py", *(ROOT / "examples").glob("*.py")):
        check(file)
    assert capsys.readouterr().err == ""


def test_every_command_refuses_a_module_before_anything_else(tmp_path, make_image):  # noqa: F811
    write(tmp_path, app_py="import broken\n" + ECHO, broken_py="x = 1\nmatch x:\n  case 1: pass")
    ports = ("--http-port", "0", "--https-port", "0")
    status, output, errors = commands.run("run", "--app", tmp_path, *ports)
    assert (status, output) == (1, "")
    assert "broken.py:2: SyntaxError: invalid syntax (valid in Python" in errors
    with pytest.raises(Failure, match=r"broken\.py:2: "):
        deploy(Options(port=os.devnull, app=tmp_path))
    with pytest.raises(Failure, match=r"broken\.py:2: "):
        make_image(app=tmp_path)
    with pytest.raises(Failure, match=r"broken\.py:2: "):
        updatefile.make(updatefile.Options(app=tmp_path))


def test_native_code_of_an_application_is_compiled_for_the_board(tmp_path):
    text = "import micropython\n@micropython.viper\ndef f(x: int) -> int:\n    return x\n"
    write(tmp_path, app_py=text + ECHO)
    files = find(tmp_path).files
    assert build(files, target("xtensawin"), False, print)["/app/app.mpy"][:1] == b"M"
    with pytest.raises(Failure, match="native code, which this board's MicroPython does not run"):
        build(files, target(""), False, print)
