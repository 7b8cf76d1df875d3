"""The 32-bit interpreter is fetched from the machine's Debian mirror, or says what to do."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.virtualboard import fetch32, interpreter
from tools.virtualboard.interpreter import NoInterpreterError, native_arch, select_interpreter

ROOT = Path(__file__).resolve().parents[3]
ONE_LINE = """
# deb http://commented.example/debian bookworm main
deb http://one.example/debian bookworm main  # the first
deb-src http://source.example/debian bookworm main
deb [arch=amd64 trusted=yes] https://two.example/mirror/debian/ stable main contrib
deb http://one.example/debian-security bookworm-security main
deb http://archive.example/ubuntu noble main
deb cdrom:[Debian]/ bookworm main
"""
DEB822 = """# comment
Types: deb deb-src
URIs: http://three.example/debian
  http://four.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm

types: deb
uris: mirror+file:/etc/apt/mirrors/debian.list
suites: bookworm
"""


@pytest.fixture
def sources(tmp_path):
    """sources(**files) writes an apt configuration and returns its folder."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / "apt" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path / "apt"

    return write


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """programs(name=script) puts shell scripts onto a PATH of their own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(**scripts):
        for name, script in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text("#!/bin/sh\n" + script)
            path.chmod(0o755)

    return write


def test_mirrors_are_read_from_both_formats(sources):
    folder = sources({"sources.list": ONE_LINE, "sources.list.d/debian.sources": DEB822})
    assert fetch32.mirrors(folder) == [
        "http://one.example/debian",
        "https://two.example/mirror/debian/",
        "http://three.example/debian",
        "http://four.example/debian",
        "mirror+file:/etc/apt/mirrors/debian.list",
    ]


def test_a_mirror_is_named_once_and_only_debians_count(sources):
    files = {
        "sources.list": "",
        "sources.list.d/a.list": "deb http://one.example/debian sid main\n" * 2,
        "sources.list.d/b.list.disabled": "deb http://two.example/debian sid main\n",
        "sources.list.d/c.sources": "Types: deb\nURIs: https://packages.example/node\nSuites: x\n",
    }
    assert fetch32.mirrors(sources(files)) == ["http://one.example/debian"]
    assert fetch32.mirrors(Path("/nowhere")) == []


def test_no_mirror_is_named_in_the_repository():
    text = (ROOT / "tools/virtualboard/fetch32.py").read_text()
    assert "://" not in text
    assert "trusted=yes" not in text


def test_without_a_debian_mirror_advice_is_given(sources, tmp_path):
    folder = sources({"sources.list": "deb http://archive.example/ubuntu noble main"})
    with pytest.raises(NoInterpreterError, match="no mirror of Debian's .* MICROPYTHON=/path"):
        fetch32.fetch(tmp_path / "kept", folder)


def test_without_apt_advice_is_given(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoInterpreterError, match="this system has no apt-get.*MICROPYTHON=/path"):
        fetch32.fetch(tmp_path / "kept", sources({"sources.list": ONE_LINE}))


def test_on_another_system_advice_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(NoInterpreterError, match="darwin .* does not run Debian's i386 package"):
        fetch32.fetch(tmp_path / "kept")


def test_without_debians_keys_advice_is_given(tmp_path):
    with pytest.raises(NoInterpreterError, match="debian-archive-keyring"):
        fetch32.keyring([str(tmp_path / "missing.gpg")])


def test_offline_every_mirror_is_tried_and_the_reason_told(sources, tmp_path, programs):
    programs(
        apt_get=f'echo "$@" >> {tmp_path}/calls\necho "Err:1 no route"\necho "E: no net"\nexit 100'
    )
    folder = sources({"sources.list": ONE_LINE})
    (tmp_path / "kept" / "fetching-of-a-process-that-was-killed" / "cache").mkdir(parents=True)
    with pytest.raises(NoInterpreterError, match="could not fetch it .*E: no net"):
        fetch32.fetch(tmp_path / "kept", folder)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 2
    assert all(" update --error-on=any" in call for call in calls)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["lock"]


APT = """
for word in "$@"; do
    case "$word" in
        Dir::Etc::sourcelist=*) cp "${word#*=}" "$SEEN/sources.list" ;;
        download) echo "$@" > "$SEEN/download"; touch package.deb ;;
    esac
