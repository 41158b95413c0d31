"""L{trekd.dav.resource}: logins, foreign paths, bodies, methods that are not for a resource."""

from __future__ import annotations

from base64 import b64encode

import pytest
from twisted.logger import capturedLogs

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost, basic
from trekd.config.schema import DAVConfig
from trekd.dav.authentication import REMEMBERED
from trekd.dav.bodies import MAX_SWALLOWED, MEMORY
from trekd.directory.interfaces import Account, Status
from trekd.errors import DirectoryDown, StoreCorrupt
from trekd.values import Address
from trekd.web.channel import BODY_PACE, BODY_TIME

FILES = f"/dav/files/{ALICE}/"


@pytest.fixture
def host() -> DAVHost:
    return DAVHost()


@pytest.mark.parametrize("path", ["/dav/", FILES, "/dav/nothing", "/dav/%zz", f"/dav/files/{BOB}/"])
@pytest.mark.parametrize("method", ["PROPFIND", "OPTIONS", "GET", "PUT", "NONSENSE"])
def test_strangers_are_asked_to_log_in_whatever_they_want(host: DAVHost, method: str, path: str) -> None:
    """RFC 7617 §2."""
    reply = host.client("").request(method, path)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == 'Basic realm="TrekMail", charset="UTF-8"'


@pytest.mark.parametrize(
    "authorization",
    [
        basic(ALICE, "wrong"),
        basic("nobody@example.com"),
        basic("alice"),
        "Basic !!!",
        "Bearer abc",
        "Basic " + b64encode(b"no colon").decode(),
        "Basic",
        "Digest username=x",
    ],
)
def test_wrong_credentials_look_alike(host: DAVHost, authorization: str) -> None:
    client = host.client()
    client.authorization = authorization
    reply = client.request("PROPFIND", "/dav/", Depth="0")
    assert reply.status == 401
    assert b"full address" in reply.body


def test_a_password_of_any_language_logs_in(host: DAVHost) -> None:
    host.directory.accounts["a@example.com"] = Account(Address("a", "example.com"), "nano")
    client = host.client()
    client.authorization = "Basic " + b64encode(f"{ALICE}:r\u00e4t".encode()).decode()
    assert client.request("GET", "/dav/").status == 401


