"""What a study's result becomes on disk: one file of this room an object, each for other eyes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
