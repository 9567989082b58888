"""PyTorch with one thread, as in tests/reference."""

from unmask.tests.reference.conftest import one_thread  # noqa: F401  # a fixture of this package, too
