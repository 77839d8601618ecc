//! Making a picture small. Pure computation on a file that is open: no names, no folders.

use super::decode::{is_turned, open, unprocessable};
use super::size::{Method, Plan, Wanted};
use crate::kind::Kind;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder};
use kontor_model::Result;
use std::io::{BufRead, Seek};
use std::sync::{Mutex, PoisonError};

/// Quality of JPEG thumbnails, percent.
const QUALITY: u8 = 82;

/// Pictures that take more memory than this, bytes, are decoded one at a time.
const LARGE: u64 = 64 << 20;

/// What became of a picture.
#[derive(Debug)]
pub enum Rendered {
    /// It is no larger than asked for: it serves as its own thumbnail.
    Original,
    /// A JPEG.
    Jpeg(Vec<u8>),
    /// A PNG: something in it is transparent.
    Png(Vec<u8>),
}

/// Makes a picture small. `one_large` is shared by all who render at the same time.
///
/// # Errors
/// `Unprocessable` when it cannot be read, `TooLarge` when it is over the limits.
pub fn render<R: BufRead + Seek>(
    reader: R,
    kind: Kind,
    wanted: Wanted,
    one_large: &Mutex<()>,
) -> Result<Rendered> {
    let opened = open(reader, kind)?;
    let orientation = opened.orientation;
    let (width, height) = opened.seen_size();
    let plan = wanted.variant().plan(width, height);
    let still = !opened.moves || wanted.animated;
    if plan.kept == (width, height) && still && orientation == Orientation::NoTransforms {
        return Ok(Rendered::Original);
    }
    let _alone = (opened.memory > LARGE).then(|| one_large.lock().unwrap_or_else(PoisonError::into_inner));
    let picture = shrink(opened.decode()?, orientation, plan);
    drop(_alone);
    let picture = if wanted.variant().method == Method::Crop { middle(picture, plan) } else { picture };
    encode(&picture)
}

fn shrink(picture: DynamicImage, orientation: Orientation, plan: Plan) -> DynamicImage {
    let (width, height) = plan.scaled;
    let (width, height) = if is_turned(orientation) { (height, width) } else { (width, height) };
    let mut picture = picture;
    if (picture.width(), picture.height()) != (width, height) {
        // Averaging is quick but coarse near the final size, so it goes only to twice of that.
        let (coarse_width, coarse_height) = (width.saturating_mul(2), height.saturating_mul(2));
        if picture.width() > coarse_width && picture.height() > coarse_height {
            picture = picture.thumbnail_exact(coarse_width, coarse_height);
        }
        picture = picture.resize_exact(width, height, FilterType::Triangle);
    }
    picture.apply_orientation(orientation);
    picture
}

fn middle(picture: DynamicImage, plan: Plan) -> DynamicImage {
    let (width, height) = plan.kept;
    let left = picture.width().saturating_sub(width) / 2;
    let top = picture.height().saturating_sub(height) / 2;
    picture.crop_imm(left, top, width, height)
}

fn encode(picture: &DynamicImage) -> Result<Rendered> {
    let mut bytes = Vec::new();
    let failed = |cause| unprocessable().because(cause);
    if picture.color().has_alpha() {
        let rgba = picture.to_rgba8();
        if rgba.pixels().any(|pixel| pixel.0.last() != Some(&u8::MAX)) {
            let (width, height) = rgba.dimensions();
            PngEncoder::new(&mut bytes)
                .write_image(&rgba, width, height, image::ExtendedColorType::Rgba8)
                .map_err(failed)?;
            return Ok(Rendered::Png(bytes));
        }
    }
    let rgb = picture.to_rgb8();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&rgb).map_err(failed)?;
    Ok(Rendered::Jpeg(bytes))
}
