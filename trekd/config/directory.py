"""
The directory's part of the schema: where accounts and passwords are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trekd.config.fields import rows, setting, table
from trekd.config.kinds import COUNT, DURATION, LDAP_URIS, NAME, PATH, SWITCH, TEXT, choice

_CARD = {
    "attr_given_name": "givenName",
    "attr_family_name": "sn",
    "attr_work_phone": "telephoneNumber",
    "attr_home_phone": "homePhone",
    "attr_cell_phone": "mobile",
    "attr_fax": "facsimileTelephoneNumber",
    "attr_organization": "o",
    "attr_unit": "ou",
    "attr_title": "title",
    "attr_street": "street",
    "attr_locality": "l",
    "attr_region": "st",
    "attr_postal_code": "postalCode",
    "attr_country": "",
    "attr_note": "",
    "attr_photo": "jpegPhoto",
}
"""What the address list tells of inetOrgPerson entries (RFC 2798).  Notes are often not meant for everybody."""

PRESETS: Mapping[str, Mapping[str, str]] = {
    "trekmail": {
        "filter": "(&(objectClass=inetOrgPerson)(|(mail={user})(trekAlias={user})))",
        "recipient_filter": "(&(objectClass=inetOrgPerson)(|(mail={addr})(trekAlias={addr})))",
        "group_filter": "(&(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))"
        "(|(mail={addr})(trekAlias={addr})))",
        "attr_mail": "mail",
        "attr_name": "cn",
        "attr_alias": "trekAlias",
        "attr_sender": "trekSender",
        "attr_quota": "trekQuotaBytes",
        "attr_plan": "trekPlan",
        "attr_status": "trekAccountStatus",
        "attr_subscription": "trekSubscription",
        "attr_groups": "memberOf",
        "attr_member": "member",
        "attr_forward": "trekForward",
        "attr_forward_to": "trekForward",
        "attr_delivery_mode": "trekDeliveryMode",
        "attr_vacation": "trekVacation",
        **_CARD,
    },
    "inetorgperson": {
        "filter": "(&(objectClass=inetOrgPerson)(mail={user}))",
        "recipient_filter": "(&(objectClass=inetOrgPerson)(mail={addr}))",
        "group_filter": "(&(objectClass=groupOfNames)(mail={addr}))",
        "attr_mail": "mail",
        "attr_name": "cn",
        "attr_alias": "",
        "attr_sender": "",
        "attr_quota": "",
        "attr_plan": "",
        "attr_status": "",
        "attr_subscription": "",
        "attr_groups": "memberOf",
        "attr_member": "member",
        "attr_forward": "",
        "attr_forward_to": "",
        "attr_delivery_mode": "",
        "attr_vacation": "",
        **_CARD,
    },
    "qmail-ldap": {
        "filter": "(&(objectClass=qmailUser)(|(mail={user})(mailAlternateAddress={user})))",
        "recipient_filter": "(&(objectClass=qmailUser)(|(mail={addr})(mailAlternateAddress={addr})))",
        "group_filter": "(&(objectClass=qmailGroup)(|(mail={addr})(mailAlternateAddress={addr})))",
        "attr_mail": "mail",
        "attr_name": "cn",
        "attr_alias": "mailAlternateAddress",
        "attr_sender": "",
        "attr_quota": "mailQuotaSize",
        "attr_plan": "",
        "attr_status": "accountStatus",
        "attr_subscription": "",
        "attr_groups": "memberOf",
        "attr_member": "dnMember",
        "attr_forward": "rfc822Member",
        "attr_forward_to": "mailForwardingAddress",
        "attr_delivery_mode": "deliveryMode",
        "attr_vacation": "mailReplyText",
        **_CARD,
    },
    "active-directory": {
        "filter": "(&(objectCategory=person)(objectClass=user)"
        "(|(mail={user})(userPrincipalName={user})(proxyAddresses=smtp:{user}))"
        "(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
        "recipient_filter": "(&(objectCategory=person)(objectClass=user)"
        "(|(mail={addr})(userPrincipalName={addr})(proxyAddresses=smtp:{addr})))",
        "group_filter": "(&(objectClass=group)(|(mail={addr})(proxyAddresses=smtp:{addr})))",
        "attr_mail": "mail",
        "attr_name": "displayName",
        "attr_alias": "proxyAddresses",
        "attr_sender": "",
        "attr_quota": "mDBOverHardQuotaLimit",
        "attr_plan": "",
        "attr_status": "userAccountControl",
        "attr_subscription": "",
        "attr_groups": "memberOf",
        "attr_member": "member",
        "attr_forward": "",
        "attr_forward_to": "",
        "attr_delivery_mode": "",
        "attr_vacation": "",
        **_CARD,
        "attr_organization": "company",
        "attr_unit": "department",
        "attr_street": "streetAddress",
        "attr_country": "co",
        "attr_photo": "thumbnailPhoto",
    },
}
"""Preset name to the defaults it gives; the loader puts them under the keys that are written."""

_DEFAULT = PRESETS["trekmail"]


@dataclass(frozen=True, slots=True)
class LocalDirectoryConfig:
    """The embedded directory: accounts in a file of ours, managed with trekctl account."""

    file: str = setting(PATH, "", 'Its SQLite file; "" = directory.sqlite in data_dir.')
    default_plan: str = setting(NAME, "nano", "Plan of a new account when none is given.")
    hash_threads: int = setting(
        COUNT,
        2,
        "Passwords verified at once; each takes 19 MiB and some 30 ms of a core.",
        at_least=1,
        at_most=32,
    )
    cache_ttl: int = setting(
        DURATION,
        300,
        "How long a verified password is remembered, in memory, as a keyed digest.",
        at_most=3600,
    )
    cache_negative_ttl: int = setting(DURATION, 10, "How long a wrong password is remembered.", at_most=60)
    scram_iterations: int = setting(
        COUNT,
        50_000,
        "Iterations of the keys that are kept for SCRAM when [login] mechanisms has it: what stealing them costs a "
        "guesser, and each login of the client.  Clients on Cyrus SASL refuse more than 65536.",
        at_least=4096,
        at_most=1_000_000,
        because="RFC 7677 §4",
    )


@dataclass(frozen=True, slots=True)
class LDAPPlanConfig:
    """A plan for the members of a group."""

    group: str = setting(
        TEXT, doc="The group's DN, compared as a DN.", example='"cn=plan-pro,ou=groups,dc=example,dc=com"'
    )
    plan: str = setting(NAME, doc="The plan of its members.", example='"pro"')


@dataclass(frozen=True, slots=True)
class LDAPConfig:
    """The organisation's LDAP directory, used when backend = "ldap"."""

    uris: tuple[str, ...] = setting(
        LDAP_URIS,
        (),
        "Servers, tried in this order.",
        example='["ldaps://ldap1.example.com", "ldaps://ldap2.example.com"]',
    )
    starttls: bool = setting(
        SWITCH, False, "With ldap:// URIs: switch to TLS before anything else; required, never only tried."
    )
    tls_ca_file: str = setting(
        PATH,
        "/etc/ssl/certs/ca-certificates.crt",
        "Authorities that may sign the servers' certificates, PEM.",
    )
    tls_verify: bool = setting(
        SWITCH, True, "Verify the servers' certificates.  Turning it off is logged as a warning."
    )
    allow_cleartext: bool = setting(SWITCH, False, "Allow ldap:// without TLS to other hosts than this one.")
    bind_dn: str = setting(
        TEXT,
        "",
        "Service account for searches; empty = anonymous.",
        example='"cn=trekmail,ou=services,dc=example,dc=com"',
    )
    bind_password_file: str = setting(
        PATH, "", "File with its password; readable by trekmail alone.", example='"/etc/trekmail/ldap.secret"'
    )
    base: str = setting(TEXT, "", "Where searches start.", example='"ou=people,dc=example,dc=com"')
    scope: str = setting(choice("base", "onelevel", "subtree"), "subtree", "How deep searches go.")
    auth: str = setting(
        choice("search-bind", "template"),
        "search-bind",
        "Find the entry, then bind as it; or bind as user_dn_template directly.",
    )
    user_dn_template: str = setting(
        TEXT,
        "",
        'For auth = "template": {user}, {local} and {domain} stand for parts of the address.',
        example='"uid={local},ou=people,dc=example,dc=com"',
    )
    preset: str = setting(
        choice(*PRESETS),
        "trekmail",
        "Defaults for filter, recipient_filter and attr_*; keys written override it.",
    )
    filter: str = setting(
        TEXT,
        _DEFAULT["filter"],
        "Finds the entry of a login; {user} (or %u) is the full address, {local} (%n) and {domain} (%d) its parts.",
    )
    recipient_filter: str = setting(
        TEXT, _DEFAULT["recipient_filter"], "Finds the account that receives mail for {addr}."
    )
    group_filter: str = setting(
        TEXT, _DEFAULT["group_filter"], "Finds the distribution list of {addr}; empty = there are none."
    )
    group_base: str = setting(
        TEXT,
        "",
        "Where searches for distribution lists start; empty = base.",
        example='"ou=groups,dc=example,dc=com"',
    )
    catch_all: bool = setting(
        SWITCH, False, "Mail for an address that nobody has goes to the account that has @DOMAIN as an address."
    )
    attr_mail: str = setting(
        TEXT, _DEFAULT["attr_mail"], "Attribute with the account's address; its first value names the mailbox."
    )
    attr_name: str = setting(TEXT, _DEFAULT["attr_name"], "Attribute with the name for people; empty = none.")
    attr_alias: str = setting(TEXT, _DEFAULT["attr_alias"], "Attribute with further addresses; empty = none.")
    attr_sender: str = setting(
        TEXT, _DEFAULT["attr_sender"], "Attribute with further addresses to send from; empty = none."
    )
    attr_quota: str = setting(TEXT, _DEFAULT["attr_quota"], "Attribute with the quota; empty = the plan's.")
    attr_plan: str = setting(TEXT, _DEFAULT["attr_plan"], "Attribute with the plan's name; empty = by group.")
    attr_status: str = setting(
        TEXT,
        _DEFAULT["attr_status"],
        "Attribute that says active, suspended or disabled; empty = all active.",
    )
    attr_subscription: str = setting(
        TEXT, _DEFAULT["attr_subscription"], "Attribute with the subscription id; empty = none."
    )
    attr_groups: str = setting(
        TEXT, _DEFAULT["attr_groups"], "Attribute with the DNs of the entry's groups; empty = none."
    )
    attr_member: str = setting(
        TEXT,
        _DEFAULT["attr_member"],
        "Attribute of distribution lists with their members' DNs, or memberUid with their uids; empty = none.",
    )
    attr_forward: str = setting(
        TEXT, _DEFAULT["attr_forward"], "Attribute of distribution lists with further members' addresses; empty = none."
    )
    attr_forward_to: str = setting(
        TEXT,
        _DEFAULT["attr_forward_to"],
        "Attribute with addresses to which an account's mail is forwarded; empty = none.",
    )
    attr_delivery_mode: str = setting(
        TEXT,
        _DEFAULT["attr_delivery_mode"],
        'Attribute that says "nolocal" (or "forwardonly") where no copy of what is forwarded stays, and "reply" where '
        "attr_vacation is the answer to what comes; empty = none.",
    )
    attr_vacation: str = setting(
        TEXT,
        _DEFAULT["attr_vacation"],
        "Attribute with the text of the automatic answer; empty = none.",
    )
    attr_given_name: str = setting(
        TEXT, _DEFAULT["attr_given_name"], "Address list: attribute with the given name; empty = none."
    )
    attr_family_name: str = setting(
        TEXT, _DEFAULT["attr_family_name"], "Address list: attribute with the family name; empty = none."
    )
    attr_work_phone: str = setting(
        TEXT, _DEFAULT["attr_work_phone"], "Address list: attribute with telephone numbers at work; empty = none."
    )
    attr_home_phone: str = setting(
        TEXT, _DEFAULT["attr_home_phone"], "Address list: attribute with telephone numbers at home; empty = none."
    )
    attr_cell_phone: str = setting(
        TEXT, _DEFAULT["attr_cell_phone"], "Address list: attribute with mobile numbers; empty = none."
    )
    attr_fax: str = setting(TEXT, _DEFAULT["attr_fax"], "Address list: attribute with fax numbers; empty = none.")
    attr_organization: str = setting(
        TEXT, _DEFAULT["attr_organization"], "Address list: attribute with the organisation's name; empty = none."
    )
    attr_unit: str = setting(TEXT, _DEFAULT["attr_unit"], "Address list: attribute with the department; empty = none.")
    attr_title: str = setting(TEXT, _DEFAULT["attr_title"], "Address list: attribute with the job title; empty = none.")
    attr_street: str = setting(
        TEXT, _DEFAULT["attr_street"], "Address list: attribute with street and number; empty = none."
    )
    attr_locality: str = setting(
        TEXT, _DEFAULT["attr_locality"], "Address list: attribute with the town; empty = none."
    )
    attr_region: str = setting(
        TEXT, _DEFAULT["attr_region"], "Address list: attribute with the state or province; empty = none."
    )
    attr_postal_code: str = setting(
        TEXT, _DEFAULT["attr_postal_code"], "Address list: attribute with the postal code; empty = none."
    )
    attr_country: str = setting(
        TEXT, _DEFAULT["attr_country"], "Address list: attribute with the country; empty = none."
    )
    attr_note: str = setting(
        TEXT, _DEFAULT["attr_note"], "Address list: attribute with a note that everybody may read; empty = none."
    )
    attr_photo: str = setting(
        TEXT, _DEFAULT["attr_photo"], "Address list: attribute with a JPEG picture of at most 256 KiB; empty = none."
    )
    default_plan: str = setting(NAME, "nano", "Plan of entries without one.")
    plans: tuple[LDAPPlanConfig, ...] = rows(LDAPPlanConfig)
    connections: int = setting(COUNT, 4, "Threads, each with its own connections.", at_least=1, at_most=32)
    connect_timeout: int = setting(DURATION, 2, "Time to connect to one server.", at_least=1, at_most=60)
    receive_timeout: int = setting(DURATION, 5, "Time a server has to answer.", at_least=1, at_most=60)
    retry_down_after: int = setting(
        DURATION, 30, "How long a server that failed is passed over.", at_least=1, at_most=3600
    )
    cache_ttl: int = setting(
        DURATION,
        300,
        "How long a verified password is remembered, in memory, as a keyed digest.",
        at_most=3600,
    )
    cache_negative_ttl: int = setting(DURATION, 10, "How long a wrong password is remembered.", at_most=60)
    cache_stale_max: int = setting(
        DURATION,
        0,
        "How long a remembered password still counts while no server answers; 0 = not at all.",
        at_most=7 * 86400,
    )


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """Where accounts live."""

    backend: str = setting(NAME, "local", '"local" (embedded), "ldap", or the name of a directory plugin.')
    max_waiting: int = setting(
        COUNT,
        200,
        "Logins that may wait for the directory before more are told to try later.",
        at_least=1,
        at_most=100_000,
    )
    local: LocalDirectoryConfig = table(LocalDirectoryConfig)
    ldap: LDAPConfig = table(LDAPConfig)
