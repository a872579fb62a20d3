"""Runs: one study end to end, batches of them, and what is known of a folder without running anything."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
