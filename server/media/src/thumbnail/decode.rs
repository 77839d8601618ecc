//! Opening a picture from a stranger: what it would take is estimated from its header, and a picture
//! that would take too much is never decoded.

use super::headers::{jpeg_keeps_coefficients, webp_is_sound};
use crate::kind::Kind;
use image::codecs::{gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, Limits};
use kontor_model::{Code, Error, Result};
use std::io::{BufRead, Seek, SeekFrom};

/// Largest picture, pixels.
pub(crate) const MAX_PIXELS: u64 = 64_000_000;

/// Largest edge, pixels.
const MAX_EDGE: u32 = 40_000;

/// Memory for what a PNG file carries beside the picture, bytes.
const MAX_NOTES: u64 = 16 << 20;

/// Memory that decoding one picture may take, bytes.
pub(crate) const MAX_MEMORY: u64 = 160 << 20;

/// A picture whose header was read.
pub(crate) struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    /// How the camera was held.
    pub orientation: Orientation,
    /// Whether it may be a moving picture.
    pub moves: bool,
    /// Bytes that decoding will take, roughly.
    pub memory: u64,
}

/// Reads the header of a picture.
///
/// # Errors
/// `Unprocessable` when it is none that can be read, `TooLarge` when it is over the limits.
pub(crate) fn open<'a, R: BufRead + Seek + 'a>(mut reader: R, kind: Kind) -> Result<Opened<'a>> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EDGE);
    limits.max_image_height = Some(MAX_EDGE);
    limits.max_alloc = Some(MAX_MEMORY);
    let file_size = reader.seek(SeekFrom::End(0)).map_err(Error::internal)?;
    reader.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
    // Per pixel beyond the decoded picture itself, and in all.
    let (mut decoder, moves, per_pixel, fixed): (Box<dyn ImageDecoder + 'a>, bool, u64, u64) = match kind {
        Kind::Jpeg => {
            let keeps = jpeg_keeps_coefficients(&mut reader).map_err(Error::internal)?;
            reader.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
            let decoder = JpegDecoder::new(reader).map_err(refusal)?;
            // Two bytes for each coefficient of up to four components. The whole file is in memory.
            (Box::new(decoder), false, if keeps { 8 } else { 0 }, file_size)
        }
        Kind::Png => {
            // This limit is for rows and notes only; the picture itself is reckoned below.
            let mut notes = limits.clone();
            notes.max_alloc = Some(MAX_NOTES);
            let decoder = PngDecoder::with_limits(reader, notes).map_err(refusal)?;
            let moves = decoder.is_apng().map_err(refusal)?;
            (Box::new(decoder), moves, 0, 0)
        }
        Kind::Gif => (Box::new(GifDecoder::new(reader).map_err(refusal)?), true, 4, 0),
        Kind::Webp => {
            if !webp_is_sound(&mut reader, MAX_PIXELS / 4).map_err(Error::internal)? {
                return Err(too_large());
            }
            reader.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
            let decoder = WebPDecoder::new(reader).map_err(refusal)?;
            let moves = decoder.has_animation();
            (Box::new(decoder), moves, 8, 0)
        }
        _ => return Err(unprocessable()),
    };
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let memory = decoder.total_bytes().saturating_add(pixels.saturating_mul(per_pixel)).saturating_add(fixed);
    if pixels == 0 {
        return Err(unprocessable());
    }
    if pixels > MAX_PIXELS || memory > MAX_MEMORY {
        return Err(too_large());
    }
    decoder.set_limits(limits).map_err(refusal)?;
    // Broken notes about the orientation do not make the picture unreadable.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Opened { decoder, orientation, moves, memory })
}

impl Opened<'_> {
    /// Width and height as the picture is seen.
    pub fn seen_size(&self) -> (u32, u32) {
        let (width, height) = self.decoder.dimensions();
        if is_turned(self.orientation) { (height, width) } else { (width, height) }
    }

    #[cfg(test)]
    pub fn profile(&mut self) -> Option<Vec<u8>> {
        self.decoder.icc_profile().unwrap()
    }

    /// Decodes the picture (a moving one: its first frame) as it is stored.
    pub fn decode(self) -> Result<DynamicImage> {
        DynamicImage::from_decoder(self.decoder).map_err(refusal)
    }
}

/// Whether the picture is seen lying on its side.
pub(crate) fn is_turned(orientation: Orientation) -> bool {
    use Orientation as O;
    matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH)
}

fn refusal(error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => too_large().because(error),
        // A file that ends early is broken, not the disk.
        other => unprocessable().because(other),
    }
}

fn too_large() -> Error {
    Error::new(Code::TooLarge, "The picture is too large to make a thumbnail of it. Download it instead.")
}

/// The refusal of a file of which no small picture can be made.
pub(crate) fn unprocessable() -> Error {
    Error::new(Code::Unprocessable, "No thumbnail can be made of this file. Download it instead.")
}
