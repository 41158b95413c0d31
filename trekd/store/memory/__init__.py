"""
The store that keeps everything in memory and loses it at exit: for trials and tests (C{store.backend = "memory"}).

Entry point: L{trekd.store.memory.provider.MemoryStoreProvider}.  All of it runs in the reactor's thread; each change
is made between two awaits, so it is atomic, and calls are serialised by being synchronous.
"""
