"""L{trekd.dav.xml}: hostile documents, request bodies, elements as octets."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import MAX_DEPTH, DoctypeRefused, parse, serialised
from trekd.dav.xml.requests import PropertiesWanted, mkcol, propertyupdate, propfind, sync_collection
from trekd.dav.xml.writing import document, element, escape
from trekd.errors import LimitExceeded, SyntaxFault

BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><propfind xmlns="DAV:"><prop><x>&c;</x></prop></propfind>"""


@pytest.mark.parametrize(
    "octets",
    [
        BOMB,
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><propfind xmlns="DAV:"><allprop/></propfind>',
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:">&e;</propfind>',
        b"<!DOCTYPE propfind><propfind xmlns='DAV:'><allprop/></propfind>",
    ],
)
def test_document_types_are_refused(octets: bytes) -> None:
    """RFC 4918 §20.6."""
    with pytest.raises(DoctypeRefused):
        parse(octets)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1000, 100_000])
def test_deep_documents_are_refused(depth: int) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse(b"<a>" * depth + b"</a>" * depth)
    assert isinstance(caught.value, LimitExceeded)


@pytest.mark.parametrize(
    "octets",
    [b"<a", b"", b"\0", b"<a>&nbsp;</a>", b"<a></b>", b'<?xml version="1.0" encoding="x"?><a/>'],
)
def test_what_is_no_document_is_refused_without_its_own_words(octets: bytes) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse(octets)
    assert "nbsp" not in str(caught.value)


@pytest.mark.parametrize(
    "octets",
    [
        b"<a " + b" ".join(b"a%d=''" % number for number in range(300_000)) + b"/>",
        b"<a" + b"".join(b'\na%d = "=>"' % number for number in range(101)) + b"/>",
        b"<a " + b" ".join(b"xmlns:a%d='u%d'" % (number, number) for number in range(100_000)) + b"/>",
        b"<a " + b" ".join(b"xmlns:a%d='u'" % number for number in range(99)) + b" x='' y=''/>",
        b"".join(b"<a xmlns:b%d='u%d'/>" % (number, number) for number in range(501)),
        ("<a " + " ".join(f"a{number}=''" for number in range(101)) + "/>").encode("utf-16"),
    ],
    ids=["many", "101", "namespaces", "together", "all-namespaces", "utf-16"],
)
def test_elements_with_many_attributes_are_refused(octets: bytes) -> None:
    with pytest.raises(LimitExceeded):
        parse(octets)


@pytest.mark.parametrize(
    "octets",
    [
        b"<a " + b" ".join(b"a%d='='" % number for number in range(100)) + b"/>",
        b"<a>" + b"b='' " * 10_000 + b"</a>",
        b"<a b='=====" + b"=" * 1000 + b"'/>",
        b"<a><!-- " + b"b='' " * 1000 + b"--></a>",
    ],
    ids=["hundred", "text", "value", "comment"],
)
def test_what_only_looks_like_many_attributes_is_read(octets: bytes) -> None:
    assert parse(octets).tag == "a"


@pytest.mark.parametrize("encoding", ["utf-8", "us-ascii", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(encoding: str) -> None:
    text = "x" if encoding == "us-ascii" else "\u00e9"
    octets = f'<?xml version="1.0" encoding="{encoding}"?><a>{text}</a>'.encode(encoding)
    assert parse(octets).text == text


@pytest.mark.parametrize(
    "octets",
    [
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        '<?xml version="1.0" encoding="cp037"?><a/>'.encode("cp037"),
        "<a/>".encode("utf-32"),
        "<a/>".encode("utf-16-le"),
        b"\xff\xfe\x00",
        b"<a>\xff</a>",
        b'<?xml version="1.0" encoding="windows-1252"?><a>\x81</a>',
    ],
)
def test_other_encodings_are_refused(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        parse(octets)


def test_utf_16_is_read() -> None:
    assert parse('<?xml version="1.0" encoding="utf-16"?><a>ä</a>'.encode("utf-16")).text == "ä"


def test_propfind_has_one_of_three_forms() -> None:
    """RFC 4918 §14.20."""
    ask = '<propfind xmlns="DAV:">{}</propfind>'
    assert propfind(None) == PropertiesWanted(is_all=True)
    assert propfind(parse(ask.format("<prop><a/><b/><a/></prop>").encode())).names == (dav("a"), dav("b"))
    wanted = propfind(parse(ask.format("<allprop/><include><a/></include>").encode()))
    assert wanted == PropertiesWanted((dav("a"),), is_all=True)
    assert propfind(parse(ask.format("<propname/>").encode())).names_only
    for wrong in ("", "<allprop/><propname/>", "<x/>"):
        with pytest.raises(SyntaxFault):
            propfind(parse(ask.format(wrong).encode()))
    with pytest.raises(SyntaxFault):
        propfind(parse(b'<propertyupdate xmlns="DAV:"><prop/></propertyupdate>'))


def test_changes_come_in_document_order() -> None:
    root = parse(
        b'<D:propertyupdate xmlns:D="DAV:" xmlns:z="urn:z"><D:set><D:prop><z:a>1</z:a></D:prop></D:set>'
        b"<D:remove><D:prop><z:b/></D:prop></D:remove></D:propertyupdate>"
    )
    first, second = propertyupdate(root)
    assert (first.name, second.name, second.element) == ("{urn:z}a", "{urn:z}b", None)
    assert etree.fromstring(first.serialised).tag == "{urn:z}a"


def test_a_kept_property_keeps_its_language_and_namespaces() -> None:
    """RFC 4918 §4.3."""
    root = parse(b'<a xmlns="urn:z" xmlns:q="urn:q" xml:lang="de"><b q:c="1">x</b>tail</a>')
    kept = etree.fromstring(serialised(root[0]))
    assert kept.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert (kept.tag, kept.get("{urn:q}c"), kept.text, kept.tail) == ("{urn:z}b", "1", "x", None)


def test_limits_of_a_report_are_numbers() -> None:
    """RFC 6578 §3.7."""
    ask = '<sync-collection xmlns="DAV:"><sync-token/><limit><nresults>{}</nresults></limit><prop/></sync-collection>'
    assert sync_collection(parse(ask.format("10").encode())).limit == 10
    for wrong in ("0", "-1", "x", "", "\u0661"):
        with pytest.raises(SyntaxFault):
            sync_collection(parse(ask.format(wrong).encode()))


def test_mkcol_knows_its_root() -> None:
    with pytest.raises(SyntaxFault):
        mkcol(parse(b'<x xmlns="DAV:"/>'))


def test_text_is_escaped_and_possible() -> None:
    hostile = "<&>\"\0\x1b\ud800\r"
    root = etree.fromstring(document(dav("a"), element(dav("b"), escape(hostile))))
    assert root[0].text == '<&>"\ufffd\ufffd\ufffd\r'


def test_elements_of_unknown_namespaces_declare_them() -> None:
    root = etree.fromstring(document(dav("a"), element("{urn:x?a&b}b") + element("c")))
    assert [each.tag for each in root] == ["{urn:x?a&b}b", "c"]


def test_a_large_flat_document_takes_little_time() -> None:
    octets = b"<a>" + b"<b>x</b>" * 100_000 + b"</a>"
    started = time.process_time()
    parse(octets)
    assert time.process_time() - started < 5
