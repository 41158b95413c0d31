"""
The data after DATA, as it goes over the wire (RFC 5321 §4.5.2).
"""

from __future__ import annotations


class DotStuffer:
    """
    Doubles the dot at the start of every line of a message that comes in pieces, wherever these are cut.

    The message has CRLF line ends and no CR or LF elsewhere (L{trekd.relay.letters} saw to that), so that nothing but
    L{finish} can look like the end to any server.
    """

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def feed(self, octets: bytes) -> bytes:
        """
        Take the next piece.

        @return: what goes over the wire.
        """
        joined = self._tail + octets
        held, self._tail = len(self._tail), joined[-2:]
        return joined.replace(b"\r\n.", b"\r\n..")[held:]

    def finish(self) -> bytes:
        """
        The message is complete.

        @return: the end of data, with the CRLF that the last line lacks.
        """
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
