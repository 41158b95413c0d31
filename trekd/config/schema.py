"""
The schema: one frozen dataclass per section, the only place that declares keys.

Those of the directory are in L{trekd.config.directory}, plans and limits in L{trekd.config.limits}, mechanisms of login
in L{trekd.config.login}, names in L{trekd.config.names}, the queue in L{trekd.config.queue}, mail to other servers in
L{trekd.config.relay} and from them in L{trekd.config.reception}; all can be imported from here.  Sizes are octets and
durations seconds once read.  A room receives its own section; L{Config} itself stays with the service and the command
line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trekd.config.directory import DirectoryConfig, LDAPConfig, LDAPPlanConfig, LocalDirectoryConfig
from trekd.config.fields import foreign, named, rows, setting, table
from trekd.config.kinds import (
    ADDRESS,
    CERTIFICATE_NAMES,
    COUNT,
    DAY,
    DOMAINS,
    DURATION,
    ENDPOINTS,
    GB,
    HOSTNAME,
    HOUR,
    KB,
    MB,
    MINUTE,
    NAME,
    PATH,
    SIZE,
    SWITCH,
    choice,
)
from trekd.config.limits import PLANS, LimitsConfig, PlanConfig
from trekd.config.login import LoginConfig
from trekd.config.names import DNSConfig, MTASTSConfig
from trekd.config.queue import QueueConfig
from trekd.config.reception import ReceptionConfig
from trekd.config.relay import RelayConfig

__all__ = [
    "PLANS",
    "Config",
    "DAVConfig",
    "DNSConfig",
    "DirectoryConfig",
    "IMAPConfig",
    "LDAPConfig",
    "LDAPPlanConfig",
    "LimitsConfig",
    "ListenConfig",
    "LocalDirectoryConfig",
    "LogConfig",
    "LoginConfig",
    "MTASTSConfig",
    "PlanConfig",
    "QueueConfig",
    "ReceptionConfig",
    "RelayConfig",
    "SMTPConfig",
    "SNIConfig",
    "ServerConfig",
    "StoreConfig",
    "TLSConfig",
]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The host itself."""

    hostname: str = setting(
        HOSTNAME,
        doc="The host's full name: greetings, Received fields, links.  Certificates should carry it.",
        example='"mail.example.com"',
    )
    domains: tuple[str, ...] = setting(
        DOMAINS,
        doc='Mail domains served; "*" = whatever the directory knows.',
        example='["example.com"]',
    )
    data_dir: str = setting(
        PATH,
        "/var/lib/trekmail",
        "Where accounts, queue and keys are kept.  Relative paths, here and elsewhere, start from the "
        "directory of this file.",
    )
    workers: int = setting(COUNT, 1, "Processes that serve clients; only 1 so far.", at_least=1, at_most=1)
    postmaster: str = setting(
        ADDRESS,
        "",
        'Who answers for this host, sender of its notices; "" = postmaster@ the first domain.',
    )

    def __post_init__(self) -> None:
        if not self.postmaster:
            domain = next((name for name in self.domains if name != "*"), self.hostname)
            object.__setattr__(self, "postmaster", f"postmaster@{domain}")


@dataclass(frozen=True, slots=True)
class SNIConfig:
    """One more certificate, for other host names (RFC 6066 §3)."""

    names: tuple[str, ...] = setting(
        CERTIFICATE_NAMES,
        doc='Host names that get this certificate; "*.example.org" stands for one level.',
        example='["mail.example.org"]',
    )
    certificate: str = setting(
        PATH, doc="Certificate chain, PEM.", example='"/etc/trekmail/tls/example.org.pem"'
    )
    key: str = setting(PATH, doc="Private key, PEM.", example='"/etc/trekmail/tls/example.org.key"')


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """Certificates and TLS versions; files are read again on SIGHUP and when they change."""

    certificate: str = setting(
        PATH,
        "",
        "Certificate chain, PEM, the host's own certificate first.",
        example='"/etc/trekmail/tls/fullchain.pem"',
    )
    key: str = setting(PATH, "", "Private key, PEM.", example='"/etc/trekmail/tls/privkey.pem"')
    minimum: str = setting(
        choice("TLSv1.2", "TLSv1.3"), "TLSv1.2", "The oldest version accepted (RFC 8996 retired 1.0 and 1.1)."
    )
    sni: tuple[SNIConfig, ...] = rows(SNIConfig)


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """
    Where to listen: lists of Twisted endpoint strings, such as "tcp:993", "tcp:993:interface=192.0.2.1" or
    "systemd:domain=INET:index=0".  TLS is added where the name implies it; an empty list turns a service off.
    """

    imaps: tuple[str, ...] = setting(ENDPOINTS, ("tcp:993",), "IMAP with implicit TLS.")
    imap: tuple[str, ...] = setting(
        ENDPOINTS, (), "IMAP with STARTTLS; logins only after it.  Usually tcp:143."
    )
    submissions: tuple[str, ...] = setting(ENDPOINTS, ("tcp:465",), "Mail submission with implicit TLS.")
    submission: tuple[str, ...] = setting(
        ENDPOINTS, ("tcp:587",), "Mail submission with STARTTLS; logins only after it."
    )
    smtp: tuple[str, ...] = setting(
        ENDPOINTS, (), "Reception of mail from the Internet, usually tcp:25; off behind another MTA."
    )
    lmtp: tuple[str, ...] = setting(
        ENDPOINTS,
        ("unix:/run/trekmail/lmtp",),
        "Reception from an MTA in front.  Never open it to the outside.",
    )
    https: tuple[str, ...] = setting(ENDPOINTS, ("tcp:443",), "Calendars, contacts and automatic set-up.")
    http: tuple[str, ...] = setting(ENDPOINTS, (), "Redirects to https, nothing else.  Usually tcp:80.")
    control: tuple[str, ...] = setting(
        ENDPOINTS,
        ("unix:/run/trekmail/control:mode=600",),
        "trekctl's socket: who can open it is the administrator.",
    )
    metrics: tuple[str, ...] = setting(
        ENDPOINTS, (), "Prometheus metrics over plain HTTP, such as tcp:9100:interface=127.0.0.1."
    )


