"""What README and docs/ show can be typed: commands parse, settings load, keys and files exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.tools.guides import GUIDES, blocks_of
from tests.tools.source import ROOT
from trekd.cli.main import make_parser
from trekd.config.fields import Foreign, Named, Rows, Table, declarations
from trekd.config.loader import load
from trekd.config.schema import Config

MINIMAL = """
[server]
hostname = "mail.example.com"
domains = ["example.com"]
[tls]
certificate = "/etc/trekmail/tls/fullchain.pem"
key = "/etc/trekmail/tls/privkey.pem"
[directory.ldap]
uris = ["ldaps://ldap1.example.com"]
base = "dc=example,dc=com"
bind_dn = ""
"""

guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)


def _lines(guide: Path) -> Iterator[str]:
    """Command lines in blocks, one logical line each, without comments and redirections."""
    for language, block in blocks_of(guide):
        if language in ("", "sh"):
            yield from block.replace("\\\n", " ").splitlines()


def _trekctl(line: str) -> list[str] | None:
    words = shlex.split(re.split(r" [<>|] | && ", line)[0], comments=True)
    while words and (words[0] in ("sudo", "nice") or words[0].startswith("-")):
        words.pop(0)
    return words[1:] if words and words[0] == "trekctl" else None


def _inline(guide: Path) -> Iterator[str]:
    text = re.sub(r"(?ms)^```.*?^```", "", guide.read_text())
    yield from (" ".join(found.split()) for found in re.findall(r"(?<!`)`(trekctl [^`]+)`(?!`)", text))


def _parses(words: list[str]) -> bool:
    try:
        make_parser().parse_args(words)
    except SystemExit as end:
        return end.code == 0
    return True


@guide
def test_commands_in_blocks_can_be_typed(guide: Path) -> None:
    for line in _lines(guide):
        if line.startswith("trekctl: "):
            continue
        words = _trekctl(line) if "trekctl" in line else None
        assert words is None or _parses(words), line


def _verbs(parser: ArgumentParser) -> Mapping[str, ArgumentParser]:
    found = [each.choices for each in parser._actions if isinstance(each, _SubParsersAction)]
    return found[0] if found else {}


@guide
def test_commands_in_sentences_exist(guide: Path) -> None:
    """A sentence may name a command without all its arguments, or with C{...} in their place."""
    for text in _inline(guide):
        parser = make_parser()
        words = shlex.split(text)[1:]
        while words and words[0] in _verbs(parser):
            parser = _verbs(parser)[words.pop(0)]
        assert not words or not _verbs(parser) or words[0].isupper(), f"no such command: {text}"
        known = {option for action in parser._actions for option in action.option_strings}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, text


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        old = both.get(key)
        both[key] = _merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return both


def _toml(values: Mapping[str, Any], path: str = "") -> str:
    own = [f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, dict)]
    text = (f"[{path}]\n" if path else "") + "".join(f"{line}\n" for line in own)
    below = {key: value for key, value in values.items() if isinstance(value, dict)}
    return text + "".join(_toml(value, f"{path}.{key}" if path else key) for key, value in below.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, int) else _quoted(value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def settings_of(guide: Path) -> Iterator[str]:
    """Blocks that are parts of trekmail.toml."""
    for language, block in blocks_of(guide):
        is_marked = language == "toml" and "[build-system]" not in block
        if is_marked or (not language and re.match(r"(# .*\n)*\[+[a-z_.]+\]+\n", block)):
            yield block


@guide
def test_settings_load(guide: Path) -> None:
    for block in settings_of(guide):
        load(_toml(_merged(tomllib.loads(MINIMAL), tomllib.loads(block))), f"{guide.name}.toml")


def _has_key(section: str, key: str) -> bool:
    found: Any = Config
    for name in section.split("."):
        declared = declarations(found).get(name)
        if isinstance(declared, Foreign):
            return True
        if isinstance(declared, Named):
            return key in declarations(declared.section) or key == ""
        if not isinstance(declared, Table | Rows):
            return False
        found = declared.section
    return not key or any(re.fullmatch(key.replace("*", ".*"), name) for name in declarations(found))


@guide
def test_keys_in_sentences_exist(guide: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", guide.read_text())
    text = " ".join(text.split())
    for section, key in re.findall(r"`\[+([a-z_.]+)\]+(?: ([a-z_*]+))?(?: = [^`]*)?`", text):
        if section == "trekmail":  # the jail of fail2ban
            continue
        section = re.sub(r"^(plans|plugins)\..*", r"\1", section)
        assert _has_key(section, key), f"[{section}] {key}"


@guide
def test_links_lead_somewhere(guide: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", guide.read_text())
    for target in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        if name.startswith("http"):
            continue
        file = guide.parent / name if name else guide
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", file.read_text())
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, target


def test_every_guide_is_in_the_package() -> None:
    packaged = (ROOT / "debian/trekmail.docs").read_text().split()
    missing = {str(path.relative_to(ROOT)) for path in GUIDES} - set(packaged)
    assert not missing - {"docs/architecture.md"}
