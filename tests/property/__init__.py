"""Properties over generated input (STYLE §9)."""
