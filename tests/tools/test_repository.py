"""The repository keeps its own promises: what it lists is there, what it must not hold is not."""

import re
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tools import ROOT, cli
from tools.certs.authority import make_key

pytestmark = pytest.mark.host


def tracked_files():
    """What git would hand to anyone who clones: tracked, or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    if done.returncode:
        pytest.skip(f"this is not a git work tree: {done.stderr.strip()}")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


# --- what git holds


GENERATED = re.compile(
    r"(^|/)(\.venv|__pycache__|\.pytest_cache|\.hypothesis|\.mypy_cache|\.ruff_cache)/"
    r"|\.(pyc|mpy|bin|elf|log)$"
)
SECRET = re.compile(
    r"^certs/|^(config|secrets)\.json$|\.(key|pem|der|crt|p12|pfx)$|(^|/)\.env$|(^|/)id_[a-z0-9]+$"
)


def test_no_generated_file_is_tracked():
    assert [name for name in tracked_files() if GENERATED.search(name)] == []


def test_no_key_certificate_or_board_setting_is_tracked():
    assert [name for name in tracked_files() if SECRET.search(name)] == []


# A private key: PEM's marker (in two, so that this file is not a finding), and what DER begins
# with, in PKCS 8, PKCS 1 and SEC 1 alike: a sequence, and in it the version.
PRIVATE_KEY = re.compile(
    rb"PRIVATE " + rb"KEY-----|\A\x30(.|\x81.|\x82..)\x02\x01[\x00\x01][\x02\x04\x30]", re.S
)


def test_no_tracked_file_holds_a_private_key():
    contents = {name: (ROOT / name).read_bytes() for name in tracked_files()}
    assert [name for name in contents if PRIVATE_KEY.search(contents[name])] == []


SECRETS = [
    *("certs/ca.key", "certs/server.key.der", "certs/clients/tom.p12", "certs/.1.ca.key"),
    *("certs/ca.pem", "elsewhere/server.key", "elsewhere/tom.p12", "elsewhere/server.key.der"),
]


@pytest.mark.parametrize("name", [*SECRETS, "config.json", "secrets.json", "a/b.mpy", ".venv/x"])
def test_git_ignores_what_must_never_be_committed(name):
    done = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, capture_output=True)
    if done.returncode == 128:
        pytest.skip("this is not a git work tree")
    assert done.returncode == 0, f"{name} is not in .gitignore"


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_private_key_would_be_found_in_any_form_that_the_board_takes(kind, form, encoding):
    key = make_key(kind).private_bytes(encoding, form, NoEncryption())
    assert PRIVATE_KEY.search(key)


# --- requirements


def requirement_lines():
    return (ROOT / "requirements.txt").read_text().splitlines()


def test_every_requirement_is_pinned_to_one_version():
    lines = [line.split(";")[0].strip() for line in requirement_lines()]
    loose = [
        line
        for line in lines
        if line and line[0] != "#" and not re.fullmatch(r"[\w.-]+==[\w.]+", line)
    ]
    assert loose == []


def test_every_requirement_has_a_reason():
    """A comment stands above each block of requirements; pytest's is its heading."""
    unexplained, explained = [], False
    for line in requirement_lines():
        if not line.strip():
            explained = False
        elif line.startswith("#"):
            explained = True
        elif not explained:
            unexplained.append(line)
    assert unexplained == []


def test_versions_are_pinned_in_one_place_only():
    names = {re.split(r"[=;]", line)[0] for line in requirement_lines() if line and line[0] != "#"}
    elsewhere = [
        f"{file}: {name}"
        for file in tracked_files()
        if file != "requirements.txt" and not file.startswith("tests/")
        for name in names
        if f"{name}==".encode() in (ROOT / file).read_bytes()
    ]
    assert elsewhere == []


# --- documents


def documents():
    return [ROOT / name for name in tracked_files() if name.endswith(".md")]


def anchors_of(file):
    """The anchors that GitHub makes of a document's headings."""
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.S)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("file", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_documents_leads_somewhere(file):
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue  # a page elsewhere
        name, _, anchor = target.partition("#")
        path = (file.parent / name) if name else file
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            broken.append(target)
    assert broken == []


def test_the_readme_and_the_design_stay_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    assert len((ROOT / "docs" / "design.md").read_text(encoding="utf-8").split()) <= 3000


def test_the_readme_names_only_make_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for file in documents():
        named = set(
            re.findall(r"(?:^|`)make ([a-z-]+)", file.read_text(encoding="utf-8"), flags=re.M)
        )
        assert named <= targets, file.name


def test_make_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, flags=re.M))
    done = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert targets - {"help"} == set(re.findall(r"^make ([a-z-]+)", done.stdout, flags=re.M))


def test_every_command_of_the_tools_has_a_shortcut_in_the_makefile_or_is_documented():
    makefile = (ROOT / "Makefile").read_text()
    shortcuts = set(re.findall(r"\$\(TOOLS\) ([a-z-]+)", makefile))
    assert set(cli.commands.commands) - shortcuts == {"client", "fleet-gateway", "manual"}


def test_ci_runs_the_checks_and_the_tests_in_every_form():
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    forms = {line.split()[-1] for line in script if " run_tests " in line}
    assert 'part "lint" make lint' in script
    assert forms == {'""', "WORD=32", "SOURCE=1", "BYTECODE=1"}


def test_no_file_names_a_package_registry():
    hosts = (b"pypi" + b".org", b"pythonhosted" + b".org", b"npmjs" + b".org")
    contents = {name: (ROOT / name).read_bytes() for name in tracked_files()}
    assert [name for name in contents if any(host in contents[name] for host in hosts)] == []
