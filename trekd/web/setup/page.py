"""
The page for people: the settings, the plans' limits, and what to do in which program.

It works without JavaScript, and what it runs and draws comes from this site alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from twisted.web.server import Request

from trekd.web.setup.documents import Document, argument
from trekd.web.setup.settings import ClientSettings

_PLACE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_FILES = (("setup.css", "text/css"), ("setup.js", "text/javascript"), ("icon.svg", "image/svg+xml"))
_PERSONAL = (("profile", "apple.mobileconfig"), ("profile_code", "apple.svg"), ("page_code", "page.svg"))
_A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}
_HTML = "text/html; charset=utf-8"


class SetupPage:
    """
    The page and the files that it needs.

    @ivar files: by name.
    """

    def __init__(self, settings: Callable[[], ClientSettings]) -> None:
        self._settings = settings
        self.files = {
            name: Document(kind, (_PLACE / name).read_bytes(), headers=_A_YEAR)
            for name, kind in _FILES
        }
        environment = Environment(
            loader=FileSystemLoader(_PLACE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._template = environment.get_template("page.html")

    def write(self, request: Request) -> Document:
        """The page for the address that was typed, or for none yet."""
        settings, typed = self._settings(), argument(request, "address").strip()
        address = settings.address(typed)
        login = "your full address" if address is None else str(address)
        text = self._template.render(
            settings=settings,
            typed=typed,
            address=address,
            problem=bool(typed) and address is None,
            login=login,
            example=settings.domains[0] if settings.domains else "example.com",
            files=f"{settings.dav}files/{quote(login.lower(), safe='@') if address else 'ADDRESS'}/",
            **{name: f"/setup/{file}?address={quote(login)}" for name, file in _PERSONAL},
            davx5=settings.dav.replace("https:", "davx5:", 1),
            icon=self._url("icon.svg"),
            style=self._url("setup.css"),
            script=self._url("setup.js"),
        )
        status = 400 if typed and address is None else 200
        return Document(_HTML, text.encode("utf-8", "replace"), status, {"Content-Security-Policy": _POLICY})

    def _url(self, name: str) -> str:
        """A file's address, which is another when the file is."""
        return f"/setup/{name}?{hashlib.sha256(self.files[name].octets).hexdigest()[:12]}"