@dataclass(frozen=True, slots=True)
class IMAPConfig:
    """IMAP sessions."""

    idle_timeout: int = setting(
        DURATION,
        30 * MINUTE,
        "Silence after which a logged-in connection is closed; IDLE counts as silence of the client.",
        at_least=30 * MINUTE,
        at_most=DAY,
        because="RFC 9051 §5.4",
    )
    login_timeout: int = setting(DURATION, MINUTE, "Time to log in.", at_least=10, at_most=HOUR)
    heartbeat: int = setting(
        DURATION,
        2 * MINUTE,
        "Interval of the untagged OK sent during IDLE, so that no address translator on the way forgets us.",
        at_least=10,
        at_most=29 * MINUTE,
    )
    max_line: int = setting(
        SIZE,
        64 * KB,
        "Longest command line, literals not counted.",
        at_least=8 * KB,
        at_most=MB,
        because="RFC 7162 §4",
    )
    max_message: int = setting(
        SIZE, 50 * MB, "Largest message of APPEND, the largest literal at all.", at_least=64 * KB, at_most=GB
    )
    max_nesting: int = setting(
        COUNT, 50, "Parentheses inside parentheses in one command.", at_least=10, at_most=200
    )
    max_list: int = setting(
        COUNT, 32768, "Items of one list or sequence set in one command.", at_least=1000, at_most=1_000_000
    )
    max_output_buffer: int = setting(
        SIZE,
        256 * KB,
        "Unsent octets on one connection before work for it pauses.",
        at_least=16 * KB,
        at_most=64 * MB,
    )
    max_auth_failures: int = setting(
        COUNT, 3, "Failed logins before the connection is closed.", at_least=1, at_most=20
    )


@dataclass(frozen=True, slots=True)
class SMTPConfig:
    """Mail submission and reception, LMTP included."""

    max_message: int = setting(
        SIZE, 50 * MB, "Largest message.", at_least=64 * KB, at_most=GB, because="RFC 5321 §4.5.3.1.7"
    )
    max_recipients: int = setting(
        COUNT, 100, "Recipients of one message.", at_least=100, at_most=10_000, because="RFC 5321 §4.5.3.1.8"
    )
    max_errors: int = setting(
        COUNT, 20, "Refused commands before the connection is closed.", at_least=3, at_most=1000
    )
    max_auth_failures: int = setting(
        COUNT, 3, "Failed logins before the connection is closed.", at_least=1, at_most=20
    )
    command_timeout: int = setting(
        DURATION,
        5 * MINUTE,
        "Wait for the next command.",
        at_least=5 * MINUTE,
        at_most=HOUR,
        because="RFC 5321 §4.5.3.2.7",
    )
    data_timeout: int = setting(
        DURATION,
        5 * MINUTE,
        "Wait for the next piece of a message.",
        at_least=3 * MINUTE,
        at_most=HOUR,
        because="RFC 5321 §4.5.3.2.5",
    )
    login_timeout: int = setting(
        DURATION, MINUTE, "Time to log in on submission, TLS included.", at_least=10, at_most=HOUR
    )
    max_received: int = setting(
        COUNT,
        100,
        "Received fields that mark a mail loop.",
        at_least=50,
        at_most=1000,
        because="RFC 5321 §6.3",
    )
    require_own_sender: bool = setting(
        SWITCH,
        True,
        "Submitted mail must carry a sender address of the account, in the transaction and in From.",
    )
    hide_client_address: bool = setting(
        SWITCH, True, "Leave the submitting client's network address out of the Received field."
    )
    max_hold: int = setting(
        DURATION,
        30 * DAY,
        "How far ahead submitted mail may be dated to leave (FUTURERELEASE); 0 = not offered.",
        at_most=365 * DAY,
    )


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """How mail is kept."""

    backend: str = setting(
        NAME,
        "sqlite",
        'Where mail is stored: "sqlite", "memory" (lost at exit, for trials), or a plugin\'s name.',
    )
    engine: str = setting(
        choice("auto", "apsw", "sqlite3"),
        "auto",
        'SQLite through apsw (faster) or Python\'s own module; "auto" takes apsw when it is installed.',
    )
    open_databases: int = setting(COUNT, 200, "Account databases kept open.", at_least=8, at_most=100_000)
    reader_threads: int = setting(COUNT, 4, "Threads for long reads.", at_least=1, at_most=64)
    writer_threads: int = setting(
        COUNT, 4, "Threads for commits; one account has one writer at a time.", at_least=1, at_most=64
    )
    body_file_threshold: int = setting(
        SIZE,
        64 * KB,
        "Messages larger than this are files of their own beside the database.",
        at_least=4 * KB,
        at_most=64 * MB,
    )
    text_index: bool = setting(
        SWITCH,
        True,
        "Index the text of messages, so that a search need not read them; takes two to three times the text's size.",
    )
    max_mailboxes: int = setting(COUNT, 10_000, "Mailboxes of one account.", at_least=100, at_most=1_000_000)
    max_keywords: int = setting(
        COUNT, 0, "Different keywords in one mailbox; 0 is no limit.", at_least=0, at_most=100_000
    )


