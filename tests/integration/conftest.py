"""Runs of a whole training take one thread each."""

from tests.kit import one_thread as one_thread
