"""L{trekd.web.site}: redirects, the status page, bounded bodies and clean errors, over the real HTTP parser."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.web.resource import Resource

from tests.fakes.website import ask, request
from trekd.web.site import MAX_BODY, HTTPSite, public_site, redirect_site


@pytest.fixture
def site() -> HTTPSite:
    return public_site("mail.example.com", Clock(), lambda: b"version: STSv1\r\n")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PROPFIND", b"OPTIONS", b"REPORT", b"POST"])
@pytest.mark.parametrize("name", [b"caldav", b"carddav"])
def test_well_known_redirects_whatever_the_method(site: HTTPSite, method: bytes, name: bytes) -> None:
    """RFC 6764 §5."""
    answer, _ = ask(site, request(method, b"/.well-known/" + name))
    assert answer.startswith(b"HTTP/1.1 307 ")
    assert b"\r\nlocation: /dav/\r\n" in answer.lower()


def test_the_policy_for_other_servers(site: HTTPSite) -> None:
    """RFC 8461 §3.3."""
    answer, _ = ask(site, request(b"GET", b"/.well-known/mta-sts.txt"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\ncontent-type: text/plain" in answer.lower()
    assert answer.endswith(b"\r\n\r\nversion: STSv1\r\n")
    assert ask(site, request(b"POST", b"/.well-known/mta-sts.txt"))[0].startswith(b"HTTP/1.1 405 ")


def test_status_page(site: HTTPSite) -> None:
    answer, _ = ask(site, request(b"GET", b"/"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"mail.example.com" in answer
    assert b"strict-transport-security" in answer.lower()
    assert b"twisted" not in answer.lower()


def test_status_page_can_only_be_read(site: HTTPSite) -> None:
    answer, _ = ask(site, request(b"DELETE", b"/"))
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: get, head\r\n" in answer.lower()


@pytest.mark.parametrize("path", [b"/nothing", b"/.well-known/", b"/.well-known/x/y", b"/%00", b"/../../etc/passwd"])
def test_anything_else_is_missing(site: HTTPSite, path: bytes) -> None:
    answer, _ = ask(site, request(b"GET", path))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"passwd" not in answer


def test_head_has_no_body(site: HTTPSite) -> None:
    answer, _ = ask(site, request(b"HEAD", b"/missing"))
    assert answer.endswith(b"\r\n\r\n")


def test_a_long_body_is_refused(site: HTTPSite) -> None:
    size = MAX_BODY + 1
    answer, _ = ask(site, request(b"POST", b"/", b"Content-Length: %d" % size), b"x" * size)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_endless_body_ends_the_connection(site: HTTPSite) -> None:
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer, transport = ask(site, request(b"POST", b"/", b"Transfer-Encoding: chunked"), *[piece] * 40)
    assert answer == b""
    assert transport.abort_seen


def test_nothing_of_an_exception_is_shown() -> None:
    class Faulty(Resource):
        isLeaf = True

        def render(self, request: object) -> bytes:
            raise RuntimeError("secret detail")

    with capturedLogs() as events:
        answer, _ = ask(HTTPSite(Faulty(), {}, Clock()), request(b"GET", b"/"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer and b"Traceback" not in answer
    assert any("log_failure" in event for event in events)


def test_queries_are_not_logged(site: HTTPSite) -> None:
    with capturedLogs() as events:
        ask(site, request(b"GET", b"/x?token=secret"))
    assert not any("secret" in str(event) for event in events if "code" in event)
    assert any(event.get("code") == 404 for event in events)


def test_plain_http_only_redirects() -> None:
    answer, _ = ask(redirect_site("mail.example.com", Clock()), request(b"GET", b"/dav/?a=b"))
    assert answer.startswith(b"HTTP/1.1 301 ")
    assert b"\r\nlocation: https://mail.example.com/dav/?a=b\r\n" in answer.lower()


def test_outlook_is_redirected_by_the_only_status_it_follows() -> None:
    answer, _ = ask(redirect_site("mail.example.com", Clock()), request(b"GET", b"/Autodiscover/Autodiscover.xml"))
    assert answer.startswith(b"HTTP/1.1 302 ")
    assert b"\r\nlocation: https://mail.example.com/autodiscover/autodiscover.xml\r\n" in answer.lower()


def test_a_line_without_end_ends_the_connection(site: HTTPSite) -> None:
    """The producer that the stock channel registers for itself must not keep the connection open."""
    answer, transport = ask(site, b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert transport.disconnecting and transport.producer is None
    answer, transport = ask(site, b"\0" * 20_000, b"\0" * 20_000)
    assert answer.count(b"HTTP/1.1 400 ") == 1
    assert transport.abort_seen
