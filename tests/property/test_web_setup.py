"""L{trekd.web.setup}: whatever is asked, there is an answer, and none of it depends on more than the domain."""

from __future__ import annotations

import plistlib
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.fakes.websetup import fetch, settings, site
from trekd.errors import SyntaxFault
from trekd.values import Address
from trekd.web.setup.autoconfig import config_1_1, config_1_2
from trekd.web.setup.autodiscover import answer_to
from trekd.web.setup.profile import profile

SETTINGS = settings()
SITE = site()
DOMAINS = ("example.com", "xn--bcher-kva.example")
REQUEST = """<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>
<EMailAddress>{}</EMailAddress></Request></Autodiscover>"""

TEXT = st.text(max_size=80)
LOCAL = st.text(max_size=64).map(lambda text: f"{text}@example.com")


@given(st.binary(max_size=300) | TEXT.map(lambda text: REQUEST.format(text).encode("utf-8", "surrogatepass")))
def test_autodiscover_answers_with_xml(body: bytes) -> None:
    root = etree.fromstring(answer_to(SETTINGS, body))
    assert etree.QName(root).localname == "Autodiscover"


@given(TEXT | LOCAL)
def test_an_address_is_ours_or_not(text: str) -> None:
    assert SETTINGS.domain_of(text) in (None, *DOMAINS)
    assert SETTINGS.domain_of_host(text) in DOMAINS
    found = SETTINGS.address(text)
    if found is not None:
        assert SETTINGS.domain_of(str(found)) in DOMAINS
        whole = plistlib.loads(profile(SETTINGS, found))
        assert {each["PayloadType"].split(".")[2] for each in whole["PayloadContent"]} == {"mail", "caldav", "carddav"}


@given(LOCAL)
def test_documents_know_no_address(text: str) -> None:
    """What cannot be an address gets the document, too: only the domain counts."""
    asked = quote(text, safe="")
    status, _, body = fetch(SITE, f"/mail/config-v1.1.xml?emailaddress={asked}")
    if text.startswith("@"):
        assert status == 404
    else:
        assert body == config_1_1(SETTINGS, "example.com")


@given(st.from_regex(r"[a-z0-9][a-z0-9.]{0,60}[a-z0-9]", fullmatch=True))
def test_every_domain_makes_a_document(domain: str) -> None:
    for write in (config_1_1, config_1_2):
        provider = etree.fromstring(write(SETTINGS, domain)).find("emailProvider")
        assert provider is not None
        assert provider.findtext("domain") == domain
        assert len(provider.findtext("displayShortName") or "") <= 20


@given(TEXT | LOCAL)
def test_the_page_shows_what_was_typed_and_runs_nothing_of_it(text: str) -> None:
    status, _, body = fetch(SITE, f"/setup/?address={quote(text, safe='')}")
    assert status in (200, 400)
    page = etree.fromstring(body, etree.HTMLParser(encoding="utf-8"))
    assert len(page.findall(".//script")) == 1
    assert not [name for each in page.iter() for name in each.keys() if name.startswith("on")]  # noqa: SIM118
    try:
        is_ours = SETTINGS.serves(Address.parse(text.strip()).domain)
    except SyntaxFault:
        is_ours = False
    assert is_ours == (status == 200) or not text.strip()
