//! Pictures without a library: PNGs whose data is stored and not compressed.

/// A PNG of this size in one colour per half.
pub(in crate::client) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut rows = Vec::new();
    for row in 0..height {
        rows.push(0);
        for _ in 0..width {
            rows.extend(if row < height / 2 { [200, 30, 30] } else { [30, 30, 200] });
        }
    }
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", stored(&rows)), (b"IEND", Vec::new())] {
        let length = u32::try_from(data.len()).expect("small");
        picture.extend(length.to_be_bytes());
        let mut chunk = kind.to_vec();
        chunk.extend(data);
        picture.extend(&chunk);
        picture.extend(crc32(&chunk).to_be_bytes());
    }
    picture
}

/// A zlib stream of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("a block");
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend(((b << 16) | a).to_be_bytes());
    stream
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Width and height of a PNG, JPEG or WebP, as far as these tests need them.
pub(super) fn size_of(picture: &[u8]) -> Option<(u32, u32)> {
    if picture.starts_with(b"\x89PNG") {
        let number = |at: usize| Some(u32::from_be_bytes(picture.get(at..at + 4)?.try_into().ok()?));
        return Some((number(16)?, number(20)?));
    }
    // JPEG: the frame header has height and width.
    let mut at = 2;
    while picture.starts_with(&[0xFF, 0xD8]) && at + 9 < picture.len() {
        let marker = picture[at + 1];
        let number = |at: usize| u32::from(picture[at]) << 8 | u32::from(picture[at + 1]);
        if (0xC0..=0xC2).contains(&marker) {
            return Some((number(at + 7), number(at + 5)));
        }
        at += 2 + number(at + 2) as usize;
    }
    None
}
