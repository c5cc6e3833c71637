#!/usr/bin/env python3
"""Prints the table of tests/unit/test_wan_picture.c: what Pillow makes of a made-up picture.

Needs Pillow before 12 (later ones may take the two passes in the other order) and NumPy."""

import numpy as np
from PIL import Image, __version__

assert int(__version__.split(".")[0]) < 12, __version__
CASES = [(100, 80, 64, 96), (80, 100, 96, 64), (64, 64, 64, 64), (333, 217, 128, 96), (97, 200, 32, 64),
         (200, 97, 64, 32), (31, 33, 160, 160), (512, 24, 64, 64), (640, 480, 64, 32)]


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 29 + (x * y) % 17 * 11 + (x // 9 + y // 7) % 2 * 90) & 255).astype(np.uint8)


for width, height, to_width, to_height in CASES:
    image = Image.fromarray(picture(width, height))
    scale = max(to_width / width, to_height / height)
    image = image.resize((round(width * scale), round(height * scale)), Image.LANCZOS)
    left, top = (image.width - to_width) // 2, (image.height - to_height) // 2
    image = image.crop((left, top, left + to_width, top + to_height))
    digest = 2166136261
    for byte in np.asarray(image).tobytes():  # FNV-1a, rows of RGB
        digest = (digest ^ byte) * 16777619 & 0xFFFFFFFF
    print(f"    {{ {width}, {height}, {to_width}, {to_height}, 0x{digest:08x} }},")
