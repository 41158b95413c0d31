"""
Completion of trekctl's commands and options in bash, made from its parser.

C{python -m tests.tools.completion} writes etc/bash-completion/trekctl.
"""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from tests.tools.source import ROOT
from trekd.cli.main import make_parser

FILE = ROOT / "etc/bash-completion/trekctl"

_SCRIPT = """\
# bash completion for trekctl; made from its parser by python -m tests.tools.completion

declare -A _trekctl_words=(
{rows}
)

_trekctl() {{
    local path=trekctl word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        [[ -v "_trekctl_words[$path $word]" ]] && path="$path $word"
    done
    mapfile -t COMPREPLY < <(compgen -W "${{_trekctl_words[$path]}}" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}

complete -o default -F _trekctl trekctl
"""


def script() -> str:
    """
    The whole file.
    """
    rows = [f'    ["{path}"]="{" ".join(words)}"' for path, words in _words(make_parser(), "trekctl")]
    return _SCRIPT.format(rows="\n".join(rows))


def _words(parser: ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """What may follow each command: commands below it, then its long options."""
    below = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    names = [name for action in below for name in action.choices]
    options = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    yield path, names + options
    for action in below:
        for name, child in action.choices.items():
            yield from _words(child, f"{path} {name}")


if __name__ == "__main__":
    FILE.write_text(script())
