//! Test pictures for the media scenario.

use std::io::Cursor;

use anyhow::Result;
use image::{ImageFormat, Rgb, RgbImage};

/// Size in pixels: larger than every usual thumbnail.
const WIDTH: u32 = 1024;
const HEIGHT: u32 = 768;

/// A PNG that looks like a photograph to a codec: smooth areas with a little noise. Each `seed` gives another
/// picture, so that no server can answer one upload from another.
pub fn png(seed: u32) -> Result<Vec<u8>> {
    let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let noise = noise(x + y * WIDTH + seed * WIDTH * HEIGHT) & 7;
        let shade = |value: u32| ((value + noise) & 255) as u8;
        Rgb([shade(x / 5), shade(y / 4), shade((x + y) / 9 + seed)])
    });
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}

/// A well-mixing integer hash.
fn noise(value: u32) -> u32 {
    let value = (value ^ (value >> 16)).wrapping_mul(0x45d9_f3b5);
    let value = (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d);
    value ^ (value >> 16)
}
