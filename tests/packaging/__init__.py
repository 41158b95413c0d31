"""The packages that people install: built, installed where nothing of the checkout is seen, started, removed."""
