"""
The table of commands: request, stages in which it is allowed, whether it needs a login, and what performs it.
"""

from __future__ import annotations

from collections.abc import Mapping

from trekd.smtp.commands.auth import auth
from trekd.smtp.commands.data import bdat, data
from trekd.smtp.commands.hello import hello
from trekd.smtp.commands.mail import mail, rcpt, rset
from trekd.smtp.commands.others import expn, help_, noop, quit_, vrfy
from trekd.smtp.commands.tls import starttls
from trekd.smtp.commands.xforward import xforward
from trekd.smtp.grammar import commands as grammar
from trekd.smtp.session import Row, Stage

_ALWAYS = frozenset(Stage)
_IDLE = frozenset({Stage.START, Stage.GREETED})
_GREETED = frozenset({Stage.GREETED})
_MAIL = frozenset({Stage.MAIL, Stage.RECIPIENTS})
_RECIPIENTS = frozenset({Stage.RECIPIENTS})

TABLE: Mapping[type, Row] = {
    grammar.Hello: Row(_ALWAYS, False, hello),
    grammar.Mail: Row(_GREETED, True, mail),
    grammar.Recipient: Row(_MAIL, True, rcpt),
    grammar.Data: Row(_RECIPIENTS, True, data),
    grammar.Chunk: Row(_ALWAYS, False, bdat),
    grammar.Reset: Row(_ALWAYS, False, rset),
    grammar.Noop: Row(_ALWAYS, False, noop),
    grammar.Verify: Row(_ALWAYS, False, vrfy),
    grammar.Expand: Row(_ALWAYS, False, expn),
    grammar.Help: Row(_ALWAYS, False, help_),
    grammar.Quit: Row(_ALWAYS, False, quit_),
    grammar.StartTLS: Row(_IDLE, False, starttls),
    grammar.Authenticate: Row(_GREETED, False, auth),
    grammar.Forward: Row(_IDLE, False, xforward),
}
"""BDAT is allowed always because its octets follow it in any case."""
