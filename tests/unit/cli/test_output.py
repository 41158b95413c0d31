"""What trekctl prints."""

from __future__ import annotations

from io import StringIO

import pytest

from trekd.cli.output import ProgressBar, print_fields, print_table, size_text, span_text, time_text


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_table_is_aligned_and_empty_cells_are_seen(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "N"), [("alice", 5), ("b", None), ("", ["x", "y"])])
    assert capsys.readouterr().out == "NAME   N\nalice  5\nb      -\n-      x, y\n"


def test_what_clients_say_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"client": "\x1b[2Jevil\r\n", "x": 1})
    assert capsys.readouterr().out == "client  ?[2Jevil??\nx       1\n"


@pytest.mark.parametrize(
    ("octets", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (5 << 30, "5.0 GB"), (3 << 50, "3072.0 TB"), (None, None)],
)
def test_sizes(octets: object, text: str | None) -> None:
    assert size_text(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (61, "1m01s"), (3720, "1h02m"), (200_000, "2d07h"), (None, None), ("x", None)],
)
def test_spans(seconds: object, text: str | None) -> None:
    assert span_text(seconds) == text


def test_time_is_utc() -> None:
    assert time_text(0) == "1970-01-01 00:00:00Z"


def test_bar_fills_and_goes_away() -> None:
    terminal = Terminal()
    with ProgressBar("adding", 10, terminal) as bar:
        bar.reach(5)
        assert bar.text(40) == "adding [############.............]  50%"
        bar.advance(50)
        assert bar.text(40).endswith("100%")
    assert terminal.getvalue().startswith("\radding")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_bar_fits_any_terminal() -> None:
    for columns in range(1, 120):
        for total in (0, 10):
            bar = ProgressBar("importing", total, StringIO())
            bar.advance(3)
            assert len(bar.text(columns)) < columns or columns == 1


def test_nothing_is_drawn_without_a_terminal() -> None:
    stream = StringIO()
    with ProgressBar("adding", 10, stream) as bar:
        bar.advance(5)
    assert stream.getvalue() == ""
