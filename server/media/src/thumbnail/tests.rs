//! Thumbnails of generated pictures, and of files that only claim to be pictures.

use super::decode::{MAX_MEMORY, open};
use super::render::{Rendered, render};
use super::size::{VARIANTS, Wanted};
use crate::kind::Kind;
use crate::tests::{house, read};
use image::codecs::{gif::GifEncoder, png::PngDecoder};
use image::{DynamicImage, Frame, ImageDecoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use kontor_model::{Code, Result};
use std::io::Cursor;
use std::sync::Mutex;
use std::time::Duration;

/// A picture whose left half is red and whose right half is blue.
fn picture(width: u32, height: u32) -> DynamicImage {
    let half = |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    RgbImage::from_fn(width, height, half).into()
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    written(&picture(width, height), ImageFormat::Png)
}

fn moving_gif(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.encode_frame(Frame::new(picture(width, height).to_rgba8())).unwrap();
    encoder.encode_frame(Frame::new(RgbaImage::new(width, height))).unwrap();
    drop(encoder);
    bytes
}

fn made(bytes: &[u8], width: i64, height: i64, method: &str, animated: bool) -> Result<Rendered> {
    let wanted = Wanted::new(width, height, Some(method), animated).unwrap();
    render(Cursor::new(bytes), Kind::of(bytes), wanted, &Mutex::default())
}

fn seen(rendered: Result<Rendered>) -> DynamicImage {
    match rendered.unwrap() {
        Rendered::Jpeg(bytes) => image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).unwrap(),
        Rendered::Png(bytes) => image::load_from_memory_with_format(&bytes, ImageFormat::Png).unwrap(),
        Rendered::Original => panic!("the picture itself"),
    }
}

fn is_red(pixel: &Rgb<u8>) -> bool {
    pixel.0[0] > 200 && pixel.0[2] < 60
}

fn is_blue(pixel: &Rgb<u8>) -> bool {
    pixel.0[2] > 200 && pixel.0[0] < 60
}

#[test]
fn every_format_is_made_small() {
    let large = picture(1000, 500);
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let bytes = written(&large, format);
        let small = seen(made(&bytes, 320, 240, "scale", false)).to_rgb8();
        assert_eq!(small.dimensions(), (320, 160), "{format:?}");
        assert!(is_red(small.get_pixel(5, 80)) && is_blue(small.get_pixel(315, 80)), "{format:?}");
        let small = seen(made(&bytes, 96, 96, "crop", false)).to_rgb8();
        assert_eq!(small.dimensions(), (96, 96), "{format:?}");
        assert!(is_red(small.get_pixel(5, 48)) && is_blue(small.get_pixel(90, 48)), "{format:?}");
    }
}

#[test]
fn a_small_picture_serves_as_its_own_thumbnail() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let bytes = written(&picture(64, 48), format);
        for (width, height, method) in [(320, 240, "scale"), (96, 96, "crop"), (9_000, 9_000, "scale")] {
            let rendered = made(&bytes, width, height, method, false);
            assert!(matches!(rendered, Ok(Rendered::Original)), "{format:?} {width} {method}");
        }
    }
}

#[test]
fn a_moving_picture_stands_still_unless_asked_for() {
    let bytes = moving_gif(64, 48);
    assert_eq!(seen(made(&bytes, 320, 240, "scale", false)).to_rgb8().dimensions(), (64, 48));
    assert!(matches!(made(&bytes, 320, 240, "scale", true), Ok(Rendered::Original)));
    let large = moving_gif(640, 480);
    let first = seen(made(&large, 320, 240, "scale", true)).to_rgb8();
    assert!(is_red(first.get_pixel(5, 5)), "the first frame");
}

#[test]
fn what_is_transparent_stays_so() {
    let mut glass = RgbaImage::from_pixel(400, 400, Rgba([9, 9, 9, 255]));
    let opaque = written(&glass.clone().into(), ImageFormat::Png);
    assert!(matches!(made(&opaque, 96, 96, "crop", false), Ok(Rendered::Jpeg(_))));
    for x in 0..400 {
        glass.put_pixel(x, 0, Rgba([0, 0, 0, 0]));
    }
    let bytes = written(&glass.into(), ImageFormat::Png);
    assert!(matches!(made(&bytes, 96, 96, "crop", false), Ok(Rendered::Png(_))));
}

