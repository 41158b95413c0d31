"""Scheduling over CalDAV."""
