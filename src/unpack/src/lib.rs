//! The first code of an image in long mode: places, decompresses and maps the core.
#![no_std]