done
"""
DPKG = """
mkdir -p "$3/usr/lib" "$3/usr/bin"
printf '#!/bin/sh\\nexit 0\\n' > "$3/usr/lib/ld-linux.so.2"
chmod +x "$3/usr/lib/ld-linux.so.2"
echo x >> "$SEEN/unpacked"
"""


def test_suite_version_and_signature_are_named_explicitly(
    sources, tmp_path, programs, monkeypatch
):
    monkeypatch.setenv("SEEN", str(tmp_path))
    programs(apt_get=APT, dpkg_deb=DPKG)
    command = fetch32.fetch(tmp_path / "kept", sources({"sources.list": ONE_LINE}))
    source = (tmp_path / "sources.list").read_text()
    assert source.startswith("deb [arch=i386 signed-by=/")
    assert source.endswith("] http://one.example/debian trixie main\n")
    words = (tmp_path / "download").read_text().split()
    assert words[words.index("download") + 1 :] == [
        "micropython=1.25.0+ds-1",
        *("libc6", "libffi8", "libmbedtls21", "libmbedcrypto16", "libmbedx509-7"),
    ]
    options = dict(word.split("=", 1) for word in words if "::" in word)
    assert options["Dir::State::status"] == "/dev/null"
    assert options["Dir::Etc::sourceparts"] == "/dev/null"
    assert options["APT::Architecture"] == "i386"
    assert "AllowUnauthenticated=true" not in " ".join(words)
    for name in ("Dir::State::lists", "Dir::Cache"):
        assert str(tmp_path / "kept") in options[name]
    root = tmp_path / "kept" / fetch32.VERSION
    assert command == fetch32.command(root)
    # What is there is not fetched again.
    assert fetch32.fetch(tmp_path / "kept", Path("/nowhere")) == command
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        fetch32.VERSION,
        "lock",
    ]


def test_processes_at_the_same_time_fetch_it_once(sources, tmp_path, programs, monkeypatch):
    monkeypatch.setenv("SEEN", str(tmp_path))
    programs(apt_get=APT, dpkg_deb=DPKG)
    folder, kept = sources({"sources.list": ONE_LINE}), tmp_path / "kept"
    kept.mkdir()
    code = (
        "import sys; from pathlib import Path; from tools.virtualboard import fetch32\n"
        "fetch32.fetch(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    with open(kept / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-c", code, str(kept), str(folder)]
        running = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
        with pytest.raises(subprocess.TimeoutExpired):
            running[0].wait(0.5)
        assert not (tmp_path / "unpacked").exists()
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert (tmp_path / "unpacked").read_text() == "x\n"


def test_a_package_that_does_not_run_is_not_kept(sources, tmp_path, programs, monkeypatch):
    monkeypatch.setenv("SEEN", str(tmp_path))
    programs(apt_get=APT, dpkg_deb=DPKG.replace("exit 0", "exit 1"))
    with pytest.raises(NoInterpreterError, match="does not run on this system"):
        fetch32.fetch(tmp_path / "kept", sources({"sources.list": ONE_LINE}))
    assert not (tmp_path / "kept" / fetch32.VERSION).exists()


# --- the choice


@pytest.fixture
def choose(monkeypatch):
    """choose(word, path) selects an interpreter for this test."""

    def select(word=None, path=None):
        for name in (interpreter.WORD_VARIABLE, interpreter.PATH_VARIABLE):
            monkeypatch.setenv(name, "")
        select_interpreter(word, path)
        return interpreter.interpreter()

    return select


def fake(tmp_path, answer):
    path = tmp_path / "micropython"
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("answer", "word", "arch"),
    [
        ("2147483647 1798 False 3.4.0; MicroPython", 32, "x86"),
        ("9223372036854775807 2822 True 3.4.0; MicroPython", 64, "x64"),
        ("9223372036854775807 6 True 3.4.0; MicroPython", 64, None),
        ("2147483647 11014 True 3.4.0; MicroPython", 32, None),
    ],
)
def test_any_interpreter_is_asked_what_it_is(choose, tmp_path, answer, word, arch):
    path = fake(tmp_path, answer)
    found = choose(path=path)
    assert (found.command, found.word, found.arch) == ([path], word, arch)
    assert native_arch() == arch


def test_an_interpreter_of_the_other_word_size_is_refused(choose, tmp_path):
    path = fake(tmp_path, "9223372036854775807 2822 True 3.4.0; MicroPython")
    with pytest.raises(NoInterpreterError, match="has 64 bits, not 32"):
        choose(32, path)


def test_what_is_no_micropython_is_refused(choose, tmp_path):
    with pytest.raises(NoInterpreterError, match="is not a MicroPython"):
        choose(path=fake(tmp_path, "hello"))
    with pytest.raises(NoInterpreterError, match="cannot be run: No such file"):
        choose(path=str(tmp_path / "missing"))


def test_a_word_size_that_no_board_has_is_refused(choose):
    with pytest.raises(NoInterpreterError, match="WORD=16"):
        choose(16)


def test_the_choice_reaches_the_programs_that_are_started(choose, tmp_path):
    path = fake(tmp_path, "2147483647 1798 False 3.4.0; MicroPython")
    choose(path=path)
    code = "from tools.virtualboard import find_micropython; print(find_micropython())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.strip() == str([path]), done.stderr
