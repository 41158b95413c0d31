"""What the address list tells of a real server's entries (RFC 2798)."""

from __future__ import annotations

from typing import ClassVar

from tests.contract.test_ldap_entries import ServerTestCase, at
from tests.fakes.slapd import Person, Slapd, crowd
from trekd.directory.interfaces import DirectoryEntry, Phone, PostalAddress

PHOTO = b"\xff\xd8\xff\xe0" + b"\0" * 1000
CARD = DirectoryEntry(
    at("alice"),
    "Alice Liddell",
    "Alice",
    "alice",
    (
        (Phone.WORK, "+44 1865 270000"),
        (Phone.WORK, "+44 1865 270001"),
        (Phone.CELL, "+44 7700 900123"),
        (Phone.HOME, "+44 1865 270002"),
        (Phone.FAX, "+44 1865 270003"),
    ),
    "Wonderland Ltd",
    "Tea Parties",
    "Head of Curiosity",
    PostalAddress("1 St Aldate's", "Oxford", "Oxfordshire", "OX1 1DP"),
    "",
    PHOTO,
)
ALICE = {
    "givenName": ["Alice"],
    "telephoneNumber": ["+44 1865 270000", "+44 1865 270001"],
    "mobile": ["+44 7700 900123"],
    "homePhone": ["+44 1865 270002"],
    "facsimileTelephoneNumber": ["+44 1865 270003"],
    "o": ["Wonderland Ltd"],
    "ou": ["Tea Parties"],
    "title": ["Head of Curiosity"],
    "street": ["1  St\nAldate's"],
    "l": ["Oxford"],
    "st": ["Oxfordshire"],
    "postalCode": ["OX1 1DP"],
    "trekAlias": ["a.liddell@example.com"],
}


class CardTests(ServerTestCase):
    """One server for all; nothing is changed."""

    slapd: ClassVar[Slapd]

    @classmethod
    def setUpClass(cls) -> None:
        people = [
            Person("alice", name="Alice Liddell", more=ALICE),
            Person("bob", name="Bob"),
            Person("carol", name="Carol"),
            Person("disabled", more={"trekAccountStatus": ["disabled"], "title": ["Ghost"]}),
            *crowd(600),
        ]
        cls.slapd = slapd = Slapd(people)
        cls.addClassCleanup(slapd.close)
        for uid, photo in (("alice", PHOTO), ("bob", b"GIF89a" + PHOTO), ("carol", PHOTO + b"\0" * 256 * 1024)):
            slapd.modify(f"uid={uid},ou=people,dc=example,dc=com", jpegPhoto=[photo])
        slapd.add_group("team", [people[0].dn], mail=["team@example.com"])

    def setUp(self) -> None:
        super().setUp()
        self.directory = self.open(self.slapd.config())

    async def test_an_entry_tells_what_a_vcard_holds(self) -> None:
        for local in ("alice", "Alice", "a.liddell"):
            self.assertEqual(await self.directory.describe(at(local)), CARD)

    async def test_the_list_has_everything_but_photos(self) -> None:
        (found,) = await self.directory.search("liddell", 10)
        self.assertEqual((found.phones, found.post, found.photo), (CARD.phones, CARD.post, b""))

    async def test_every_attribute_can_be_another_one(self) -> None:
        directory = self.open(self.slapd.config(attr_note="street", attr_unit="", attr_organization="title"))
        found = await directory.describe(at("alice"))
        self.assertEqual((found.note, found.unit, found.organization), ("1 St Aldate's", "", "Head of Curiosity"))

    async def test_pictures_that_are_none_or_too_large_are_left_out(self) -> None:
        for local in ("bob", "carol"):
            found = await self.directory.describe(at(local))
            self.assertEqual((found.address, found.photo), (at(local), b""))
            self.assert_logged(f"jpegPhoto of uid={local},ou=people,dc=example,dc=com is no JPEG")

    async def test_a_list_is_a_group_and_the_disabled_are_nobody(self) -> None:
        self.assertEqual(
            await self.directory.describe(at("team")), DirectoryEntry(at("team"), "team", is_group=True)
        )
        for local in ("disabled", "nobody", "*", "x" * 400):
            self.assertIsNone(await self.directory.describe(at(local)))

    async def test_a_large_list_is_read_in_pages_and_given_in_order(self) -> None:
        found = await self.directory.search("user", 700)
        self.assertEqual([each.address.local for each in found], [f"u{number:05}" for number in range(1, 601)])
        self.assertEqual(len(await self.directory.search("user", 7)), 7)