#[test]
fn cameras_held_upright_make_upright_thumbnails() {
    let plain = written(&picture(1000, 500), ImageFormat::Jpeg);
    // Orientation 6: to be turned clockwise by a quarter, so the left half comes to the top.
    let note = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let bytes = [&plain[..2], note, &plain[2..]].concat();
    let small = seen(made(&bytes, 320, 240, "scale", false)).to_rgb8();
    assert_eq!(small.dimensions(), (120, 240));
    assert!(is_red(small.get_pixel(60, 10)) && is_blue(small.get_pixel(60, 230)));
    // Also when nothing is to be made smaller, or cut.
    let tiny = written(&picture(100, 50), ImageFormat::Jpeg);
    let bytes = [&tiny[..2], note, &tiny[2..]].concat();
    assert_eq!(seen(made(&bytes, 320, 240, "scale", false)).to_rgb8().dimensions(), (50, 100));
    assert_eq!(seen(made(&bytes, 32, 32, "crop", false)).to_rgb8().dimensions(), (32, 32));
}

/// Writes the size into the header of a picture, so that it claims to be larger than it is.
fn claiming(mut bytes: Vec<u8>, kind: Kind, width: u32, height: u32) -> Vec<u8> {
    match kind {
        Kind::Png => {
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            let sum = crc(&bytes[12..29]).to_be_bytes();
            bytes[29..33].copy_from_slice(&sum);
        }
        Kind::Gif => {
            bytes[6..8].copy_from_slice(&(width as u16).to_le_bytes());
            bytes[8..10].copy_from_slice(&(height as u16).to_le_bytes());
        }
        _ => {
            let at = bytes.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
            bytes[at + 5..at + 7].copy_from_slice(&(height as u16).to_be_bytes());
            bytes[at + 7..at + 9].copy_from_slice(&(width as u16).to_be_bytes());
        }
    }
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
        }
    }
    !sum
}

#[test]
fn bombs_are_refused_before_they_are_decoded() {
    let small = picture(16, 16);
    let sixteen: DynamicImage = image::ImageBuffer::<Rgba<u16>, Vec<u16>>::new(16, 16).into();
    for (picture, format, width, height) in [
        (&small, ImageFormat::Png, 2_000_000_000, 2_000_000_000),
        (&small, ImageFormat::Png, 60_000, 60_000),
        (&small, ImageFormat::Png, 39_000, 39_000),
        (&sixteen, ImageFormat::Png, 6_000, 6_000),
        (&small, ImageFormat::Gif, 65_535, 65_535),
        (&small, ImageFormat::Gif, 7_000, 7_000),
        (&small, ImageFormat::Jpeg, 65_535, 65_535),
        (&small, ImageFormat::Jpeg, 9_000, 9_000),
    ] {
        let bytes = written(picture, format);
        let kind = Kind::of(&bytes);
        let bytes = claiming(bytes, kind, width, height);
        let refused = open(Cursor::new(&bytes), kind).err().unwrap();
        assert_eq!(refused.code, Code::TooLarge, "{format:?} {width}: {refused:?}");
    }
}

/// A WebP file with a canvas of 64 to 64 pixels and these parts.
fn webp(flags: u8, parts: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
    let mut bytes = b"RIFF\xff\xff\0\0WEBPVP8X\x0a\0\0\0".to_vec();
    bytes.extend([flags, 0, 0, 0, 63, 0, 0, 63, 0, 0]);
    for (name, length, content) in parts {
        bytes.extend(*name);
        bytes.extend(length.to_le_bytes());
        bytes.extend(*content);
    }
    bytes
}

