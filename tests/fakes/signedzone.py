"""Zones signed for DNSSEC, by the functions that dnspython has since 2.3."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.NSEC import NSEC

from tests.fakes.nameserver import TTL, records

_WEEK = 7 * 86_400


class SignedZone:
    """
    A zone with its signatures, its chain of NSEC records and the key to trust (RFC 4035 §2).

    @ivar text: the zone as a master file.
    @ivar anchor: the DS record of its key, for a resolver's configuration.
    """

    def __init__(self, apex: str, zone: Mapping[str, list[str]], bogus: Collection[str] = ()) -> None:
        """
        @param zone: name to records without the name, as in L{tests.fakes.nameserver}.
        @param bogus: C{"name TYPE"} of records that are changed after they were signed.
        """
        self._apex = dns.name.from_text(apex)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._dnskey = dns.dnssec.make_dnskey(self._key.public_key(), "ECDSAP256SHA256", flags=257)
        own = [f"SOA ns.{apex}. hostmaster.{apex}. 1 3600 600 86400 60", f"NS ns.{apex}.", f"DNSKEY {self._dnskey}"]
        whole = {apex: own, f"ns.{apex}": ["A 127.0.0.1"], **zone}
        sets = [each for name, lines in whole.items() for each in records(dns.name.from_text(name), lines)]
        sets += _chain(sets)
        lines = []
        for each in sets:
            lines += [str(each), str(self._signature(each))]
            if f"{each.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(each.rdtype)}" in bogus:
                lines[-2] = lines[-2][:-2] + ("00" if lines[-2][-2:] != "00" else "ff")
        self.text = "\n".join(lines) + "\n"
        self.anchor = f"{apex}. IN DS {dns.dnssec.make_ds(self._apex, self._dnskey, 'SHA256')}"

    def _signature(self, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
        rdata = dns.dnssec.sign(rrset, self._key, self._apex, self._dnskey, lifetime=_WEEK)
        return dns.rrset.from_rdata(rrset.name, TTL, rdata)


def _chain(sets: list[dns.rrset.RRset]) -> list[dns.rrset.RRset]:
    """What says of each name which types it has, and which name is next (RFC 4034 §4)."""
    names = sorted({each.name for each in sets})
    made = []
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        types = {dns.rdatatype.to_text(each.rdtype) for each in sets if each.name == name} | {"NSEC", "RRSIG"}
        text = f"{following} {' '.join(types)}"
        made.append(dns.rrset.from_text(name, TTL, "IN", "NSEC", text))
    assert all(isinstance(each[0], NSEC) for each in made)
    return made
