"""Automatic set-up, against a started daemon: curl fetches what mail programs fetch, then logs in with it."""

from __future__ import annotations

import json
import plistlib
from pathlib import Path

from lxml import etree

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run

NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/"
REQUEST = f"""<Autodiscover xmlns="{NAMESPACE}requestschema/2006"><Request><EMailAddress>%s</EMailAddress>
<AcceptableResponseSchema>{NAMESPACE}responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"""


def curl(daemon: Daemon, path: str, *options: str, host: str = "mail.example.com", port: str = "https") -> bytes:
    number = daemon.ports[port]
    return run(
        *(require("curl"), "--silent", "--show-error", "--cacert", daemon.certificate),
        *("--resolve", f"{host}:{number}:127.0.0.1", *options),
        f"{port}://{host}:{number}{path}",
    ).stdout


def test_thunderbird_finds_settings_that_work(daemon: Daemon, tmp_path: Path) -> None:
    root = etree.fromstring(curl(daemon, "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=alice@example.com"))
    login = (root.findtext(".//incomingServer/username") or "").replace("%EMAILADDRESS%", "alice@example.com")
    options = ("--cacert", daemon.certificate, "--user", f"{login}:{PASSWORD}", "--connect-to", "::127.0.0.1:")
    curl_ = require("curl")
    (imap, *_), outgoing = list(root.iter("incomingServer")), list(root.iter("outgoingServer"))
    where = f"{imap.findtext('hostname')}:{imap.findtext('port')}"
    assert b"INBOX" in run(curl_, "--silent", "--show-error", *options, f"imaps://{where}/").stdout
    message = tmp_path / "message"
    message.write_bytes(b"From: alice@example.com\r\nSubject: found\r\n\r\nx\r\n")
    for server in outgoing:
        scheme = {"SSL": "smtps", "STARTTLS": "smtp"}[server.findtext("socketType") or ""]
        where = f"{server.findtext('hostname')}:{server.findtext('port')}"
        people = ("--mail-from", "alice@example.com", "--mail-rcpt", "bob@example.com", "--ssl-reqd")
        run(curl_, "--silent", *options, *people, "--upload-file", str(message), f"{scheme}://{where}")
    for name in ("calendar", "addressBook"):
        url = root.findtext(f"{name}/serverURL") or ""
        answer = run(curl_, "--silent", *options, "--request", "PROPFIND", "--header", "Depth: 0", url).stdout
        assert b"current-user-principal" in answer or b"multistatus" in answer


def test_outlook_finds_settings_and_its_password_is_not_kept(daemon: Daemon) -> None:
    found = json.loads(curl(daemon, "/AutoDiscover/AutoDiscover.json?Protocol=AutodiscoverV1"))
    assert found["Url"] == f"https://mail.example.com:{daemon.ports['https']}/autodiscover/autodiscover.xml"
    answers = []
    for name in ("alice", "stranger"):
        options = ("--user", f"{name}@example.com:do not keep this", "--data", REQUEST % f"{name}@example.com")
        answer = curl(daemon, "/AutoDiscover/AutoDiscover.xml", *options, "--header", "Content-Type: text/xml")
        answers.append(answer.replace(name.encode(), b"NAME"))
    assert answers[0] == answers[1]
    assert f"<Port>{daemon.ports['imaps']}</Port>".encode() in answers[0]
    assert "do not keep this" not in daemon.log
    # Its only trace is a line with path and status.
    assert "/AutoDiscover/AutoDiscover.xml 200" in daemon.log


def test_the_profile_is_signed_by_the_certificate_of_the_host(daemon: Daemon, tmp_path: Path) -> None:
    """RFC 5652 §5; what openssl finds inside is what programs install."""
    signed = tmp_path / "signed"
    signed.write_bytes(curl(daemon, "/setup/apple.mobileconfig?address=alice@example.com"))
    command = ("cms", "-verify", "-inform", "DER", "-in", str(signed), "-CAfile", daemon.certificate)
    found = run(require("openssl"), *command, "-purpose", "any", "-partial_chain").stdout
    whole = plistlib.loads(found)
    (mail,) = (each for each in whole["PayloadContent"] if each["PayloadType"] == "com.apple.mail.managed")
    assert mail["IncomingMailServerPortNumber"] == daemon.ports["imaps"]
    assert PASSWORD.encode() not in found


def test_the_code_leads_to_the_profile(daemon: Daemon, tmp_path: Path) -> None:
    """Read as a camera reads it."""
    image = tmp_path / "code.svg"
    image.write_bytes(curl(daemon, "/setup/apple.svg?address=alice@example.com"))
    picture = tmp_path / "code.png"
    run(require("rsvg-convert"), "--width", "400", "--output", str(picture), str(image))
    read = run(require("zbarimg"), "--quiet", "--raw", str(picture)).stdout.decode().strip()
    port = daemon.ports["https"]
    assert read == f"https://mail.example.com:{port}/setup/apple.mobileconfig?address=alice%40example.com"


def test_plain_http_leads_to_the_same_documents(daemon: Daemon) -> None:
    """Outlook follows status 302 only."""
    path = "/mail/config-v1.1.xml?emailaddress=alice@example.com"
    answer = curl(daemon, path, "--include", host="autoconfig.example.com", port="http").lower()
    assert b"location: https://mail.example.com/mail/config-v1.1.xml?emailaddress=alice@example.com" in answer
    answer = curl(daemon, "/autodiscover/autodiscover.xml", "--include", host="autodiscover.example.com", port="http")
    assert answer.startswith(b"HTTP/1.1 302")


def test_plans_of_the_configuration_in_force(own_daemon: Daemon) -> None:
    own_daemon.start()
    assert b"<td>80</td>" in curl(own_daemon, "/setup/")
    with own_daemon.config.open("a") as file:
        file.write("[plans.pro]\nconnections_total = 77\n")
    own_daemon.trekctl("reload")
    page = curl(own_daemon, "/setup/")
    assert b"<td>77</td>" in page and b"<td>80</td>" not in page
