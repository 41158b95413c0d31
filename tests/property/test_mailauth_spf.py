"""SPF never raises, and never asks without end, whatever records say."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.records import DOWN, Names
from trekd.mailauth.spf import check_host, client_address

HOSTS = st.sampled_from(["a.example", "b.example", "c.example", "%{i}.a.example", "%{p}", "%{d2r}.example", "%{", "x"])
TERMS = st.one_of(
    st.builds("{}{}:{}".format, st.sampled_from(["", "-", "~", "?"]), st.sampled_from(["a", "mx", "ptr", "include",
              "exists"]), HOSTS),
    st.builds("redirect={}".format, HOSTS),
    st.sampled_from(["a", "mx", "ptr", "ip4:192.0.2.0/24", "ip6:::/0", "-all", "x=y", "a/24//64"]),
    st.text(st.characters(codec="latin-1"), max_size=8),
)  # fmt: skip
RECORDS = st.builds("v=spf1 {}".format, st.lists(TERMS, max_size=14).map(" ".join))
ADDRESSES = st.lists(st.sampled_from(["192.0.2.1", "2001:db8::1", "192.0.2.9"]), max_size=3)
NODES = st.fixed_dictionaries(
    {},
    optional={
        "TXT": st.lists(RECORDS, max_size=2) | st.just(DOWN),
        "A": ADDRESSES.map(lambda found: [each for each in found if ":" not in each]) | st.just(DOWN),
        "AAAA": ADDRESSES.map(lambda found: [each for each in found if ":" in each]),
        "MX": st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["a.example", "b.example", ""])), max_size=12),
    },
)
RESULTS = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}


@given(
    st.fixed_dictionaries(dict.fromkeys(("a.example", "b.example", "c.example"), NODES)),
    st.lists(st.sampled_from(["a.example", "b.a.example", "evil..", "ü"]), max_size=15),
    st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    st.text(max_size=10),
)
@settings(max_examples=100, deadline=None)
def test_every_record_has_a_result(zone: dict[str, object], names: list[str], client: str, local: str) -> None:
    resolver = Names({**zone, client: {"PTR": names}})  # type: ignore[dict-item]
    address = client_address(client)
    assert address is not None
    found = asyncio.run(check_host(resolver, address, "a.example", f"{local}@a.example", local))
    assert found.result in RESULTS
    assert len(resolver.asked) <= 250
