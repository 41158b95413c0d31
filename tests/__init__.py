"""Tests of TrekMail (STYLE §9)."""
