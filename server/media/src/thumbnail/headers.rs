//! Headers that decoders read without limits of their own, looked at before they do: which JPEG
//! files are kept in memory whole as coefficients, and what sizes the parts of a WebP file claim.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// More segments than any camera writes.
const MAX_SEGMENTS: u32 = 10_000;

/// Whether a JPEG file is decoded only after all of its coefficients are in memory: progressive
/// ones, and those with a scan for each colour. Whatever is unclear counts as yes.
pub(crate) fn jpeg_keeps_coefficients<R: BufRead + Seek>(reader: &mut R) -> io::Result<bool> {
    reader.seek(SeekFrom::Start(2))?;
    match first_scan_is_all(reader) {
        Ok(all) => Ok(!all),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether the first scan of a baseline file holds all of its components.
fn first_scan_is_all<R: BufRead + Seek>(reader: &mut R) -> io::Result<bool> {
    let mut components = 0;
    for _ in 0..MAX_SEGMENTS {
        let [0xff, marker] = bytes(reader)? else { return Ok(false) };
        match marker {
            // A filling byte: the second of the two may begin the marker.
            0xff => reader.seek_relative(-1)?,
            0x01 | 0xd0..=0xd7 => {}
            0xda => {
                let [_, _, scanned] = bytes(reader)?;
                return Ok(scanned == components && components > 0);
            }
            0xc0 | 0xc1 => {
                let [high, low, _, _, _, _, _, count] = bytes(reader)?;
                components = count;
                reader.seek_relative(i64::from(u16::from_be_bytes([high, low])) - 8)?;
            }
            0xc2..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => return Ok(false),
            _ => {
                let length = i64::from(u16::from_be_bytes(bytes(reader)?));
                reader.seek_relative(length.max(2) - 2)?;
            }
        }
    }
    Ok(false)
}

/// Whether no part of a WebP file claims to be longer than the file, and no lossy frame larger than
/// `canvas` (pixels). A file that ends within a part is sound so far: the decoder refuses it.
pub(crate) fn webp_is_sound<R: BufRead + Seek>(reader: &mut R, canvas: u64) -> io::Result<bool> {
    let end = reader.seek(SeekFrom::End(0))?;
    match parts_are_sound(reader, 12, end, end, canvas) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        other => other,
    }
}

fn parts_are_sound<R: BufRead + Seek>(
    reader: &mut R,
    from: u64,
    to: u64,
    end: u64,
    canvas: u64,
) -> io::Result<bool> {
    let mut at = from;
    while at < to {
        reader.seek(SeekFrom::Start(at))?;
        let name: [u8; 4] = bytes(reader)?;
        let length = u64::from(u32::from_le_bytes(bytes(reader)?));
        if length > end {
            return Ok(false);
        }
        let inside = at + 8;
        let sound = match &name {
            b"VP8 " => {
                let [_, _, _, _, _, _, w0, w1, h0, h1] = bytes(reader)?;
                let edge = |low, high| u64::from(u16::from_le_bytes([low, high]) & 0x3fff);
                edge(w0, w1) * edge(h0, h1) <= canvas
            }
            // A frame of a moving picture: its parts come after 16 bytes. They are not nested further.
            b"ANMF" if from == 12 => parts_are_sound(reader, inside + 16, inside + length, end, canvas)?,
            _ => true,
        };
        if !sound {
            return Ok(false);
        }
        at = inside + length + length % 2;
    }
    Ok(true)
}

fn bytes<const N: usize, R: Read>(reader: &mut R) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
