"""Tests of one module each (STYLE §9)."""
