"""L{trekd.web.setup}."""
