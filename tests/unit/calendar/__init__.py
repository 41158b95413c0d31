"""Tests of trekd.calendar."""
