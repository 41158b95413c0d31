"""
GET on a collection whose items make one file together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

from trekd.dav.conditions import read_etags
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.live import http_date
from trekd.dav.nodes import CollectionNode
from trekd.dav.synctokens import ctag_of


def whole(
    exchange: Exchange, node: CollectionNode, media_type: str, pieces: Callable[[], AsyncIterator[bytes]]
) -> Answer:
    """The file, in pieces as it is made; 304 while nothing in the collection changed."""
    etag = ctag_of(node.state)
    validators = (
        (b"etag", b'"' + etag.encode() + b'"'),
        (b"last-modified", http_date(node.state.modified)),
        (b"cache-control", b"private, no-cache"),
    )
    unwanted = exchange.header("if-none-match")
    if unwanted:
        etags = read_etags(unwanted.replace('W/"', '"'))
        if etags is None or etag in etags:
            return Answer(304, b"", validators)
    name = quote(node.location.name + node.kind(exchange).suffix, safe="").encode()
    headers = (
        (b"content-type", media_type.encode()),
        (b"content-disposition", b"attachment; filename*=UTF-8''" + name),
    )
    return Answer(200, pieces(), (*validators, *headers))
