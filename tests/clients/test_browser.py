"""The page for people in a headless Chromium, against a started daemon: on a desk, on a phone, without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.browser import Browser
from tests.clients.daemon import Daemon

DESK = (1100, 900)
PHONE = (360, 740)
CONTROL = "\ue009"
TAB = "\ue004"
ENTER = "\ue007"
"""Keys, for WebDriver."""


@contextmanager
def window(directory: Path, size: tuple[int, int], **options: bool) -> Iterator[Browser]:
    browser = Browser(directory, size, **options)
    try:
        yield browser
    finally:
        browser.close()


def url(daemon: Daemon, query: str = "") -> str:
    return f"https://mail.example.com:{daemon.ports['https']}/setup/{query}"


def fits(browser: Browser) -> bool:
    """Nothing has to be scrolled for sidewards."""
    width, inner = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
    return bool(width <= inner)


def test_somebody_finds_the_settings(daemon: Daemon, tmp_path: Path) -> None:
    with window(tmp_path, DESK) as browser:
        browser.open(url(daemon, "..//"))
        browser.click("a[href='/setup/']")
        assert browser.reads("#values", "Settings")
        browser.type("#address", "alice@example.com")
        browser.click("button[type=submit]")
        assert browser.reads("#values", "Settings for alice@example.com")
        assert browser.text("#imap-port") == str(daemon.ports["imaps"])
        assert browser.text("#smtp-user") == "alice@example.com"
        browser.click("button[data-of=imap-user]")
        assert browser.reads("#said", "Copied: alice@example.com")
        browser.run("document.querySelector('#address').value = ''")
        browser.type("#address", CONTROL + "v")
        assert browser.run("return document.querySelector('#address').value") == "alice@example.com"
        browser.click("details:nth-of-type(4) summary")
        assert "New Account" in browser.text("details:nth-of-type(4)")
        browser.click("details:nth-of-type(2) summary")
        for image in ("apple", "page"):
            assert browser.becomes(f"return document.querySelector('img[src*={image}]').naturalWidth > 0")
        profile = browser.run("return document.querySelector('.button').href")
        assert profile == url(daemon, "apple.mobileconfig?address=alice%40example.com")
        assert fits(browser)
        assert browser.faults() == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_phone(daemon: Daemon, tmp_path: Path, dark: bool) -> None:
    with window(tmp_path, PHONE, dark=dark) as browser:
        browser.open(url(daemon, "?address=a.rather.long.name.of.somebody.with.many.names%40example.com"))
        browser.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert fits(browser)
        # Large enough for a thumb.
        assert browser.run("return document.querySelector('button[type=submit]').offsetHeight") >= 44
        back = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(18, 22, 29)") is dark
        assert browser.faults() == []


def test_everything_but_copying_works_without_javascript(daemon: Daemon, tmp_path: Path) -> None:
    with window(tmp_path, DESK, javascript=False) as browser:
        browser.open(url(daemon))
        browser.type("#address", "alice@example.com")
        browser.click("button[type=submit]")
        assert browser.reads("#imap-user", "alice@example.com")
        assert browser.run("return document.querySelector('button.copy').offsetHeight") == 0
        assert "Download the profile" in browser.text("details[open]")
        browser.click("details:nth-of-type(3) summary")
        assert "Advanced options" in browser.text("details:nth-of-type(3)")


def test_it_can_be_used_by_keyboard(daemon: Daemon, tmp_path: Path) -> None:
    with window(tmp_path, DESK) as browser:
        browser.open(url(daemon))
        browser.type("#address", f"alice@example.com{ENTER}")
        assert browser.reads("#values", "Settings for alice@example.com")
        browser.press(TAB * 3 + ENTER)
        assert browser.reads("#said", "Copied: mail.example.com")
        # Where somebody is can be seen.
        assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_mistake_is_shown_and_can_be_corrected(daemon: Daemon, tmp_path: Path) -> None:
    with window(tmp_path, PHONE) as browser:
        browser.open(url(daemon, "?address=alice%40example.org"))
        assert "full address" in browser.text("[role=alert]")
        browser.run("document.querySelector('#address').value = ''")
        browser.type("#address", "alice@example.com")
        browser.click("button[type=submit]")
        assert browser.reads("#imap-user", "alice@example.com")