#[test]
fn parts_of_webp_files_that_claim_too_much_are_refused() {
    let frame = b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f".as_slice();
    let inside = [&[0; 16], b"VP8 \x0a\0\0\0".as_slice(), frame].concat();
    for bytes in [
        webp(0, &[(b"VP8 ", 10, frame)]),
        webp(2, &[(b"ANIM", 6, &[0; 6]), (b"ANMF", 34, &inside)]),
        webp(8, &[(b"VP8L", 5, b"\x2f\x3f\xc0\x0f\0\0"), (b"EXIF", u32::MAX, b"")]),
        webp(8, &[(b"VP8L", 6, b"\x2f\x3f\xc0\x0f\0\0"), (b"EXIF", 1 << 30, b"")]),
    ] {
        let refused = open(Cursor::new(&bytes), Kind::Webp).err().unwrap();
        assert_eq!(refused.code, Code::TooLarge, "{refused:?}");
    }
}

#[test]
fn a_note_that_unpacks_to_much_is_left_packed() {
    // A colour profile of zeros: a block of the packed form is 1,000 times as long when unpacked.
    let mut packed = b"x\0\0\x78\x01".to_vec();
    let mut bits = DeflateZeros::default();
    bits.write(40_000_000);
    packed.extend(bits.bytes);
    let mut chunk = b"iCCP".to_vec();
    chunk.extend(packed);
    let plain = png(16, 16);
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    let sum = crc(&chunk).to_be_bytes();
    let bytes = [&plain[..33], &length, &chunk, &sum, &plain[33..]].concat();
    let unpacked = PngDecoder::new(Cursor::new(&bytes)).unwrap().icc_profile().unwrap();
    assert!(unpacked.is_some_and(|profile| profile.len() > 39_000_000), "the bomb itself");
    let mut opened = open(Cursor::new(&bytes), Kind::Png).unwrap();
    assert_eq!(opened.profile(), None);
}

/// Writes zeros in the packed form: one block with fixed codes, runs of 258.
#[derive(Default)]
struct DeflateZeros {
    bytes: Vec<u8>,
    bit: u32,
}

impl DeflateZeros {
    fn put(&mut self, value: u32, count: u32) {
        for at in 0..count {
            if self.bit.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= (((value >> at) & 1) as u8) << (self.bit % 8);
            self.bit += 1;
        }
    }

    fn write(&mut self, zeros: u32) {
        self.put(0b011, 3);
        // Literal 0: code 00110000, written from its highest bit.
        self.put(0b0000_1100, 8);
        for _ in 0..zeros / 258 {
            // Length 258: code 11000101; distance 1: code 00000.
            self.put(0b1010_0011, 8);
            self.put(0, 5);
        }
        self.put(0, 7);
        // Adler-32 of so many zeros.
        let sum = ((1 + zeros / 258 * 258) % 65_521) << 16 | 1;
        self.bytes.extend(sum.to_be_bytes());
    }
}

#[test]
fn a_progressive_picture_is_estimated_at_what_it_takes() {
    let baseline = written(&picture(16, 16), ImageFormat::Jpeg);
    let memory = |bytes: &[u8]| open(Cursor::new(bytes), Kind::Jpeg).map(|opened| opened.memory);
    let plain = memory(&claiming(baseline.clone(), Kind::Jpeg, 5_000, 5_000)).unwrap();
    assert!((75_000_000..MAX_MEMORY).contains(&plain), "{plain}");
    let mut progressive = claiming(baseline, Kind::Jpeg, 5_000, 5_000);
    let at = progressive.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    progressive[at + 1] = 0xc2;
    assert_eq!(memory(&progressive).unwrap_err().code, Code::TooLarge);
    // A scan for each colour: the first one names a single component of three.
    let mut single = claiming(written(&picture(16, 16), ImageFormat::Jpeg), Kind::Jpeg, 5_000, 5_000);
    let at = single.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    single[at + 3..at + 5].copy_from_slice(&[8, 1]);
    single.drain(at + 7..at + 11);
    assert_eq!(memory(&single).unwrap_err().code, Code::TooLarge);
}

