"""A load balancer before the daemon: the client's own address counts."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
from pathlib import Path

from tests.clients.daemon import PASSWORD, Daemon

HEADER = b"PROXY TCP4 198.51.100.9 192.0.2.1 4096 993\r\n"


class ProxiedIMAP(imaplib.IMAP4_SSL):
    """A client behind a balancer."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port))
        plain.sendall(HEADER[:7])
        plain.sendall(HEADER[7:])
        return self.ssl_context.wrap_socket(plain, server_hostname="localhost")


def test_true_addresses_count_on_every_port(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, 'proxy_networks = ["127.0.0.0/8"]')
    try:
        daemon.add_accounts({"alice@example.com": "nano"})
        daemon.start()
        client = ProxiedIMAP("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
        client.login("alice@example.com", PASSWORD)
        assert [each["peer"] for each in daemon.trekctl_json("sessions")] == ["198.51.100.9"]
        client.logout()
        with socket.create_connection(("127.0.0.1", daemon.ports["submission"])) as plain:
            plain.sendall(HEADER)
            over_starttls(plain, daemon.client_tls)
        with socket.create_connection(("127.0.0.1", daemon.ports["https"])) as plain:
            plain.sendall(HEADER)
            with daemon.client_tls.wrap_socket(plain, server_hostname="localhost") as web:
                web.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert web.recv(12) == b"HTTP/1.1 200"
        assert "login alice@example.com from 198.51.100.9" in daemon.log
        assert "GET / 200 from 198.51.100.9" in daemon.log
    finally:
        daemon.close()


def over_starttls(plain: socket.socket, tls: ssl.SSLContext) -> None:
    client = smtplib.SMTP()
    client.sock = plain
    client._host = "localhost"
    assert client.getreply()[0] == 220
    client.ehlo()
    client.starttls(context=tls)
    client.ehlo()
    client.login("alice@example.com", PASSWORD)
    client.quit()
