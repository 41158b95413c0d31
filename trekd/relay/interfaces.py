"""
The contracts of mail to other servers: what deliveries demand of TLS (DANE, MTA-STS) and the count of how they went;
users' own SMTP servers; the client's side of TLS.

For each exchanger that a delivery is about to try, the client asks L{IDemands.of}, connects, and, once TLS stands,
asks L{IDemands.verdict} of the certificates it was shown; L{IDemands.record} is told the result whatever it is,
before the message is sent or the exchanger is given up.  A smart host or an own-SMTP server has no demands of this
kind: its configuration says what TLS it needs.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from zope.interface import Attribute, Interface

from trekd.dns.interfaces import TLSA
from trekd.values import Address


class Security(Enum):
    """What a delivery needs of TLS, weakest first."""

    OPPORTUNISTIC = "opportunistic"  # TLS with anybody when it works, in clear otherwise (RFC 7435 §3)
    ENCRYPTED = "encrypted"  # TLS with anybody, nothing in clear: TLSA records that cannot be used (RFC 7672 §2.2)
    VERIFIED = "verified"  # TLS with a certificate from a public authority (RFC 8461 §4.2)
    DANE = "dane"  # TLS with a certificate of the TLSA records (RFC 7672 §3)


class Policy(Enum):
    """Where a demand comes from; the values are the policy types of RFC 8460 §4.2."""

    NONE = "no-policy-found"
    STS = "sts"
    TLSA = "tlsa"


class TLSResult(Enum):
    """How a session's TLS went; the values are the result types of RFC 8460 §4.3, but for C{SUCCESS}."""

    SUCCESS = "success"
    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    HOST_MISMATCH = "certificate-host-mismatch"
    EXPIRED = "certificate-expired"
    NOT_TRUSTED = "certificate-not-trusted"
    FAILED = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    STS_FETCH_ERROR = "sts-policy-fetch-error"
    STS_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"


@dataclass(frozen=True, slots=True)
class Demand:
    """
    What one exchanger must show before it gets a domain's mail.

    @ivar security: what TLS must give.  Anything but C{OPPORTUNISTIC} means: no TLS, or a verdict other than
        C{SUCCESS}, and this exchanger gets nothing; the next one is tried, and in the end the mail waits.
    @ivar policy: what asked for it.
    @ivar server_name: the name for SNI (RFC 7672 §8.1, RFC 8461 §4), an A-label name.
    @ivar names: names of which the certificate must carry one, A-labels; empty when none is asked for.
    @ivar records: usable TLSA records, for C{DANE}.
    @ivar testing: an MTA-STS policy in mode C{testing}: verified and counted, never a reason to hold mail back.
    @ivar excluded: the MTA-STS policy in force does not name this exchanger: do not even connect
        (RFC 8461 §4.1); record C{HOST_MISMATCH}.
    """

    security: Security = Security.OPPORTUNISTIC
    policy: Policy = Policy.NONE
    server_name: str = ""
    names: tuple[str, ...] = ()
    records: tuple[TLSA, ...] = ()
    testing: bool = False
    excluded: bool = False

    @property
    def is_mandatory(self) -> bool:
        """Whether a delivery in clear is out of the question."""
        return self.security is not Security.OPPORTUNISTIC


@dataclass(frozen=True, slots=True, order=True)
class Session:
    """
    What is counted (RFC 8460 §4).

    @ivar day: such as C{2026-11-23}, in UTC.
    @ivar domain: of the recipients, A-labels.
    @ivar policy: a value of L{Policy}; C{result}: a value of L{TLSResult}.
    """

    day: str
    domain: str
    policy: str
    exchanger: str
    result: str


class ITLSCounts(Interface):
    """How sessions with other domains went."""

    def counts(domain: str) -> Awaitable[Sequence[tuple[Session, int]]]:
        """What was counted of a domain in the last 30 days, by day."""


class IDemands(Interface):
    """Knows what TLS other domains ask of whoever sends them mail."""

    def of(domain: str, exchanger: str, secure: bool) -> Awaitable[Demand]:
        """
        What an exchanger must show.

        @param domain: of the recipients.
        @param exchanger: a host of its MX records, or the domain itself without any.
        @param secure: C{secure} of the answer that named the exchanger.
        @raise NameServiceDown: nobody can tell now whether it has TLSA records: leave this exchanger alone
            (RFC 7672 §2.1).
        """

    def verdict(demand: Demand, chain: Sequence[bytes]) -> TLSResult:
        """
        Whether a server is who the demand asks for.

        @param chain: the certificates it showed, DER, its own first
            (C{Connection.get_peer_cert_chain()} of pyOpenSSL).
        """

    def record(domain: str, exchanger: str, demand: Demand, result: TLSResult) -> None:
        """Count a session (RFC 8460 §4); returns at once and never raises."""


class TLSMode(Enum):
    """How a connection to a server with a login becomes TLS."""

    IMPLICIT = "implicit"  # from its first octet (RFC 8314 §3.3)
    STARTTLS = "starttls"  # RFC 3207; without it nothing is sent


@dataclass(frozen=True, slots=True)
class Profile:
    """
    A user's own SMTP server (DESIGN §7).  Its certificate is always verified for C{host}.

    @ivar name: what queue lanes and C{trekctl smtp} call it.
    @ivar user: C{""} for a server that wants no login.
    @ivar secret: the password, opened; never printed.
    @ivar sender: the reverse-path of all mail by this server, but for the null path; C{None} leaves the sender's own.
    @ivar revision: rises with each change: what was opened or learnt with another one is void.
    """

    name: str
    host: str
    port: int
    tls: TLSMode = TLSMode.IMPLICIT
    user: str = ""
    secret: str = field(default="", repr=False)
    sender: Address | None = None
    revision: int = 1


