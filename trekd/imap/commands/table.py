"""
All commands: where they are allowed, where they are specified, what does them.
"""

from __future__ import annotations

from trekd.imap.commands import (
    append,
    authenticate,
    capability,
    copy,
    enable,
    expunge,
    fetch,
    identify,
    idle,
    listing,
    login,
    logout,
    mailboxes,
    namespace,
    noop,
    quota,
    search,
    select,
    starttls,
    status,
    store,
)
from trekd.imap.commands.row import AFTER_LOGIN, ANY_STATE, BEFORE_LOGIN, SELECTED, Row
from trekd.imap.grammar import commands as grammar

ROWS: dict[type[grammar.Command], Row] = {
    grammar.Capability: Row(ANY_STATE, "RFC 3501 §6.1.1", capability.capability),
    grammar.Noop: Row(ANY_STATE, "RFC 3501 §6.1.2", noop.noop),
    grammar.Logout: Row(ANY_STATE, "RFC 3501 §6.1.3", logout.logout),
    grammar.Id: Row(ANY_STATE, "RFC 2971 §3.1", identify.identify),
    grammar.StartTLS: Row(BEFORE_LOGIN, "RFC 3501 §6.2.1", starttls.starttls),
    grammar.Authenticate: Row(BEFORE_LOGIN, "RFC 3501 §6.2.2", authenticate.authenticate),
    grammar.Login: Row(BEFORE_LOGIN, "RFC 3501 §6.2.3", login.login),
    grammar.Enable: Row(AFTER_LOGIN, "RFC 5161 §3.1", enable.enable),
    grammar.Select: Row(AFTER_LOGIN, "RFC 3501 §6.3.1", select.select),
    grammar.Examine: Row(AFTER_LOGIN, "RFC 3501 §6.3.2", select.examine),
    grammar.Create: Row(AFTER_LOGIN, "RFC 3501 §6.3.3", mailboxes.create),
    grammar.Delete: Row(AFTER_LOGIN, "RFC 3501 §6.3.4", mailboxes.delete),
    grammar.Rename: Row(AFTER_LOGIN, "RFC 3501 §6.3.5", mailboxes.rename),
    grammar.Subscribe: Row(AFTER_LOGIN, "RFC 3501 §6.3.6", mailboxes.subscribe),
    grammar.Unsubscribe: Row(AFTER_LOGIN, "RFC 3501 §6.3.7", mailboxes.unsubscribe),
    grammar.List: Row(AFTER_LOGIN, "RFC 3501 §6.3.8, RFC 5258 §3", listing.list_mailboxes),
    grammar.Lsub: Row(AFTER_LOGIN, "RFC 3501 §6.3.9", listing.lsub),
    grammar.XList: Row(AFTER_LOGIN, "quirk lsub-special-use", listing.xlist),
    grammar.Namespace: Row(AFTER_LOGIN, "RFC 2342 §5", namespace.namespace),
    grammar.Status: Row(AFTER_LOGIN, "RFC 3501 §6.3.10", status.status),
    grammar.GetQuota: Row(AFTER_LOGIN, "RFC 9208 §4.1.1", quota.get_quota),
    grammar.GetQuotaRoot: Row(AFTER_LOGIN, "RFC 9208 §4.1.2", quota.get_quota_root),
    grammar.SetQuota: Row(AFTER_LOGIN, "RFC 9208 §4.1.3", quota.set_quota),
    grammar.Append: Row(AFTER_LOGIN, "RFC 3501 §6.3.11", append.append),
    grammar.Idle: Row(AFTER_LOGIN, "RFC 2177 §3", idle.idle),
    grammar.Check: Row(SELECTED, "RFC 3501 §6.4.1", noop.check),
    grammar.Close: Row(SELECTED, "RFC 3501 §6.4.2", select.close),
    grammar.Unselect: Row(SELECTED, "RFC 3691 §2", select.unselect),
    grammar.Expunge: Row(SELECTED, "RFC 3501 §6.4.3", expunge.expunge),
    grammar.UidExpunge: Row(SELECTED, "RFC 4315 §2.1", expunge.uid_expunge),
    grammar.Search: Row(SELECTED, "RFC 3501 §6.4.4", search.search, by_seq=True),
    grammar.Fetch: Row(SELECTED, "RFC 3501 §6.4.5", fetch.fetch, by_seq=True),
    grammar.Store: Row(SELECTED, "RFC 3501 §6.4.6", store.store, by_seq=True),
    grammar.Copy: Row(SELECTED, "RFC 3501 §6.4.7", copy.copy),
    grammar.Move: Row(SELECTED, "RFC 6851 §3.1", copy.move),
}
