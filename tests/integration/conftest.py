"""Runs of a whole training take one thread each, and one of them serves whoever needs any."""

from tests.integration.finished import finished as finished
from tests.kit import one_thread as one_thread
