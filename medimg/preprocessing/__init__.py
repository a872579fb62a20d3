"""Steps on volumes: each a function, Volume first, options after it, a new Volume (or Mask) back."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
