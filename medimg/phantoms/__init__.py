"""Scans that nobody had to be scanned for: made from numbers, the same on every machine, with the truth known."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
