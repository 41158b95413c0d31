"""Prometheus reads a started daemon's figures."""

from __future__ import annotations

import imaplib
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.clients.daemon import PASSWORD, Daemon, free_ports


def test_metrics_of_a_running_daemon(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    (port,) = free_ports(1)
    config = daemon.config.read_text()
    daemon.config.write_text(config.replace("[listen]", f'[listen]\nmetrics = ["tcp:{port}:interface=127.0.0.1"]'))
    try:
        daemon.add_accounts({"nano@example.com": "nano"})
        daemon.start()
        clients = []
        for _ in range(11):
            clients.append(imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls))
            if len(clients) <= 10:
                clients[-1].login("nano@example.com", PASSWORD)
        with pytest.raises(imaplib.IMAP4.error, match="Maximum connections exceeded"):
            clients[-1].login("nano@example.com", PASSWORD)
        found = read_figures(port)
        assert found["trekmail_connections", "imap", "nano"] == 10
        assert found["trekmail_refused_connections_total", "per address"] == 1
        assert found["trekmail_logins_total", "accepted"] == 11
        assert found["trekmail_directory_seconds_count", "answered", "authenticate"] == 1
        assert found["trekmail_credential_cache_total", "hit"] == 10
        assert found["trekmail_queue_messages",] == found["trekmail_ghosts_total",] == 0
        assert ("trekmail_reactor_lag_seconds_count",) in found
        assert found["process_resident_memory_bytes",] > 1_000_000
        assert "10 of 10" in daemon.trekctl("limits", "nano@example.com")
    finally:
        daemon.close()


def read_figures(port: int) -> dict[tuple[str, ...], float]:
    """Name and label values in alphabetical order to value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}
