"""The flow over a real store: what is delivered is there, whole."""

from pathlib import Path

from twisted.internet.task import Clock

from tests.fakes.postoffice import FakeDirectory, run_here
from tests.fakes.profiles import FakeProfiles
from tests.unit.queue.support import ALICE, BOB, MESSAGE, FakeSigner, address, run
from trekd.config.schema import PLANS, ServerConfig
from trekd.errors import OverQuota
from trekd.mime.reader import MimeReader
from trekd.portal.plans import Plans
from trekd.queue.delivery import LocalDelivery
from trekd.queue.flow import MailFlow, Outward
from trekd.queue.interfaces import MailTransaction, Recipient
from trekd.queue.routing import LOCAL, Routing
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.queue.suppression import Suppressions
from trekd.queue.usage import UsageLedger
from trekd.queue.usagefile import UsageFile
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore
from trekd.values import INBOX


class Reactor(Clock):
    """A clock that runs what other threads would hand over."""

    def callFromThread(self, function: object, *args: object) -> None:
        function(*args)  # type: ignore[operator]


def test_a_message_reaches_the_mailboxes_and_quota_counts(tmp_path: Path) -> None:
    clock = Reactor()
    store = MemoryStore(MimeReader(), clock, Limits(100, 100))
    file = SpoolFile(tmp_path, 10)
    file.open()
    server = ServerConfig(hostname="mail.example.com", domains=("example.com",))
    plans = Plans(PLANS)
    routing = Routing(FakeDirectory(ALICE, BOB), server, plans, FakeProfiles())
    counted = UsageFile(tmp_path / "usage.sqlite")
    counted.open()
    usage = UsageLedger(counted, plans, clock, run_here)  # type: ignore[arg-type]
    spool = Spool(file, run_here)
    outward = Outward(spool, FakeSigner(), Suppressions(spool, 0, clock), usage)  # type: ignore[arg-type]
    flow = MailFlow(routing, LocalDelivery(store, plans), outward, clock)  # type: ignore[arg-type]
    recipients = tuple(Recipient(address(f"{name}@example.com"), LOCAL) for name in ("bob", "alice"))
    for turn in range(2):
        sink = flow.receive()
        sink.write(MESSAGE + b"x" * 500)
        outcomes = run(flow.accept(MailTransaction(None, recipients), sink))
        sink.discard()
        assert outcomes[0].failure is None
        assert isinstance(outcomes[1].failure, OverQuota) is bool(turn)
    for account, total in ((BOB, 2), (ALICE, 1)):
        box = run(store.open(account.principal, 1000))
        assert run(box.mailbox(INBOX)).total == total
        assert run(box.check()) == ()
