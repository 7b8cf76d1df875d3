"""How www/ is packed for a board: pages with all that they need in them, compressed."""

import base64
import gzip
import hashlib
import re
import urllib.request

import pytest

from tools import ROOT
from tools.deploy.files import firmware
from tools.deploy.webpages import pack
from tools.failure import Failure

pytestmark = pytest.mark.host

NESTED = re.compile(r"`[^`\n]*\$\{[^}\n]*`")  # a template in a template
PAGE = """<!doctype html>
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'self'; style-src 'self'">
<link rel="stylesheet" href="style.css">
<p>This is a page that is worth compressing, since it says the same again and again and again.</p>
<script src="a.js"></script>
<script src="b.js"></script>
"""
FILES = {
    "/boot.py": b"boot" * 100,
    "/www/index.html": PAGE.encode(),
    "/www/style.css": b"p { color: red }\n",
    "/www/a.js": b"'use strict';\n",
    "/www/b.js": "const text = '\u00fc';\n".encode(),
}


def page(packed, name="/www/index.html"):
    return gzip.decompress(packed[name + ".gz"]).decode()


def test_a_page_takes_in_its_style_and_scripts_which_are_then_left_out():
    packed = pack(FILES)
    assert set(packed) == {"/boot.py", "/www/index.html.gz"}
    text = page(packed)
    assert "<style>\np{color:red}</style>" in text
    assert text.index("'use strict'") < text.index("const text")
    assert "src=" not in text
    assert "stylesheet" not in text


def test_the_policy_names_what_is_in_the_page_and_nothing_else():
    text = page(pack(FILES))
    policy = re.search('content="(.*?)"', text)[1]
    assert "'self'" not in policy
    for kind, count in (("style", 1), ("script", 2)):
        found = re.findall(f"<{kind}>(.*?)</{kind}>", text, flags=re.S)
        digests = [hashlib.sha256(one.encode()).digest() for one in found]
        hashes = [base64.b64encode(digest).decode() for digest in digests]
        expected = " ".join(f"'sha256-{value}'" for value in hashes)
        assert len(found) == count
        assert f"{kind}-src {expected}" in policy


def test_what_is_not_there_or_is_elsewhere_is_left_as_it_was():
    other = '<script src="missing.js"></script>' + "<p>text</p>" * 50
    packed = pack({**FILES, "/www/sub/page.html": other.encode()})
    assert page(packed, "/www/sub/page.html") == other


def test_pages_may_share_a_style_also_from_a_folder_below():
    other = '<link rel="stylesheet" href="../style.css">' + "<p>text</p>" * 50
    packed = pack({**FILES, "/www/sub/page.html": other.encode()})
    assert "color:red" in page(packed, "/www/sub/page.html")
    assert "color:red" in page(packed)


def test_what_does_not_become_smaller_stays_as_it_is():
    files = {"/www/a.txt": b"short", "/www/b.png": hashlib.sha256(b"noise").digest()}
    assert pack(files) == files


def test_nothing_outside_www_is_touched():
    files = {"/lib/demo.py": b"# code\n" * 100, "/config.json": b" " * 1000}
    assert pack(files) == files


def test_the_same_content_gives_the_same_bytes():
    assert pack(FILES) == pack(FILES)
    data = pack(FILES)["/www/index.html.gz"]
    assert data[4:8] == bytes(4)  # no time
    assert data[9] == 255  # nor whatever the operating system is


