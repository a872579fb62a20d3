"""The values that flow through medimg: frozen, LPS millimetres, arrays (slice, row, column)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
