"""
What RFC 4466 lets extensions add to SELECT, FETCH and STORE, octets to values (RFC 7162 §7).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Resync
from trekd.imap.grammar.tokens import Cursor

_FETCH_MODIFIERS = frozenset({"CHANGEDSINCE", "VANISHED"})
_STORE_MODIFIERS = frozenset({"UNCHANGEDSINCE"})
_SELECT_PARAMETERS = frozenset({"CONDSTORE", "QRESYNC"})


def select_parameters(cursor: Cursor) -> tuple[bool, Resync | None]:
    """
    [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §2.1)

    @return: whether one of them asks for modification sequences, and what C{QRESYNC} says.
    """
    if cursor.at_end:
        return False, None
    cursor.sp()
    found: list[Resync] = []

    def parameter() -> None:
        if cursor.choice(_SELECT_PARAMETERS, "select-param") == "QRESYNC":
            cursor.sp()
            found.append(_resync(cursor))

    cursor.some_of(parameter)
    return True, found[-1] if found else None


def _resync(cursor: Cursor) -> Resync:
    """
    "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" sequence-set SP sequence-set ")"] ")"

    Deviates from RFC 7162 §7: C{*} is taken in the sets as well, and means the largest UID.
    """
    cursor.expect(b"(")
    uid_validity = cursor.number64()
    modseq = _after_space(cursor)
    known = sample = None
    if cursor.skip(b" ") and cursor.peek() != b"(":
        known = cursor.sequence_set()
        cursor.skip(b" ")
    if cursor.skip(b"("):
        sequence_numbers = cursor.sequence_set()
        cursor.sp()
        sample = (sequence_numbers, cursor.sequence_set())
        cursor.expect(b")")
    cursor.expect(b")")
    return Resync(uid_validity, modseq, known, sample)


def fetch_modifiers(cursor: Cursor, uid: bool) -> tuple[int | None, bool]:
    """
    [SP "(" fetch-modifier *(SP fetch-modifier) ")"] (RFC 4466 §2.4, RFC 7162 §7)

    @return: what C{CHANGEDSINCE} says, and whether C{VANISHED} is there.
    """
    if cursor.at_end:
        return None, False
    cursor.sp()
    found: dict[str, int] = {}

    def modifier() -> None:
        name = cursor.choice(_FETCH_MODIFIERS, "fetch-modifier")
        found[name] = _after_space(cursor) if name == "CHANGEDSINCE" else 0

    cursor.some_of(modifier)
    if "VANISHED" in found and not (uid and "CHANGEDSINCE" in found):
        cursor.fail("VANISHED in UID FETCH beside CHANGEDSINCE")
    return found.get("CHANGEDSINCE"), "VANISHED" in found


def _after_space(cursor: Cursor) -> int:
    """SP mod-sequence-value; 0 is taken as well (quirk C{changed-since-zero})."""
    cursor.sp()
    return cursor.number64()


def store_modifier(cursor: Cursor) -> int | None:
    """["(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP] (RFC 4466 §2.5)"""
    if not cursor.skip(b"("):
        return None
    cursor.choice(_STORE_MODIFIERS, "store-modifier")
    unchanged_since = _after_space(cursor)
    cursor.expect(b")")
    cursor.sp()
    return unchanged_since
