"""The version of the package, for those that must not import all of it."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
