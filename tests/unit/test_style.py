"""What STYLE asks of every source file, and proof that the check can fail."""

from __future__ import annotations

import pytest

from tests.tools.source import Module, modules, words_table
from tests.tools.style import Exceptions, complaints

_TABLE = words_table("trekd:style")
EXCEPTIONS = Exceptions(_TABLE["allowed_names"], _TABLE["allowed_words"], _TABLE["long_modules"])


def test_every_module_keeps_the_style() -> None:
    found = [each for module in modules() for each in complaints(module, EXCEPTIONS)]
    assert found == []


def _found(text: str, path: str = "trekd/mime/part.py") -> list[str]:
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return complaints(Module(name, path, text), EXCEPTIONS)


DOC = '"""Doc."""\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "the module has no docstring"),
        (DOC + "x = 1\n" * 601, "longer than 600 lines"),
        (DOC + "def _f():\n" + "    x = 1\n" * 60, "_f has 61 lines"),
        (DOC + "def f():\n    pass\n", "f has no docstring"),
        (DOC + "async def f():\n    pass\n", "f has no docstring"),
        (DOC + "class C:\n    pass\n", "class C has no docstring"),
        (DOC + 'class C:\n    """Doc."""\n    def f(self):\n        pass\n', "f has no docstring"),
        (DOC + 'class MailHandler:\n    """Doc."""\n', "banned word handler"),
        (DOC + "_helper_table = {}\n", "banned word helper"),
        (DOC + "def _f(user_info):\n    pass\n", "banned word info"),
        (DOC + "def _f(*, data):\n    pass\n", "banned word data"),
        (DOC + "for misc in (): pass\n", "banned word misc"),
        (DOC + "_f = lambda data: data\n", "banned word data"),
        (DOC + "class _C:\n    '''Doc.'''\n    def __init__(self):\n        self.manager = 1\n", "manager"),
    ],
)
def test_a_breach_is_found(text: str, reason: str) -> None:
    found = _found(text)
    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    "text",
    [
        DOC + "def _f():\n    pass\n",
        DOC + 'def f():\n    """\n' + "    Doc.\n" * 80 + '    """\n    return 1\n',
        DOC + "class _C:\n    '''Doc.'''\n    def dataReceived(self, data):\n        pass\n",
        DOC + "class _C:\n    '''Doc.'''\n    @property\n    def from_key(self): ...\n",
        DOC + "metadata = database = 1\nfrom dataclasses import dataclass\n",
        DOC + "_log = object()\n_log.info('x')\n",
    ],
)
def test_what_is_allowed_is_not_complained_of(text: str) -> None:
    assert _found(text) == []


def test_a_package_file_holds_its_docstring_only() -> None:
    assert "nothing else" in _found(DOC + "from trekd.mime import part\n", "trekd/mime/__init__.py")[0]
    assert _found(DOC, "trekd/mime/__init__.py") == []


def test_a_module_is_named_for_a_concept() -> None:
    assert "banned word utils" in _found(DOC, "trekd/mime/utils.py")[0]


def test_a_banned_word_that_is_a_term_of_a_room_may_be_used_there_only() -> None:
    text = DOC + "_data_octets = 0\n"
    assert _found(text, "trekd/smtp/session.py") == []
    assert "banned word data" in _found(text, "trekd/smtpd/session.py")[0]
