"""Saliency: where in the patient the evidence for a score lies. One file a method."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
