"""Two hosts and a name server: mail leaves one, signed, and is judged by the other."""

from __future__ import annotations

import imaplib
import smtplib
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.fakes.nameserver import NameServerProcess

PATIENCE = 30.0
Pair = tuple[Daemon, Daemon]


def _host(directory: Path, domain: str, names: NameServerProcess) -> Daemon:
    """A daemon of a domain; it knows its port at the other host later."""
    directory.mkdir()
    rest = f'[dns]\nservers = ["127.0.0.1:{names.port}"]\n[relay]\nallowed_networks = ["127.0.0.0/8"]\nmx_port = @\n'
    made = Daemon(directory, rest)
    text = made.config.read_text()
    for key in ("hostname", "domains"):
        text = text.replace(f'{key} = "mail.example.com"', f'{key} = "mail.{domain}"')
        text = text.replace(f'{key} = ["example.com"]', f'{key} = ["{domain}"]')
    made.config.write_text(text)
    return made


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """C{example.com} with alice, and C{example.net} with bob."""
    path = tmp_path_factory.mktemp("hosts")
    names = NameServerProcess(path, {})
    here, there = _host(path / "here", "example.com", names), _host(path / "there", "example.net", names)
    for one, other in ((here, there), (there, here)):
        one.config.write_text(one.config.read_text().replace("mx_port = @", f"mx_port = {other.ports['smtp']}"))
    here.trekctl("dkim", "create", "example.com")
    here.add_accounts({"alice@example.com": "pro"})
    there.add_accounts({"bob@example.net": "pro"})
    names.change(_zone(here))
    for one in (here, there):
        one.start()
    yield here, there
    for one in (here, there):
        one.close()
    names.close()


def _zone(here: Daemon) -> dict[str, list[str]]:
    """What C{trekctl dns} wants published, and the other domain."""
    zone = {f"mail.{domain}": ["A 127.0.0.1"] for domain in ("example.com", "example.net", "example.org")}
    zone["example.net"] = ["MX 10 mail.example.net."]
    zone["_dmarc.example.org"] = ['TXT "v=DMARC1; p=reject"']
    zone["example.org"] = ['TXT "v=spf1 -all"', "MX 10 mail.example.org."]
    for line in here.trekctl("dns", "example.com").splitlines():
        if not line.startswith(";"):
            name, _, record = line.partition(" ; ")[0].partition(" IN ")
            zone.setdefault(name.removesuffix("."), []).append(record)
    return zone


def submit(host: Daemon, recipient: str, message: bytes) -> None:
    """Hand in a message of alice's."""
    with smtplib.SMTP_SSL("localhost", host.ports["submissions"], context=host.client_tls) as client:
        client.login("alice@example.com", PASSWORD)
        client.sendmail("alice@example.com", [recipient], message)


def arrived(host: Daemon, name: str, mailbox: str = "INBOX") -> Message:
    """The newest message of a mailbox, taken out; waits for one."""
    with imaplib.IMAP4_SSL("localhost", host.ports["imaps"], ssl_context=host.client_tls) as client:
        client.login(name, PASSWORD)
        deadline = time.monotonic() + PATIENCE
        while client.select(mailbox)[1] in ([b"0"], [None]) or client.select(mailbox)[0] != "OK":
            assert time.monotonic() < deadline, host.log
            time.sleep(0.1)
        _, parts = client.fetch("1", "(BODY[])")
        client.store("1", "+FLAGS", r"\Deleted")
        client.expunge()
        assert isinstance(parts[0], tuple)
        return message_from_bytes(parts[0][1])


BODY = b"..\r\n.\r\n\xe4 " + b"x" * 900 + b"\r\nFrom here\r\n.end\r\n"


def test_mail_to_another_host_arrives_signed_and_verified(hosts: Pair) -> None:
    here, there = hosts
    submit(here, "bob@example.net", b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\n" + BODY)
    message = arrived(there, "bob@example.net")
    (results,) = message.get_all("Authentication-Results", [])
    for verdict in ("spf=pass", "dkim=pass", "dmarc=pass"):
        assert verdict in results, results
    assert message["Return-Path"] == "<alice@example.com>"
    assert "with ESMTPS" in message.get_all("Received", [])[0]
    payload = message.get_payload(decode=True)
    assert payload == BODY
    assert "bob@example.net" not in here.trekctl("queue", "list")


def test_a_recipient_who_is_nobody_comes_back_as_a_notice(hosts: Pair) -> None:
    here, _ = hosts
    submit(here, "nobody@example.net", b"From: alice@example.com\r\nSubject: lost\r\n\r\nx\r\n")
    notice = arrived(here, "alice@example.com")
    assert notice.get_content_type() == "multipart/report"
    text = notice.as_string()
    assert "Status: 5.1.1" in text and "nobody@example.net" in text and PASSWORD not in text
    with pytest.raises(smtplib.SMTPRecipientsRefused) as again:
        submit(here, "nobody@example.net", b"From: alice@example.com\r\n\r\nx\r\n")
    assert again.value.recipients["nobody@example.net"][0] == 550


def test_a_forged_author_is_refused_at_the_end_of_data(hosts: Pair) -> None:
    """DMARC says reject."""
    _, there = hosts
    client = smtplib.SMTP("127.0.0.1", there.ports["smtp"], "mail.example.org")
    with client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("ceo@example.org", ["bob@example.net"], b"From: ceo@example.org\r\n\r\npay me\r\n")
    assert refused.value.smtp_code == 550 and b"5.7.1" in refused.value.smtp_error


def test_out_of_office_answers_over_both_hosts(hosts: Pair) -> None:
    """Once, and neither host answers the answer."""
    here, there = hosts
    there.trekctl("vacation", "set", "bob@example.net", "--subject", "Away", "--stdin", input="I am away.\n")
    try:
        message = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: lunch\r\n\r\n?\r\n"
        for _ in range(2):
            submit(here, "bob@example.net", message)
            arrived(there, "bob@example.net")
        answer = arrived(here, "alice@example.com")
        assert answer["Auto-Submitted"] == "auto-replied" and answer["Return-Path"] == "<>"
        assert "spf=" in answer["Authentication-Results"]
        assert there.log.count("to alice@example.com, mx:example.com: delivered") == 1
    finally:
        there.trekctl("vacation", "off", "bob@example.net")