@dataclass(frozen=True, slots=True)
class DAVConfig:
    """Calendars, contacts and files over HTTPS."""

    max_file: int = setting(
        SIZE, 100 * MB, "Largest file of the file area.", at_least=MB, at_most=16 * GB
    )
    max_item: int = setting(
        SIZE,
        10 * MB,
        "Largest calendar entry or contact, photos and attachments included.",
        at_least=100 * KB,
        at_most=100 * MB,
    )
    max_xml: int = setting(SIZE, 4 * MB, "Largest XML request.", at_least=64 * KB, at_most=64 * MB)
    max_locks: int = setting(COUNT, 200, "Locks that one account holds at once.", at_least=10, at_most=10_000)
    directory_book: str = setting(
        choice("domain", "all", "off"),
        "domain",
        "Whom the directory's address book and a search for people show: the domains of one's own addresses, "
        "everybody, or nobody.",
    )
    max_attendees: int = setting(
        COUNT, 500, "People whom one entry may invite; each of them gets a copy.", at_least=10, at_most=2000
    )
    free_busy: str = setting(
        choice("domain", "host", "shared"),
        "domain",
        "Who may ask when an account is busy: accounts of its domain, all of this host, or those that it lets know.",
    )
    invitations_by_mail: bool = setting(
        SWITCH, True, "Enter invitations and answers that come by mail into calendars, where their sender is verified."
    )
    lock_time: int = setting(
        DURATION, HOUR, "How long a lock lasts at most before it has to be renewed.", at_least=MINUTE, at_most=7 * DAY
    )


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The log, on standard error or where twistd's --logfile says."""

    format: str = setting(choice("text", "json"), "text", "One line per event as text, or as a JSON object.")
    level: str = setting(
        choice("debug", "info", "warn", "error"), "info", "The least grave events that are written."
    )


@dataclass(frozen=True, slots=True)
class Config:
    """
    TrekMail's configuration.
    """

    server: ServerConfig = table(ServerConfig)
    tls: TLSConfig = table(TLSConfig)
    listen: ListenConfig = table(ListenConfig)
    directory: DirectoryConfig = table(DirectoryConfig)
    plans: Mapping[str, PlanConfig] = named(PlanConfig, PLANS)
    limits: LimitsConfig = table(LimitsConfig)
    login: LoginConfig = table(LoginConfig)
    imap: IMAPConfig = table(IMAPConfig)
    smtp: SMTPConfig = table(SMTPConfig)
    reception: ReceptionConfig = table(ReceptionConfig)
    queue: QueueConfig = table(QueueConfig)
    dns: DNSConfig = table(DNSConfig)
    mta_sts: MTASTSConfig = table(MTASTSConfig)
    relay: RelayConfig = table(RelayConfig)
    dav: DAVConfig = table(DAVConfig)
    store: StoreConfig = table(StoreConfig)
    plugins: Mapping[str, Mapping[str, object]] = foreign(
        "Settings of plugins, each under the plugin's name; the plugin's own documentation has the keys.",
        "[plugins.people]",
        'file = "/etc/trekmail/people.json"',
    )
    log: LogConfig = table(LogConfig)
