//! From descriptions and link units to the bytes of an image.

