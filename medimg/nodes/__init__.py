"""Nodes that results go to and scans come from: PACS over DIMSE, archives over DICOMweb."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
