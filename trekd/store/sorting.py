"""
The order of messages that SORT asks for (RFC 5256 §3), the same for every provider.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trekd.store.interfaces import MessageReader
from trekd.store.terms import SortBy, SortKey
from trekd.store.threading import Threadable


class Sortable(Protocol):
    """What is known of a message that is sorted."""

    @property
    def size(self) -> int:
        """In octets."""

    @property
    def arrived(self) -> int:
        """Internal date as Unix seconds."""

    @property
    def sent(self) -> int | None:
        """Date field as Unix seconds, C{None} without a usable one."""

    @property
    def subject_key(self) -> str:
        """Decoded and folded Subject."""

    @property
    def envelope(self) -> bytes:
        """ENVELOPE (RFC 3501 §7.4.2)."""


def sent(message: Sortable) -> int:
    """When a message was sent; without a Date that can be read the internal date counts (RFC 5256 §2.2)."""
    return message.arrived if message.sent is None else message.sent


def threadable(uid: int, message: Sortable, header: bytes, reader: MessageReader) -> Threadable:
    """What is known of a message that is grouped with others."""
    subject, is_reply = reader.split_subject(message.subject_key)
    return Threadable(uid, sent(message), subject, is_reply, *reader.links(header))


Value = int | str

_ADDRESSES = {
    SortBy.CC: ("cc", False),
    SortBy.FROM: ("from", False),
    SortBy.TO: ("to", False),
    SortBy.DISPLAYFROM: ("from", True),
    SortBy.DISPLAYTO: ("to", True),
}


def value_of(key: SortKey, reader: MessageReader) -> Callable[[Sortable], Value]:
    """A function that says what a message is sorted by."""
    match key.by:
        case SortBy.ARRIVAL:
            return lambda message: message.arrived
        case SortBy.DATE:
            return sent
        case SortBy.SIZE:
            return lambda message: message.size
        case SortBy.SUBJECT:
            return lambda message: reader.base_subject(message.subject_key)
        case _:
            field, display = _ADDRESSES[key.by]
            return lambda message: reader.address_key(message.envelope, field, display)


@dataclass(frozen=True, slots=True)
class Placed:
    """A message with what it is sorted by, one value for each key."""

    uid: int
    values: tuple[Value, ...]


def ordered(messages: list[Placed], keys: Sequence[SortKey]) -> array[int]:
    """
    The UIDs in order; messages that are equal in all keys stay in the order of their UIDs, reversed or not.

    @param messages: by UID, ascending; sorted in place.
    """
    for place in range(len(keys) - 1, -1, -1):
        messages.sort(key=lambda message: message.values[place], reverse=keys[place].reverse)
    return array("I", [message.uid for message in messages])
