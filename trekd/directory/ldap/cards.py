"""
From an entry to what the address list tells of it: which attribute means what (C{[directory.ldap] attr_*}).
"""

from __future__ import annotations

from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import DirectoryEntry, Phone, PostalAddress, Status
from trekd.directory.ldap.entries import Entry
from trekd.directory.ldap.mapping import AccountMapping, one_line
from trekd.directory.ldap.notices import Notices

MAX_PHONES = 5
"""Numbers of one kind."""

MAX_PHOTO = 256 * 1024
"""Octets."""

_JPEG = b"\xff\xd8\xff"


class CardMapping:
    """
    Reads entries of the address list.

    @ivar attributes: what is asked of each.
    @ivar photo_attributes: the same with the picture.
    """

    def __init__(self, config: LDAPConfig, mapping: AccountMapping, notices: Notices) -> None:
        self._config = config
        self._mapping = mapping
        self._notices = notices
        self._phones = (
            (Phone.WORK, config.attr_work_phone),
            (Phone.CELL, config.attr_cell_phone),
            (Phone.HOME, config.attr_home_phone),
            (Phone.FAX, config.attr_fax),
        )
        named = (
            config.attr_mail,
            config.attr_name,
            config.attr_status,
            config.attr_given_name,
            config.attr_family_name,
            *(attribute for _, attribute in self._phones),
            config.attr_organization,
            config.attr_unit,
            config.attr_title,
            config.attr_street,
            config.attr_locality,
            config.attr_region,
            config.attr_postal_code,
            config.attr_country,
            config.attr_note,
        )
        self.attributes = tuple(dict.fromkeys(name for name in named if name))
        self.photo_attributes = (*self.attributes, *((config.attr_photo,) if config.attr_photo else ()))

    def card(self, entry: Entry, is_group: bool) -> DirectoryEntry | None:
        """The entry as the address list shows it; C{None} without a usable address, and for disabled accounts."""
        address = self._mapping.address(entry)
        if address is None or self._mapping.status(entry) is Status.DISABLED:
            return None
        config = self._config
        return DirectoryEntry(
            address,
            self._mapping.name(entry),
            "" if is_group else one_line(entry.text(config.attr_given_name)),
            "" if is_group else one_line(entry.text(config.attr_family_name)),
            self._numbers(entry),
            one_line(entry.text(config.attr_organization)),
            one_line(entry.text(config.attr_unit)),
            one_line(entry.text(config.attr_title)),
            self._post(entry),
            one_line(entry.text(config.attr_note)),
            self._photo(entry),
            is_group,
        )

    def _numbers(self, entry: Entry) -> tuple[tuple[Phone, str], ...]:
        numbers = (
            (kind, one_line(value)) for kind, name in self._phones for value in entry.texts(name)[:MAX_PHONES]
        )
        return tuple((kind, number) for kind, number in numbers if number)

    def _post(self, entry: Entry) -> PostalAddress:
        config = self._config
        named = (
            config.attr_street,
            config.attr_locality,
            config.attr_region,
            config.attr_postal_code,
            config.attr_country,
        )
        return PostalAddress(*(one_line(entry.text(name)) for name in named))

    def _photo(self, entry: Entry) -> bytes:
        """The picture; other kinds, which clients would not show, and large ones are told in the log."""
        attribute = self._config.attr_photo
        photo = next(iter(entry.attributes.get(attribute.lower(), ())), b"") if attribute else b""
        if not photo or (photo.startswith(_JPEG) and len(photo) <= MAX_PHOTO):
            return photo
        self._notices.warn(f"{attribute} of {entry.dn} is no JPEG of at most 256 KiB: it is not shown")
        return b""
