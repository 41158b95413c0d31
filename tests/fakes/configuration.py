"""Configurations that several tests begin with."""

from __future__ import annotations

WITHOUT_LISTENERS = """\
[server]
hostname = "mail.example.com"
domains = ["example.com"]
data_dir = "data"
[listen]
imaps = []
submissions = []
submission = []
https = []
"""
"""C{[listen]} may go on."""
