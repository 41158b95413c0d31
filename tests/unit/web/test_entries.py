"""L{trekd.web.entries}: calendars and address books as trekctl asks for them, over a memory store."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import ensureDeferred

from tests.unit.web.test_routes import RoutesCase
from trekd.config.schema import DAVConfig
from trekd.errors import StoreFull
from trekd.store.collections import ICollections
from trekd.values import PrincipalId
from trekd.web.routes import OctetReply

ALICE = "alice@example.com"


def event(uid: str, summary: str = "x") -> str:
    """A calendar of one event."""
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:20260101T100000Z\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


class EntriesTest(RoutesCase):
    """Requests about calendars."""

    def add_entries(self, *texts: str, existing: str = "skip", **query: str) -> Any:
        entries = [{"number": number, "text": text} for number, text in enumerate(texts, 1)]
        return self.ask("POST", f"calendars/{ALICE}/entries", {"entries": entries, "existing": existing}, **query)

    def exported(self, **query: str) -> bytes:
        reply = self.perform("GET", f"calendars/{ALICE}/entries", **query)
        assert isinstance(reply, OctetReply), reply

        async def collect() -> bytes:
            return b"".join([piece async for piece in reply.pieces])

        return self.successResultOf(ensureDeferred(collect()))

    def test_what_is_added_is_exported(self) -> None:
        many = [event(f"u{number}") for number in range(300)]
        self.assertEqual(self.add_entries(*many), {"added": 300, "replaced": 0, "skipped": 0, "failed": []})
        octets = self.exported()
        self.assertEqual(octets.count(b"BEGIN:VEVENT"), 300)
        self.assertTrue(octets.startswith(b"BEGIN:VCALENDAR") and octets.endswith(b"END:VCALENDAR\r\n"))
        (listed,) = [each for each in self.ask("GET", f"calendars/{ALICE}") if each["name"] == "calendar"]
        self.assertEqual((listed["title"], listed["entries"]), ("Calendar", 300))

    def test_one_uid_twice_in_one_request(self) -> None:
        found = self.add_entries(event("a", "first"), event("a", "second"), existing="replace")
        self.assertEqual((found["added"], found["replaced"]), (1, 1))
        self.assertIn(b"second", self.exported())

    def test_names_are_made_of_uids_and_never_climb(self) -> None:
        self.add_entries(event("../../x"), event("a/b"), event(".."), event("x" * 300), event("\u00fc"), event("ok@x"))
        shelf = ICollections(self.successResultOf(ensureDeferred(self.host.store.open(PrincipalId(ALICE)))))

        async def names() -> list[str]:
            (state,) = [each for each in await shelf.collections() if each.name == "calendar"]
            return [item.name for item in await shelf.items(state.id)]

        found = self.successResultOf(ensureDeferred(names()))
        self.assertEqual(len(found), 6)
        self.assertIn("ok@x.ics", found)
        assert all(name.replace(".ics", "").replace("@", "").isalnum() for name in found), found

    def test_what_is_too_large_is_named(self) -> None:
        object.__setattr__(self.host.config, "dav", DAVConfig(max_item=102_400))
        found = self.add_entries(event("a"), event("b", "x" * 102_400))
        self.assertEqual(found["added"], 1)
        self.assertEqual([each["number"] for each in found["failed"]], [2])

    def test_a_full_disk_is_no_fault_of_an_entry(self) -> None:
        self.add_entries(event("a"))
        shelf = ICollections(self.successResultOf(ensureDeferred(self.host.store.open(PrincipalId(ALICE)))))

        async def full(*_: object, **__: object) -> None:
            raise StoreFull()

        self.patch(type(shelf), "put", full)
        body = {"entries": [{"number": 1, "text": event("b")}], "existing": "skip"}
        self.refused(507, "store-full", "POST", f"calendars/{ALICE}/entries", body)

    def test_requests_of_another_shape(self) -> None:
        for body in (None, [], {"entries": 1}, {"entries": [1], "existing": "skip"}, {"entries": [], "existing": "x"}):
            self.refused(422, "bad-syntax", "POST", f"calendars/{ALICE}/entries", json.loads(json.dumps(body)))

    def test_what_is_not_there(self) -> None:
        body = {"entries": [], "existing": "skip"}
        self.refused(404, "no-such-collection", "POST", f"calendars/{ALICE}/entries", body, name="none")
        self.refused(404, "no-such-account", "GET", "contacts/nobody@example.com")
        self.refused(404, "no-such-operation", "GET", f"meadows/{ALICE}")
