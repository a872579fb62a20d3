"""Volumes and masks to and from the images of other libraries, with their place in the patient kept exactly."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