class IProfileStore(Interface):
    """Opens own-SMTP profiles."""

    def open(name: str) -> Awaitable[Profile]:
        """
        A profile with its secret.

        @raise LaneClosed: there is none of that name any more, or its secret cannot be opened: mail for it waits.
        @raise Unavailable: it cannot be read now.
        """


EVERYBODY = "*"
"""The subject that stands for all domains without an assignment of their own."""

_PROFILE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """
    What an administrator sets of a profile, without its secret; see L{Profile}.

    @ivar owner: who may use it: an address, a domain, or C{""} for everybody.
    @ivar host: A-labels, lower case, or an IP address.
    """

    name: str
    owner: str
    host: str
    port: int
    tls: TLSMode
    user: str = ""
    sender: Address | None = None
    revision: int = 1

    @property
    def is_named_well(self) -> bool:
        """Whether the name can stand in routes and commands, and means nothing else there."""
        return _PROFILE_NAME.fullmatch(self.name) is not None and self.name not in ("server", "inherit")


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """
    A profile as C{trekctl smtp} shows it.

    @ivar used_by: addresses, domains and L{EVERYBODY}.
    @ivar problem: why its secret cannot be unsealed, C{""} when it can.
    """

    settings: ProfileSettings
    used_by: tuple[str, ...]
    problem: str = ""

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.settings.name


class IProfileAdministration(IProfileStore):
    """What changes profiles; each change is durable when it is done, and nothing changed when it raises."""

    def profiles() -> Awaitable[tuple[ProfileRecord, ...]]:
        """All profiles by name."""

    def trial(settings: ProfileSettings, secret: str | None) -> Awaitable[Profile]:
        """
        What a profile would be, to be tested before it is saved.

        @param secret: C{None} takes the stored one.
        @raise SyntaxFault: it cannot be one.
        @raise SecretSealed: the stored secret cannot be read.
        """

    def add(settings: ProfileSettings, secret: str) -> Awaitable[None]:
        """
        Add a profile.

        @raise ProfileExists: the name is taken.
        @raise SyntaxFault: it cannot be one.
        @raise SecretSealed: there is no key to seal its secret with.
        """

    def change(settings: ProfileSettings, secret: str | None) -> Awaitable[None]:
        """
        Replace a profile's settings, and its secret unless C{secret} is C{None}.

        @raise NoSuchProfile: it is not there.
        @raise NotPermitted: somebody who uses it could not any more.
        @raise SyntaxFault: it cannot be one.
        @raise SecretSealed: the secret cannot be read, or not be sealed.
        """

    def remove(name: str) -> Awaitable[None]:
        """
        Remove a profile.

        @raise NoSuchProfile: it is not there.
        @raise NotPermitted: somebody uses it: their mail must not take another route unasked.
        """

    def use(subject: str, profile: str | None) -> Awaitable[None]:
        """
        Say which profile mail takes.

        @param subject: an account's principal, a domain, or L{EVERYBODY}.
        @param profile: C{""} for the server's own way; C{None} for what holds without this.
        @raise NoSuchProfile: it is not there.
        @raise NotPermitted: it belongs to somebody else.
        """

    def rekey() -> Awaitable[tuple[str, ...]]:
        """
        Seal all secrets with a new key.

        @return: profiles whose secret cannot be read; they stay as they are, and so do the old keys.
        @raise SecretSealed: the key file cannot be read or written.
        """

    def watch(changed: Callable[[str], None]) -> None:
        """Call C{changed} with a profile's name when it was changed or proved to work: its lane may open again."""

    def tell(name: str) -> None:
        """Tell the watchers that a profile proved to work."""


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """
    One thing that a test of a profile did, and what came of it.

    @ivar name: what was done, in a word: C{resolve}, C{connect}, C{tls}, C{hello}, C{login}.
    @ivar text: a plain sentence for whoever set the profile up, with what the server said; never a secret.
    @ivar is_good: the next step could be taken.
    """

    name: str
    text: str
    is_good: bool = True


class IProbe(Interface):
    """Tries a profile for real."""

    def probe(profile: Profile) -> Awaitable[tuple[ProbeStep, ...]]:
        """
        Resolve, connect to a permitted address, verify TLS, say hello and log in; no mail is sent.

        @return: the steps taken; none but the last may be bad.  Never raises but for a fault of ours.
        """


class ITLSCheck(Interface):
    """TLS for one connection to be made: a C{IOpenSSLClientConnectionCreator} that knows whom it expects."""

    fault: str = Attribute("why the handshake refused the peer's certificate, one line; C{''} when it did not")

    def complaint(connection: Any) -> str:
        """
        What is wrong with the peer, asked after the handshake.

        @param connection: an C{OpenSSL.SSL.Connection}.
        @return: one line of text, C{""} when the peer is who it should be.
        """


class IClientTLS(Interface):
    """Makes TLS for connections to other servers."""

    def anybody(server_name: str) -> ITLSCheck:
        """
        TLS with whoever answers, for what is verified elsewhere or not at all.

        @param server_name: for SNI (RFC 6066 §3); C{""} or an IP address sends none.
        """

    def verified(host: str) -> ITLSCheck:
        """
        TLS with a certificate of a trusted authority that names the host (RFC 6125 §6); a handshake with another one
        fails.

        @param host: a name, or an IP address, as it was configured.
        """
