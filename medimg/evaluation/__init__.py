"""Figures with intervals: how good outlines, scores and detections are. Metrics are MONAI's and scikit-learn's."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
