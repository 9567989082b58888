"""PyTorch with one thread, as in tests/reference; and pytest run in pytest."""

from unmask.tests.reference.conftest import one_thread  # noqa: F401

pytest_plugins = ["pytester"]
