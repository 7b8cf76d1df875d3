"""The files of the repository that belong on a board."""

import pytest

from tools.deploy import files

pytestmark = pytest.mark.host


def test_a_package_with_nothing_but_a_docstring_needs_no_file(tmp_path):
    contents = {"text": '"""A package."""\n', "empty": "", "code": '"""A package."""\n\nX = 1\n'}
    for name, content in contents.items():
        (tmp_path / "lib" / name).mkdir(parents=True)
        (tmp_path / "lib" / name / "__init__.py").write_text(content)
        (tmp_path / "lib" / name / "module.py").write_text('"""A module."""\n')
    assert list(files.firmware(tmp_path)) == [
        "/lib/code/__init__.py",
        *(f"/lib/{name}/module.py" for name in ("code", "empty", "text")),
    ]