def test_a_board_that_is_short_of_memory_decompresses_a_page_that_was_packed(make_board):
    page = PAGE + "<p>%s</p>" * 3 % tuple(
        hashlib.sha512(b"%d" % at).hexdigest() for at in range(3)
    )
    program = "import wsserver\nserver = wsserver.Server()\nserver.files('/', '/www')\n"
    files = {"main.py": program + "server.listen(80)\nserver.run()\n"}
    files["www/index.html.gz"] = pack({"/www/index.html": page.encode()})["/www/index.html.gz"]
    board = make_board(heap="96k", files=files)
    request = urllib.request.Request(board.http_url, headers={"Accept-Encoding": "identity"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read().decode() == page


MODULES = {
    "/www/index.html": b'<script type="module" src="main.js"></script>' + b"<p>text</p>" * 50,
    "/www/main.js": b'import {b} from "./b.js";\nimport {TEXT} from "./texts.js";\nb(TEXT);\n',
    "/www/b.js": b'import {TEXT} from "./texts.js";\nexport function b(text) { return TEXT; }\n',
    "/www/texts.js": b'export const TEXT = "used";\nexport const OTHER = "unused";\n',
}


def test_modules_become_one_in_the_order_of_their_imports():
    packed = pack(MODULES)
    assert set(packed) == {"/www/index.html.gz"}
    script = re.search("<script type=module>(.*)</script>", page(packed), flags=re.S)[1]
    assert "import" not in script
    assert "export" not in script
    assert script.index('const TEXT="used"') < script.index("function b") < script.index("b(TEXT)")
    assert script.count("used") == 1  # OTHER is left out


@pytest.mark.parametrize(
    "name, text, problem",
    [
        ("/www/b.js", b"export function c() {}\n", "/www/b.js does not export b"),
        ("/www/b.js", b"export const b = 1;\nconst TEXT = 2;\n", "TEXT is defined in"),
        ("/www/b.js", b'import {x} from "./x.js";\nexport const b = x;\n', "no such file"),
    ],
)
def test_modules_that_do_not_fit_together_are_an_error(name, text, problem):
    with pytest.raises(Failure, match=problem):
        pack({**MODULES, name: text})


def test_a_module_that_is_loaded_on_demand_becomes_a_file():
    tool = b'import {b} from "./b.js";\nexport function start() { b(1); }\n' + b"// text\n" * 50
    policy = b"""<meta http-equiv="Content-Security-Policy" content="script-src 'self'">"""
    main = MODULES["/www/main.js"] + b'open = () => import("./tool.js");\n'
    files = {**MODULES, "/www/main.js": main, "/www/tool.js": tool}
    files["/www/index.html"] = policy + MODULES["/www/index.html"]
    packed = pack(files)
    assert set(packed) == {"/www/index.html.gz", "/www/tool.js"}
    text = packed["/www/tool.js"].decode()
    assert "function b(text)" in text
    assert "export function start" in text
    assert "export function b" not in text
    assert re.search("script-src 'sha256-[^ ]*' 'self'", page(packed))


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "www").glob("*.html")))
def test_our_own_pages_are_packed_whole(name):
    files = {path: file.read_bytes() for path, file in firmware(ROOT).items()}
    text = page(pack(files), "/www/" + name)
    assert not re.search(r'<(script|link)[^>]*(src|href)="(?!data:)', text)
    assert "unsafe" not in re.search('Policy"\\s+content="(.*?)"', text)[1]


def test_all_pages_begin_with_the_same_policy_and_settings():
    """Each page repeats them, because www/ also works unpacked, without a build step."""
    lines = r'<!doctype html>\n<html lang="en">|<meta charset.*|<meta name="viewport".*'
    policy = r'|<meta http-equiv="Content-Security-Policy"\s+content="[^"]*">'
    heads = {
        page.name: tuple(re.findall(lines + policy, page.read_text(encoding="utf-8")))
        for page in (ROOT / "www").glob("*.html")
    }
    assert len(heads) > 2 and len(heads["index.html"]) == 4
    assert len(set(heads.values())) == 1, heads


@pytest.mark.parametrize("path", sorted((ROOT / "www").glob("*.js")), ids=lambda path: path.name)
def test_no_template_is_nested_because_rjsmin_changes_its_text(path):
    assert not NESTED.search(path.read_text(encoding="utf-8"))
