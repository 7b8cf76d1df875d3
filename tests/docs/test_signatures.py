"""docs/api.md has the signature of each public function in typings/wsserver, and an anchor."""

import ast
import re

import pytest

from tools import ROOT

pytestmark = pytest.mark.host

STUBS = ROOT / "typings" / "wsserver"
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# What a caller passes or implements, not what the library has.
PROTOCOLS = ("Readable", "HasOn")


def signature(name, function):
    """The text of a call with every default, as in `client.close(code=1000, reason='')`."""
    args = function.args
    names = [one.arg for one in args.posonlyargs + args.args if one.arg != "self"]
    defaults = [ast.unparse(one) for one in args.defaults]
    plain = names[: len(names) - len(defaults)]
    with_default = zip(names[len(plain) :], defaults, strict=True)
    texts = plain + [f"{one}={default}" for one, default in with_default]
    if args.vararg:
        texts.append(f"*{args.vararg.arg}")
    texts += [
        f"{one.arg}={ast.unparse(default)}"
        for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if default
    ]
    return f"{name}({', '.join(texts)})"


def public():
    """Yield (class or None, name, function) of what the stubs declare."""
    for file in sorted(STUBS.rglob("*.pyi")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield None, node.name, node
            elif isinstance(node, ast.ClassDef) and not node.name.startswith(PROTOCOLS):
                for one in node.body:
                    if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        yield node.name, node.name if one.name == "__init__" else one.name, one


def spans(text):
    """The inline code of a document, each on one line."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [" ".join(span.split()).replace('"', "'") for span in re.findall(r"`([^`]+)`", text)]


def undocumented(text):
    """The signatures that a reference leaves out."""
    found = {re.sub(r"^(await )?(\w+\.)*(?=\w+\()", "", span) for span in spans(text)}
    wanted = {signature(name, function) for _, name, function in public()}
    # Of a default that only the code can name.
    return {one.replace("log=...", "log=log") for one in wanted} - found


def test_every_function_of_the_library_has_its_signature():
    assert undocumented(API) == set()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("max_head=2048", "max_head=4096"), ("client.join(group)", "client.join(name)")],
)
def test_another_default_or_name_in_the_reference_is_found(right, wrong):
    assert right in API
    assert len(undocumented(API.replace(right, wrong))) == 1


def test_every_method_of_servers_and_clients_has_an_anchor():
    headings = set(re.findall(r"`(\w+\.\w+)`", "\n".join(re.findall("^###? .*", API, re.M))))
    wanted = {
        f"{kind.lower()}.{name}"
        for kind, name, _ in public()
        if kind in ("Server", "Client") and name != kind
    }
    assert wanted <= headings


def test_every_link_of_the_contents_leads_to_a_heading():
    headings = re.findall(r"^#+ (.*)", API, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}
    contents = API[: API.index("\n## ")]
    links = re.findall(r"\]\(#([^)]*)\)", contents)
    assert len(links) > 40
    assert set(links) <= anchors
