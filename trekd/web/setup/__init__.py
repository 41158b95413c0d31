"""
Automatic set-up of mail, calendar and contact programs, and the page for people: all from L{trekd.web.setup.settings},
published on the public site by L{trekd.web.setup.routes}.
"""
