"""The engine: a model package becomes something that can be called with a Volume."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
