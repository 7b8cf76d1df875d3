"""Paths with parameters, on MicroPython."""

import json

from tests.wsserver.programs import run_script

TRY = """
import json
from wsserver.http import patterns
from wsserver.http.request import HTTPError

for path, target in json.loads({cases!r}):
    try:
        result = patterns.compile(path).match(target)
    except ValueError as error:
        result = str(error)
    except HTTPError as error:
        result = error.status
    print(json.dumps(result))
"""


def try_all(lib, tmp_path, cases):
    output = run_script(lib, TRY.format(cases=json.dumps(cases)), tmp_path)
    return [json.loads(line) for line in output.splitlines()]


def test_parameters_are_taken_from_the_path(lib, tmp_path):
    cases = {
        ("/api/items/<int:id>", "/api/items/42"): {"id": 42},
        ("/api/items/<int:id>", "/api/items/-7"): {"id": -7},
        ("/users/<name>/edit", "/users/J%C3%BCrgen/edit"): {"name": "Jürgen"},
        ("/users/<name>", "/users/a%2Fb"): {"name": "a/b"},
        ("/a/<x>/<int:y>", "/a/b/1"): {"x": "b", "y": 1},
        ("/files/<path:name>", "/files/a/b%20c.txt"): {"name": "a/b c.txt"},
        ("/<path:rest>", "/a"): {"rest": "a"},
        ("/<name>/", "/a/"): {"name": "a"},
    }
    assert try_all(lib, tmp_path, list(cases)) == list(cases.values())


def test_a_path_is_resolved_without_a_request(lib, tmp_path):
    source = """
from wsserver import Server
from wsserver.http.patterns import resolve

class Echo:
    def on_message(self, client, message):
        pass

server = Server()
print(resolve(server, "/rooms/a"))
server.websocket("/rooms/<name>", Echo())
for path in ("/rooms/a", "/rooms", "/rooms/%zz"):
    route, params = resolve(server, path)
    print(route is not None, params)
"""
    expected = "(None, None)\nTrue {'name': 'a'}\nFalse None\nFalse None\n"
    assert run_script(lib, source, tmp_path) == expected


def test_other_paths_do_not_match(lib, tmp_path):
    cases = [
        ("/api/items/<int:id>", "/api/items/x"),
        ("/api/items/<int:id>", "/api/items/"),
        ("/api/items/<int:id>", "/api/items/-"),
        ("/api/items/<int:id>", "/api/items/1-2"),
        ("/api/items/<int:id>", "/api/items/%31"),
        ("/api/items/<int:id>", "/api/items/1/"),
        ("/api/items/<int:id>", "/api/items"),
        ("/users/<name>", "/users/a/b"),
        ("/users/<name>", "/users/"),
        ("/users/<name>/edit", "/users/a/delete"),
        ("/users/<name>/", "/users/a"),
        ("/files/<path:name>", "/files/"),
        ("/files/<path:name>", "/file/a"),
    ]
    assert try_all(lib, tmp_path, cases) == [None] * len(cases)


def test_a_malformed_percent_encoding_gets_400(lib, tmp_path):
    assert try_all(lib, tmp_path, [("/u/<n>", "/u/%zz"), ("/u/<n>", "/u/%ff")]) == [400, 400]


def test_an_invalid_pattern_is_refused_by_its_path(lib, tmp_path):
    paths = (
        *("/<", "/>", "/<>", "/<int:>", "/<:a>", "/<float:a>", "/a<b>", "/<b>c", "/<1a>"),
        *("/<a-b>", "/<a>/<a>", "/<path:a>/b", "/<path:a>/", "/<a><b>"),
    )
    answers = try_all(lib, tmp_path, [(path, "/") for path in paths])
    for path, text in zip(paths, answers, strict=True):
        assert isinstance(text, str) and repr(path) in text, (path, text)
