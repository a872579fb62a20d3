"""Measure an outline in the patient: volume, diameters, Hounsfield units."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
