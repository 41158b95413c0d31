"""Rewritten senders lead back, and nothing that others write raises or is believed."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trekd.errors import SyntaxFault
from trekd.filters.srs import SenderRewriting
from trekd.smtp.grammar.paths import mailbox, write_mailbox
from trekd.values import Address

FEW = settings(max_examples=150, deadline=None)
NOW = 1_700_000_000.0
OURS = SenderRewriting(b"a" * 32)

locals_ = st.one_of(
    st.text(min_size=1, max_size=80),
    st.from_regex(r"[sS][rR][sS][01][=+-][a-z2-7=]{0,30}[a-z.]{0,20}", fullmatch=True),
)
senders = st.builds(Address, locals_, st.sampled_from(["elsewhere.example", "münchen.example", "[192.0.2.1]"]))


@FEW
@given(senders, st.integers(0, 2**33))
def test_what_is_rewritten_leads_back(sender: Address, now: int) -> None:
    rewritten = OURS.rewrite(sender, "ours.example", now)
    assume(rewritten is not None)
    assert rewritten is not None and rewritten.domain == "ours.example"
    assert mailbox(write_mailbox(rewritten)) == rewritten
    again = OURS.restore(rewritten, now)
    if rewritten.local.startswith("SRS0="):
        assert again == sender
    else:
        assert again is not None and again.local.startswith("SRS0")


@FEW
@given(senders, st.floats(0, 1e10))
def test_garbage_is_nobody_and_raises_nothing(sender: Address, now: float) -> None:
    assert OURS.restore(sender, now) is None


@FEW
@given(st.text(max_size=100))
def test_an_ordinary_sender_is_always_rewritten(local: str) -> None:
    try:
        sender = mailbox(write_mailbox(Address(local, "elsewhere.example")))
    except SyntaxFault:
        return
    assume(not sender.local.lower().startswith("srs") and len(sender.local.encode()) < 100)
    assert OURS.rewrite(sender, "ours.example", NOW) is not None
