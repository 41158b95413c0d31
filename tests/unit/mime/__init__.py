"""Tests of trekd.mime."""
