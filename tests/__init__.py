"""Tests of TrekMail."""
