from .key_image import draw_key_image as draw_key_image
from .key_slice import draw_crop as draw_crop
from .key_slice import draw_slice as draw_slice
from .overview import draw_overview as draw_overview
