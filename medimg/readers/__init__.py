"""Read scans: what lies in a folder becomes studies and series with a verdict each, and volumes in their true place."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
