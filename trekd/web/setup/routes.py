"""
Where the public site has what: addresses that programs know, and the page for people.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from trekd.web.setup import autodiscover
from trekd.web.setup.agents import configuration
from trekd.web.setup.autoconfig import config_1_1, config_1_2
from trekd.web.setup.codes import code
from trekd.web.setup.documents import MISSING, AwaitedResource, Document, DocumentResource, argument, host_of
from trekd.web.setup.page import SetupPage
from trekd.web.setup.profile import KIND, profile
from trekd.web.setup.settings import ClientSettings
from trekd.web.site import Folder, HTTPSite, Missing, Redirect

Settings = Callable[[], ClientSettings]
"""The settings as the configuration in force has them."""

_XML = "text/xml; charset=utf-8"


def publish(
    site: HTTPSite,
    settings: Settings,
    off_reactor: Callable[..., Awaitable[Any]],
    sign: Callable[[bytes], bytes | None],
) -> None:
    """
    Add everything about set-up to the public site.

    @param off_reactor: runs a blocking function with its arguments.
    @param sign: wraps octets into a signature, or cannot; blocks.
    """
    root: Any = site.resource
    autoconfig = DocumentResource(_Autoconfig(settings, config_1_1).write)
    root.putChild(b"mail", _folder(b"config-v1.1.xml", autoconfig))
    well_known = root.children[b".well-known"]
    well_known.putChild(b"autoconfig", _folder(b"mail", _folder(b"config-v1.1.xml", autoconfig)))
    well_known.putChild(b"mail-v1.xml", DocumentResource(_Autoconfig(settings, config_1_2).write))
    well_known.putChild(
        b"user-agent-configuration.json",
        DocumentResource(lambda request: Document("application/json", configuration(settings()))),
    )
    root.putChild(b"setup", _pages(SetupPage(settings), _Personal(settings, off_reactor, sign)))
    root.links.append(("/setup/", "Set up mail, calendars and contacts"))
    root.any_case[b"autodiscover"] = _Autodiscover(settings)


def _folder(name: bytes, resource: Resource) -> Folder:
    folder = Folder()
    folder.putChild(name, resource)
    return folder


def _pages(page: SetupPage, personal: _Personal) -> Resource:
    pages = _Pages()
    pages.putChild(b"apple.mobileconfig", AwaitedResource(personal.profile))
    pages.putChild(b"apple.svg", AwaitedResource(personal.code_of_profile))
    pages.putChild(b"page.svg", AwaitedResource(personal.code_of_page))
    pages.putChild(b"", DocumentResource(page.write))
    for name, document in page.files.items():
        pages.putChild(name.encode("ascii"), DocumentResource(_always(document)))
    return pages


def _always(document: Document) -> Callable[[Request], Document]:
    return lambda request: document


class _Pages(Folder):
    """C{/setup}, which leads to C{/setup/}."""

    def render(self, request: Request) -> int:
        """Answer."""
        return Redirect(request.uri.replace(b"/setup", b"/setup/", 1)).render(request)


class _Personal:
    """What is made for one address, which need not exist."""

    def __init__(
        self,
        settings: Settings,
        off_reactor: Callable[..., Awaitable[Any]],
        sign: Callable[[bytes], bytes | None],
    ) -> None:
        self._settings = settings
        self._off_reactor = off_reactor
        self._sign = sign

    async def profile(self, request: Request) -> Document:
        """Apple's profile, signed where that can be done."""
        settings = self._settings()
        address = settings.address(argument(request, "address"))
        if address is None:
            return MISSING
        unsigned = profile(settings, address)
        signed = await self._off_reactor(self._sign, unsigned)
        name = f'attachment; filename="{settings.hostname}.mobileconfig"'
        return Document(KIND, unsigned if signed is None else signed, headers={"Content-Disposition": name})

    async def code_of_profile(self, request: Request) -> Document:
        """What leads a phone's camera to the profile."""
        return await self._code(request, "apple.mobileconfig")

    async def code_of_page(self, request: Request) -> Document:
        """What leads a phone's camera to the page."""
        return await self._code(request, "")

    async def _code(self, request: Request, name: str) -> Document:
        settings = self._settings()
        address = settings.address(argument(request, "address"))
        if address is None:
            return MISSING
        url = f"{settings.page}{name}?address={quote(str(address))}"
        return Document("image/svg+xml", await self._off_reactor(code, url))


class _Autoconfig:
    """Documents of a domain: that of C{emailaddress=}, or of the name by which the site was reached."""

    def __init__(self, settings: Settings, of_domain: Callable[[ClientSettings, str], bytes]) -> None:
        self._settings = settings
        self._of_domain = of_domain

    def write(self, request: Request) -> Document:
        """Answer."""
        settings, address = self._settings(), argument(request, "emailaddress")
        domain = settings.domain_of(address) if address else settings.domain_of_host(host_of(request))
        return MISSING if domain is None else Document(_XML, self._of_domain(settings, domain))


class _Autodiscover(Resource):
    """C{/autodiscover/}: its documents in any letter case."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._documents = {
            b"autodiscover.xml": DocumentResource(self._version_1, b"POST"),
            b"autodiscover.json": DocumentResource(self._version_2),
        }

    def getChild(self, path: bytes, request: Request) -> IResource:
        """A document; what programs add to the path of version 2 says nothing more."""
        return self._documents.get(path.lower()) or Missing()

    def render(self, request: Request) -> int:
        """Nothing is here itself."""
        return Missing().render(request)

    def _version_1(self, request: Request) -> Document:
        body = b"" if request.content is None else request.content.read()
        return Document(_XML, autodiscover.answer_to(self._settings(), body))

    def _version_2(self, request: Request) -> Document:
        status, octets = autodiscover.where(self._settings(), argument(request, "protocol"))
        return Document("application/json", octets, status)
