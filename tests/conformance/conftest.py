"""PyTorch with one thread, as in tests/reference."""

from unmask.tests.reference.conftest import one_thread  # noqa: F401