def test_a_connection_is_verified_once_for_a_while(host: DAVHost) -> None:
    client = host.client()
    for _ in range(3):
        assert client.request("PROPFIND", "/dav/", Depth="0").status == 207
    assert host.checker.results["accepted"] == 1
    for _ in range(int(REMEMBERED) // 40 + 1):
        host.clock.advance(40)
        client.request("PROPFIND", "/dav/", Depth="0")
    assert host.checker.results["accepted"] == 2


def test_other_credentials_on_a_connection_are_verified(host: DAVHost) -> None:
    client = host.client()
    assert client.request("GET", "/dav/").status == 200
    client.authorization = basic(ALICE, "wrong")
    assert client.request("GET", "/dav/").status == 401
    client.authorization = basic(BOB)
    assert client.request("PROPFIND", FILES, Depth="0").status == 403


def test_an_outage_of_the_directory_is_no_wrong_password(host: DAVHost) -> None:
    host.directory.fault = DirectoryDown()
    reply = host.client().request("PROPFIND", "/dav/", Depth="0")
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0
    assert "www-authenticate" not in reply.headers


def test_a_suspended_account_is_told_so(host: DAVHost) -> None:
    host.directory.accounts[ALICE] = Account(Address("alice", "example.com"), "nano", status=Status.SUSPENDED)
    reply = host.client().request("PROPFIND", "/dav/", Depth="0")
    assert reply.status == 403
    assert b"suspended" in reply.body


def test_many_wrong_passwords_are_refused_untried(host: DAVHost) -> None:
    """RFC 6585 §4."""
    replies = [host.client(ALICE, f"wrong {number}").request("GET", "/dav/") for number in range(12)]
    assert replies[-1].status == 429
    assert int(replies[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("method", ["PROPFIND", "GET", "PUT", "DELETE", "MKCOL", "REPORT", "LOCK", "OPTIONS", "COPY"])
def test_foreign_paths_and_missing_accounts_are_not_told_apart(host: DAVHost, method: str) -> None:
    host.client(BOB).request("PUT", f"/dav/files/{BOB}/secret", "x")
    told = {
        (reply.status, reply.body)
        for path in (f"/dav/files/{BOB}/secret", f"/dav/files/{BOB}/none", "/dav/files/nobody@example.com/secret")
        for reply in [host.client().request(method, path, Depth="0", Destination="/dav/x")]
    }
    assert len(told) == 1
    assert told.pop()[0] == 403


def test_destinations_of_others_are_refused(host: DAVHost) -> None:
    client = host.client()
    client.request("PUT", FILES + "x", "x")
    for method in ("COPY", "MOVE"):
        reply = client.request(method, FILES + "x", Destination=f"https://mail.example.com/dav/files/{BOB}/x")
        assert reply.status == 403
    assert host.client(BOB).request("GET", f"/dav/files/{BOB}/x").status == 404


@pytest.mark.parametrize("path", ["/dav/files/../../etc/passwd", "/dav/%2e%2e/x", FILES + "..%2f..%2fx", FILES + "%00"])
def test_paths_that_climb_are_refused(host: DAVHost, path: str) -> None:
    assert host.client().request("GET", path).status == 400


def test_an_unknown_method_is_told_so(host: DAVHost) -> None:
    assert host.client().request("BREW", "/dav/").status == 501


def test_a_method_that_is_not_for_a_resource_names_those_that_are(host: DAVHost) -> None:
    """RFC 9110 §15.5.6."""
    reply = host.client().request("DELETE", "/dav/principals/")
    assert reply.status == 405
    assert "PROPFIND" in reply.headers["allow"] and "DELETE" not in reply.headers["allow"]


def test_what_is_there_from_the_first_login_on(host: DAVHost) -> None:
    reply = host.client().request("PROPFIND", f"/dav/calendars/{ALICE}/", Depth="1")
    names = [each.text for each in reply.find("//D:displayname")]
    assert names == ["Calendar", "Tasks"]
    reply = host.client().request("PROPFIND", f"/dav/addressbooks/{ALICE}/", Depth="1")
    assert [each.text for each in reply.find("//D:displayname")] == ["Contacts", "Directory"]


def test_what_an_owner_removes_stays_away(host: DAVHost) -> None:
    client = host.client()
    assert client.request("DELETE", f"/dav/calendars/{ALICE}/tasks/").status == 204
    host.resource._complete.clear()
    reply = host.client().request("PROPFIND", f"/dav/calendars/{ALICE}/", Depth="1")
    assert [each.text for each in reply.find("//D:displayname")] == ["Calendar"]


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav/principals/", "/principals/", "/calendar/dav/x/user/", FILES])
def test_the_principal_is_told_wherever_clients_look(host: DAVHost, path: str) -> None:
    """RFC 5397 §3."""
    body = '<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'
    reply = host.client().request("PROPFIND", path, body, Depth="0")
    assert reply.status == 207
    assert [each.text for each in reply.find("//D:current-user-principal/D:href")] == [f"/dav/principals/{ALICE}/"]
    assert reply.hrefs == [path]


# --- Bodies ---------------------------------------------------------------------------------------


def test_a_large_file_comes_back_whole(host: DAVHost) -> None:
    octets = bytes(range(256)) * 4096
    client = host.client()
    assert client.request("PUT", FILES + "large", octets).status == 201
    assert client.request("GET", FILES + "large").body == octets


def test_a_body_without_length_is_taken(host: DAVHost) -> None:
    client = host.client()
    client.send(
        f"PUT {FILES}x HTTP/1.1\r\nHost: mail.example.com\r\nAuthorization: {client.authorization}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode()
    )
    assert client.reply().status == 201
    assert client.request("GET", FILES + "x").body == b"hello"


@pytest.mark.parametrize("method", ["PUT", "PROPFIND"])
def test_nothing_large_is_kept_for_strangers(host: DAVHost, method: str) -> None:
    client = host.client(ALICE, "wrong")
    opened = []
    host.site.store.receive = lambda: opened.append(1)  # type: ignore[assignment, method-assign]
    reply = client.request(method, FILES + "x", b"x" * (MEMORY + 100_000))
    assert reply.status == 401
    assert not opened
    assert host.checker.results["wrong name or password"] == 1


def invitation(client: DAVClient, size: int, authorization: str = "", expect: str = "100-continue") -> bytes:
    """What comes in answer to a header that announces a body."""
    client.send(
        f"PUT {FILES}x HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization or client.authorization}\r\n"
        f"Expect: {expect}\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    for _ in range(20):
        client.host.clock.advance(0)
    octets: bytes = client.transport.value()
    client.transport.clear()
    return octets


def test_a_body_is_asked_for(host: DAVHost) -> None:
    """RFC 9110 §10.1.1."""
    client = host.client()
    for _ in range(2):
        assert invitation(client, 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.reply().status in (201, 204)
    assert client.request("GET", FILES + "x").body == b"hello"


@pytest.mark.parametrize(
    ("size", "authorization", "status"),
    [
        (2 * 1024 * 1024, "", b"413"),
        (5, basic(ALICE, "wrong"), b"401"),
        (5, "Basic !!!", b"401"),
        (2 * 1024 * 1024, basic(ALICE, "wrong"), b"401"),
    ],
)
@pytest.mark.parametrize("has_logged_in", [False, True])
def test_a_body_that_is_of_no_use_is_not_asked_for(
    size: int, authorization: str, status: bytes, has_logged_in: bool
) -> None:
    host = DAVHost(DAVConfig(max_file=1024 * 1024, max_item=100 * 1024))
    client = host.client()
    if has_logged_in:
        client.request("GET", "/dav/")
    answer = invitation(client, size, authorization)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"100 Continue" not in answer
    assert b"connection: close" in answer.lower()
    assert client.transport.closed
    assert host.client().request("GET", FILES + "x").status == 404


def test_who_does_not_wait_is_served_as_well(host: DAVHost) -> None:
    client = host.client()
    client.send(
        f"PUT {FILES}x HTTP/1.1\r\nHost: x\r\nAuthorization: {client.authorization}\r\n"
        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello".encode()
    )
    assert client.reply().status in (100, 201)
    assert host.client().request("GET", FILES + "x").body == b"hello"


def test_other_expectations_are_not_met(host: DAVHost) -> None:
    """RFC 9110 §10.1.1."""
    assert host.client().request("PUT", FILES + "x", "hello", Expect="a miracle").status == 417


def test_a_file_that_is_too_large_is_refused() -> None:
    host = DAVHost(DAVConfig(max_file=1024 * 1024, max_item=100 * 1024))
    client = host.client()
    assert client.request("PUT", FILES + "x", b"x" * (1024 * 1024 + 1)).status == 413
    assert client.request("GET", FILES + "x").status == 404
    assert client.request("PUT", FILES + "x", b"x" * (1024 * 1024)).status == 201


def test_an_endless_body_ends_the_connection() -> None:
    host = DAVHost(DAVConfig(max_xml=64 * 1024))
    client = host.client()
    client.send(
        f"PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nAuthorization: {client.authorization}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    for _ in range(2 * MAX_SWALLOWED // 65536 + 4):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert client.transport.aborted


def test_a_hundred_megabytes_of_xml_are_refused(host: DAVHost) -> None:
    size = host.site.config.max_xml
    reply = host.client().request("PROPFIND", "/dav/", b"<a>" + b" " * size, Depth="0")
    assert reply.status == 413


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><allprop/></propfind>', 403),
        (b"<a>" * 1000 + b"</a>" * 1000, 413),
        (b"<propfind", 400),
        (b"<x/>", 400),
        (b"\xff\xfe\x00", 400),
    ],
)
def test_hostile_xml_is_refused(host: DAVHost, body: bytes, status: int) -> None:
    """RFC 4918 §20.6."""
    for method in ("PROPFIND", "REPORT", "PROPPATCH"):
        reply = host.client().request(method, FILES, body, Depth="0")
        assert reply.status == status or (method == "REPORT" and reply.status == 403)
        assert b"root:" not in reply.body


def test_entities_have_their_precondition(host: DAVHost) -> None:
    reply = host.client().request("PROPFIND", FILES, "<!DOCTYPE a><a/>", Depth="0")
    assert reply.condition == "{DAV:}no-external-entities"


@pytest.mark.parametrize("method", ["PROPFIND", "PUT"])
def test_packed_bodies_are_refused(host: DAVHost, method: str) -> None:
    path = FILES + "x" if method == "PUT" else FILES
    assert host.client().request(method, path, b"\x1f\x8b", Content_Encoding="gzip", Depth="0").status == 415


def test_nothing_of_an_exception_is_shown(host: DAVHost) -> None:
    def fail() -> None:
        raise RuntimeError("secret detail")

    client = host.client()
    client.request("GET", "/dav/")
    host.site.locks.covering = fail  # type: ignore[assignment, method-assign]
    with capturedLogs() as events:
        reply = client.request("PROPFIND", FILES, Depth="0")
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert any("log_failure" in event for event in events)


@pytest.mark.parametrize(
    "error", [StoreCorrupt("/var/lib/secret: malformed"), RuntimeError("secret"), OSError(5, "secret")]
)
@pytest.mark.parametrize(
    ("call", "method", "fields"),
    [
        ("collections", "PROPFIND", {"Depth": "1"}),
        ("items", "PROPFIND", {"Depth": "1"}),
        ("item_source", "GET", {}),
        ("put", "PUT", {}),
        ("remove_item", "DELETE", {}),
        ("copy_item", "COPY", {"Destination": FILES + "y"}),
        ("move_item", "MOVE", {"Destination": FILES + "y"}),
        ("create_collection", "MKCOL", {}),
    ],
)
def test_a_store_that_fails_is_our_fault(
    host: DAVHost, monkeypatch: pytest.MonkeyPatch, call: str, method: str, fields: dict[str, str], error: Exception
) -> None:
    """One line in the log, nothing of it for the client, and the next request is served."""

    async def fail(*arguments: object, **more: object) -> None:
        raise error

    client = host.client()
    client.request("PUT", FILES + "x", "one")
    path = FILES + ("new/" if method == "MKCOL" else "" if method == "PROPFIND" else "x")
    with capturedLogs() as events, monkeypatch.context() as patch:
        patch.setattr(type(host.shelf()), call, fail)
        reply = client.request(method, path, **fields)
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert len([event for event in events if "log_failure" in event]) == 1
    assert client.request("GET", FILES + "x").body == b"one"


def test_a_large_file_has_time_as_long_as_it_comes(host: DAVHost) -> None:
    octets = b"x" * (4 * BODY_PACE)
    client = host.client()
    client.send(
        f"PUT {FILES}x HTTP/1.1\r\nHost: x\r\nAuthorization: {client.authorization}\r\n"
        f"Content-Length: {len(octets)}\r\n\r\n".encode()
    )
    for start in range(0, len(octets), 16384):
        client.send(octets[start : start + 16384])
        host.clock.advance(BODY_TIME / 100)
    assert client.reply().status == 201


def test_a_large_file_that_drips_in_is_dropped(host: DAVHost) -> None:
    client = host.client()
    client.send(
        f"PUT {FILES}x HTTP/1.1\r\nHost: x\r\nAuthorization: {client.authorization}\r\n"
        f"Content-Length: {10 * BODY_PACE}\r\n\r\n".encode()
    )
    for _ in range(100):
        if client.transport.aborted:
            break
        client.send(b"x" * 1000)
        host.clock.advance(20)
    assert client.transport.aborted


def test_a_vanished_client_leaves_nothing(host: DAVHost) -> None:
    client = host.client()
    client.send(
        f"PUT {FILES}x HTTP/1.1\r\nHost: x\r\nAuthorization: {client.authorization}\r\n"
        f"Content-Length: 1000000\r\n\r\n".encode() + b"x" * 500_000
    )
    client.transport.abortConnection()
    assert host.client().request("GET", FILES + "x").status == 404
