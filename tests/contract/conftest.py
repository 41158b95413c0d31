"""
Contract tests are coroutines; they run in the C{reactor} fixture of their suite.
"""

from __future__ import annotations

import inspect

import pytest

from tests.fakes.running import PumpedReactor

pytest.register_assert_rewrite(
    "tests.contract.storecase",
    "tests.contract.store_accounts",
    "tests.contract.store_changes",
    "tests.contract.store_listing",
    "tests.contract.store_mailboxes",
    "tests.contract.store_messages",
    "tests.contract.store_search",
)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test that has the C{reactor} fixture."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    reactor = pyfuncitem.funcargs.get("reactor")
    if not isinstance(reactor, PumpedReactor):
        return None
    reactor.run(pyfuncitem.obj(**arguments))
    return True