#[test]
fn broken_pictures_are_refused_or_read_as_far_as_they_go_but_break_nothing() {
    let glass = DynamicImage::from(RgbaImage::from_pixel(40, 30, Rgba([1, 2, 3, 4])));
    let mut whole =
        vec![moving_gif(40, 30), written(&glass, ImageFormat::WebP), written(&glass, ImageFormat::Png)];
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        whole.push(written(&picture(40, 30), format));
    }
    let mut tried = 0;
    let mut attempt = |bytes: &[u8]| {
        let _ = made(bytes, 32, 32, "crop", false);
        tried += 1;
    };
    for bytes in &whole {
        for length in 0..bytes.len().min(400) {
            attempt(&bytes[..length]);
        }
        for at in 0..bytes.len().min(200) {
            for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(1)] {
                let mut broken = bytes.clone();
                broken[at] = value;
                attempt(&broken);
            }
        }
        // Of every pair of formats: the beginning of one, the rest of the other.
        for other in &whole {
            for cut in [4, 12, 33, 60] {
                attempt(&[&bytes[..cut.min(bytes.len())], &other[cut.min(other.len())..]].concat());
            }
        }
    }
    assert!(tried > 8_000, "{tried}");
}

#[test]
fn headers_known_to_trouble_decoders_break_nothing() {
    let table: [&[u8]; 18] = [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xda",
        b"\xff\xd8\xff\xc0\0\x02",
        b"\xff\xd8\xff\xc0\0\x11\x08\0\0\0\0\x03\x01\x22\0\x02\x11\x01\x03\x11\x01",
        b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\xff\xff\xff\xda\0\x08\x01\x01\0\0\x3f\0",
        b"\xff\xd8\xff\xe1\0\0\xff\xe1\xff\xff",
        b"\xff\xd8\xff\xff\xff\xff\xff\xff\xff\xd9",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR",
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\0\x08\x06\0\0\0\0\0\0\0",
        b"GIF89a",
        b"GIF89a\xff\xff\xff\xff\xff\xff\xff",
        b"GIF89a\x01\0\x01\0\0\0\0,\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0c\xff",
        b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff\x2f\xff\xff\xff\xff",
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\xff\xff\xff\xff\xff\xffANIM\0\0\0\0",
        b"RIFF\x1a\0\0\0WEBPVP8 \x0e\0\0\0\x30\x01\0\x9d\x01\x2a\xff\x3f\xff\x3f\0\0",
    ];
    for bytes in table {
        for kind in [Kind::Jpeg, Kind::Png, Kind::Gif, Kind::Webp, Kind::Text] {
            let wanted = Wanted::new(32, 32, None, false).unwrap();
            let refused = render(Cursor::new(bytes), kind, wanted, &Mutex::default()).unwrap_err();
            let expected = matches!(refused.code, Code::Unprocessable | Code::TooLarge);
            assert!(expected, "{bytes:?} as {kind:?}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn thumbnails_are_made_once_and_kept() {
    let house = house().await;
    let id = house.upload(&png(1000, 500)).await;
    let found = house.media.find("example.org", &id, Duration::ZERO).await.unwrap();
    let wanted = Wanted::new(320, 240, None, false).unwrap();
    let (one, two) =
        tokio::join!(house.media.thumbnail(&found, wanted), house.media.thumbnail(&found, wanted));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.content_type, one.ending, &one.tag), ("image/jpeg", ".jpg", &two.tag));
    let bytes = read(one.content).await;
    assert_eq!(bytes, read(two.content).await);
    assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgb8().dimensions(), (320, 160));
    // As many files as variants at most, whatever is asked for.
    for width in (1..2_000).step_by(37) {
        for method in ["crop", "scale"] {
            let wanted = Wanted::new(width, 1_200 - width / 2, Some(method), true).unwrap();
            house.media.thumbnail(&found, wanted).await.unwrap();
        }
    }
    assert!(house.files().len() <= 1 + VARIANTS.len());
}

#[tokio::test]
async fn a_file_that_is_no_picture_has_no_thumbnail() {
    let house = house().await;
    let wanted = Wanted::new(32, 32, None, false).unwrap();
    for bytes in [&b"text"[..], b"\x89PNG\r\n\x1a\nbroken", b""] {
        let id = house.upload(bytes).await;
        let found = house.media.find("example.org", &id, Duration::ZERO).await.unwrap();
        for _ in 0..2 {
            let refused = house.media.thumbnail(&found, wanted).await.err().unwrap();
            assert_eq!(refused.code, Code::Unprocessable);
        }
    }
}
