"""Run inside a fresh system by its own Python: IMAP, submission and DAV with the daemon that is installed there."""

import base64
import http.client
import imaplib
import smtplib
import ssl
import sys
import time

HOST, ADDRESS, PASSWORD = "localhost", "alice@example.com", "correct horse"
TRUSTED = "/etc/trekmail/tls/fullchain.pem"


def drive(context: ssl.SSLContext) -> None:
    """Send a message to oneself by submission, find it by IMAP, ask DAV who one is."""
    for port, implicit in ((465, True), (587, False)):
        client = smtplib.SMTP_SSL(HOST, port, context=context) if implicit else smtplib.SMTP(HOST, port)
        with client:
            if not implicit:
                client.starttls(context=context)
            client.login(ADDRESS, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], f"From: {ADDRESS}\r\nSubject: by {port}\r\n\r\nwords\r\n")
    with imaplib.IMAP4_SSL(HOST, 993, ssl_context=context) as imap:
        imap.login(ADDRESS, PASSWORD)
        deadline = time.monotonic() + 60
        while int(imap.select("INBOX")[1][0]) < 2:
            assert time.monotonic() < deadline, "the mail did not arrive"
            time.sleep(0.1)
        found = imap.fetch("1:2", "(BODY[HEADER.FIELDS (SUBJECT)])")[1]
        assert {b"by 465", b"by 587"} == {part[1].split(b": ")[1].strip() for part in found if part[1:]}, found
    web = http.client.HTTPSConnection(HOST, 443, context=context)
    login = base64.b64encode(f"{ADDRESS}:{PASSWORD}".encode()).decode()
    web.request("PROPFIND", "/dav/", headers={"Authorization": f"Basic {login}", "Depth": "0"})
    answer = web.getresponse()
    assert answer.status == 207 and b"multistatus" in answer.read(), answer.status


def main() -> None:
    """Wait for the daemon, then drive it."""
    context = ssl.create_default_context(cafile=TRUSTED)
    deadline = time.monotonic() + 60
    while True:
        try:
            http.client.HTTPSConnection(HOST, 443, context=context).connect()
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                sys.exit("the daemon did not start")
            time.sleep(0.1)
    drive(context)
    print("all went round")


main()
