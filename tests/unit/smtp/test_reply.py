"""Replies to octets."""

from trekd.smtp.grammar.reply import reply


def test_every_line_carries_both_codes() -> None:
    """RFC 2034 §4."""
    assert reply(550, "5.7.1", "one", "two").wire() == b"550-5.7.1 one\r\n550 5.7.1 two\r\n"
    assert reply(354, None, "go ahead").wire() == b"354 go ahead\r\n"


def test_nothing_breaks_out_of_a_line() -> None:
    assert reply(250, "2.0.0", "a\r\n550 b\0\x1b").wire() == b"250 2.0.0 a??550 b??\r\n"


def test_lines_are_cut_at_512_octets_between_characters() -> None:
    """RFC 5321 §4.5.3.1.5."""
    wire = reply(250, "2.0.0", "é" * 400).wire()
    assert len(wire) <= 512
    wire.decode()


def test_errors_are_4xx_and_5xx() -> None:
    assert reply(451, "4.3.0", "x").is_error
    assert not reply(354, None, "x").is_error
