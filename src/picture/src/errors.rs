//! What can go wrong with pictures.

base::errors! {
    /// Neither a signature of PNG nor the head of an anymap.
    UNKNOWN = "PICT-01", "the file is no picture that is known here", "make it a PNG or a PNM";
    /// The size or the pixels are not to be had.
    DAMAGED = "PICT-02", "the picture is damaged or incomplete", "look at the file on the server";
    /// More pixels than any screen has.
    TOO_LARGE = "PICT-03", "the picture has too many pixels", "make it as large as the screen, at most 16 million pixels";
}
