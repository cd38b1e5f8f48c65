//! What a boot loader hands over to an image that it was loaded by, as media and `lkrn` are.

pub(crate) use image::handed_over;
