"""Splits change nothing, only syntax faults come out, writers mirror readers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trekd.errors import SyntaxFault
from trekd.smtp.grammar.commands import VERBS, parse
from trekd.smtp.grammar.data import DataReader, MessageLimits
from trekd.smtp.grammar.paths import mailbox, write_mailbox, write_xtext, xtext
from trekd.smtp.grammar.reader import CommandReader
from trekd.values import Address

FEW = settings(max_examples=150, deadline=None)

noise = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\0", b"a", b"..", b"\r\n.\r\n", b"x" * 30]), max_size=30
).map(b"".join)
cuts = st.lists(st.integers(1, 9), min_size=1, max_size=20)


def pieces(octets: bytes, sizes: list[int]) -> list[bytes]:
    """C{octets} cut into pieces whose sizes repeat."""
    found, turn = [], 0
    while octets:
        size = sizes[turn % len(sizes)]
        found.append(octets[:size])
        octets, turn = octets[size:], turn + 1
    return found


def read_message(parts: list[bytes]) -> tuple[bool, bytes, bytes, bool]:
    """Where the message ends, what came out of it, and whether it was refused."""
    reader, message, rest = DataReader(MessageLimits(octets=200, line=40)), b"", b""
    for part in parts:
        if reader.done:
            rest += part
        else:
            message += b"".join(reader.feed(part))
            rest = reader.rest
    refused = reader.fault is not None
    return reader.done, b"" if refused else message, rest, refused


@FEW
@given(noise, cuts)
def test_any_split_gives_the_same_message(octets: bytes, sizes: list[int]) -> None:
    whole, cut = read_message([octets] if octets else []), read_message(pieces(octets, sizes))
    assert (whole[0], whole[2]) == (cut[0], cut[2])
    if whole[0]:
        assert whole == cut


@FEW
@given(noise)
def test_the_end_is_the_first_dot_line(octets: bytes) -> None:
    done, message, rest, refused = read_message(pieces(octets, [3]))
    before, found, after = (b"\r\n" + octets).partition(b"\r\n.\r\n")
    assert done == bool(found)
    if done:
        assert rest == after
        text = (before + b"\r\n")[2:] if before else b""
        lines = text.split(b"\r\n")
        clean = not any(c in line for line in lines for c in (b"\r", b"\n", b"\0"))
        clean = clean and max(map(len, lines)) <= 41
        if not refused:
            assert clean
            assert message == b"\r\n".join(line[line.startswith(b".") :] for line in lines)


@FEW
@given(noise, cuts)
def test_any_split_gives_the_same_lines(octets: bytes, sizes: list[int]) -> None:
    def pull(parts: list[bytes]) -> list[bytes | None]:
        reader, found = CommandReader(limit=20, swallow=10_000), list[bytes | None]()
        for part in parts:
            reader.feed(part)
            while True:
                try:
                    line = reader.next_line()
                except SyntaxFault:
                    found.append(None)
                    continue
                if line is None:
                    break
                found.append(line)
        return found

    assert pull([octets]) == pull(pieces(octets, sizes))


arguments = st.text(alphabet=st.sampled_from(list('<>@:"\\ =.,;+[]aA1é\u200b\t%!-')), max_size=40)
verbs = st.sampled_from([*VERBS, "MAIL FROM:", "RCPT TO:", "MAIL FROM:<a@b.c> ", "RCPT TO:<a@b.c> ", ""])


@FEW
@given(verbs, arguments, st.booleans())
def test_a_line_is_a_request_or_a_syntax_fault(verb: str, argument: str, spaced: bool) -> None:
    try:
        parse(f"{verb}{' ' if spaced else ''}{argument}".encode())
    except SyntaxFault:
        pass


@FEW
@given(st.binary(max_size=80))
def test_no_octets_raise_anything_else(line: bytes) -> None:
    try:
        parse(line)
    except SyntaxFault:
        pass


@FEW
@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_any_printable_local_part_can_be_written_and_read(local: str) -> None:
    address = Address(local, "example.com")
    assert mailbox(write_mailbox(address)) == address


@FEW
@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_xtext_is_read_as_written(text: str) -> None:
    assert xtext(write_xtext(text)) == text
