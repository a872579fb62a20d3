"""Draw key slices for people: grey values, outline, evidence, millimetres, and which side is which."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
