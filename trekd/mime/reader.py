"""
The MIME room as one object, for rooms that may not import it.
"""

from __future__ import annotations

from collections.abc import Iterator

from trekd.mime.fold import fold
from trekd.mime.octets import FileOctets
from trekd.mime.scanner import ScannedMessage, scan
from trekd.mime.sorting import address_key, base_subject, links, split_subject
from trekd.mime.text import header_contains, searched_texts, text_contains


class MimeReader:
    """
    Reads messages for the store, whose contract C{trekd.store.interfaces.MessageReader} it fulfils.

    It has no state and may be called in any thread.
    """

    def scan(self, octets: bytes) -> ScannedMessage:
        """Read a whole message (L{trekd.mime.scanner.scan})."""
        return scan(octets)

    def scan_file(self, descriptor: int, size: int) -> ScannedMessage:
        """
        Read a message in an open file, piece by piece.

        @param size: octets.
        @raise OSError: it cannot be read.
        """
        return scan(FileOctets(descriptor, size))

    def header_contains(self, header: bytes, field: bytes, needle: str) -> bool:
        """Whether a field holds a folded text (L{trekd.mime.text.header_contains})."""
        return header_contains(header, field, needle)

    def text_contains(self, octets: bytes, parts: bytes, needle: str, with_header: bool) -> bool:
        """Whether a message's text holds a folded text (L{trekd.mime.text.text_contains})."""
        return text_contains(octets, parts, needle, with_header)

    def texts(self, octets: bytes, parts: bytes, header: bool) -> Iterator[Iterator[str]]:
        """Folded texts that a search looks at (L{trekd.mime.text.searched_texts})."""
        return searched_texts(octets, parts, header)

    def base_subject(self, subject: str) -> str:
        """A folded subject's base (L{trekd.mime.sorting.base_subject})."""
        return base_subject(subject)

    def split_subject(self, subject: str) -> tuple[str, bool]:
        """Likewise, and whether it is a reply (L{trekd.mime.sorting.split_subject})."""
        return split_subject(subject)

    def links(self, header: bytes) -> tuple[str, tuple[str, ...]]:
        """Message-IDs (L{trekd.mime.sorting.links})."""
        return links(header)

    def address_key(self, envelope: bytes, field: str, display: bool) -> str:
        """What a message is sorted by for a field of addresses (L{trekd.mime.sorting.address_key})."""
        return address_key(envelope, field, display)

    def fold(self, text: str) -> str:
        """Fold for comparison (L{trekd.mime.fold.fold})."""
        return fold(text)
