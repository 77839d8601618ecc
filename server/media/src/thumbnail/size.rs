//! Which small pictures exist: a fixed, short list, so that nobody can make the server fill its
//! disk with sizes; and how a picture fits into one of them.

use kontor_model::{Error, Result};

/// How a picture is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The whole picture, as large as it fits.
    Scale,
    /// As much as fills the size, cut at the edges.
    Crop,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Least width, pixels.
    pub width: u32,
    /// Least height, pixels.
    pub height: u32,
    /// How to fit.
    pub method: Method,
    /// Whether a moving picture may stay one.
    pub animated: bool,
}

/// One of the small pictures that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// How the picture is fitted.
    pub method: Method,
}

const fn scale(width: u32, height: u32) -> Variant {
    Variant { width, height, method: Method::Scale }
}

const fn crop(width: u32, height: u32) -> Variant {
    Variant { width, height, method: Method::Crop }
}

/// All of them, smallest first: those that the specification names, and what clients on screens
/// with more dots ask for. The last one is for everything larger: the picture in its own size.
pub const VARIANTS: [Variant; 13] = [
    crop(32, 32),
    crop(96, 96),
    crop(192, 192),
    crop(320, 240),
    crop(320, 320),
    crop(640, 480),
    crop(640, 640),
    crop(800, 600),
    scale(320, 240),
    scale(640, 480),
    scale(800, 600),
    scale(1600, 1200),
    scale(u32::MAX, u32::MAX),
];

/// Up to this edge, pixels, a picture is an avatar: too small to read anything in it.
const AVATAR: u32 = 96;

impl Wanted {
    /// Checks a client's numbers.
    ///
    /// # Errors
    /// `InvalidParam` unless both are positive and the method is `crop`, `scale` or absent.
    pub fn new(width: i64, height: i64, method: Option<&str>, animated: bool) -> Result<Self> {
        let method = match method {
            None | Some("scale") => Method::Scale,
            Some("crop") => Method::Crop,
            Some(_) => return Err(Error::invalid_param("The method of a thumbnail is crop or scale.")),
        };
        if width <= 0 || height <= 0 {
            return Err(Error::invalid_param("Width and height of a thumbnail are positive numbers."));
        }
        let pixels = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Self { width: pixels(width), height: pixels(height), method, animated })
    }

    /// The smallest variant that is not smaller than asked for. A crop that none covers is scaled:
    /// the client cuts it.
    pub fn variant(self) -> Variant {
        let covers = |variant: &&Variant| variant.width >= self.width && variant.height >= self.height;
        let by_method = |method| VARIANTS.iter().filter(move |variant| variant.method == method).find(covers);
        let variant = by_method(self.method).or_else(|| by_method(Method::Scale));
        *variant.unwrap_or(&scale(u32::MAX, u32::MAX))
    }
}

/// Which part of a picture becomes which size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Size of the whole picture made small.
    pub scaled: (u32, u32),
    /// Size of the part in its middle that is kept.
    pub kept: (u32, u32),
}

impl Variant {
    /// Part of the name of the file.
    pub(crate) fn word(self) -> String {
        let Self { width, height, method } = self;
        match method {
            Method::Crop => format!("{width}x{height}c"),
            Method::Scale if width == u32::MAX => "still".to_owned(),
            Method::Scale => format!("{width}x{height}s"),
        }
    }

    /// Whether seeing it is as good as seeing the picture itself.
    pub fn is_readable(self) -> bool {
        self.width > AVATAR || self.height > AVATAR
    }

    /// Fits a picture of `width` to `height` pixels. Never larger than the picture.
    pub(crate) fn plan(self, width: u32, height: u32) -> Plan {
        let ratio = |wanted: u32, have: u32| f64::from(wanted) / f64::from(have.max(1));
        let (across, down) = (ratio(self.width, width), ratio(self.height, height));
        let factor = match self.method {
            Method::Scale => across.min(down),
            Method::Crop => across.max(down),
        };
        if factor >= 1.0 {
            return Plan { scaled: (width, height), kept: (width.min(self.width), height.min(self.height)) };
        }
        // Rounded, then between 1 and the old size: a cast of such a number is exact.
        let shrunk = |have: u32| (f64::from(have) * factor).round().clamp(1.0, f64::from(have)) as u32;
        let scaled = (shrunk(width), shrunk(height));
        Plan { scaled, kept: (scaled.0.min(self.width), scaled.1.min(self.height)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(width: i64, height: i64, method: &str) -> Variant {
        Wanted::new(width, height, Some(method), false).unwrap().variant()
    }

    #[test]
    fn a_variant_is_never_smaller_than_asked_for() {
        assert_eq!(wanted(32, 32, "crop"), crop(32, 32));
        assert_eq!(wanted(33, 1, "crop"), crop(96, 96));
        assert_eq!(wanted(300, 200, "crop"), crop(320, 240));
        assert_eq!(wanted(200, 700, "crop"), scale(1600, 1200), "no crop covers it");
        assert_eq!(wanted(1, 1, "scale"), scale(320, 240));
        assert_eq!(wanted(800, 600, "scale"), scale(800, 600));
        assert_eq!(wanted(801, 600, "scale"), scale(1600, 1200));
        assert_eq!(wanted(5_000_000_000, 1, "scale"), scale(u32::MAX, u32::MAX));
    }

    #[test]
    fn wrong_numbers_are_refused() {
        for (width, height, method) in [(0, 1, None), (1, 0, None), (-5, 5, None), (1, 1, Some("squeeze"))] {
            assert!(Wanted::new(width, height, method, false).is_err());
        }
    }

    #[test]
    fn pictures_fit() {
        for (variant, picture, scaled, kept) in [
            (scale(320, 240), (3200, 1200), (320, 120), (320, 120)),
            (scale(320, 240), (100, 100), (100, 100), (100, 100)),
            (scale(320, 240), (10_000, 1), (320, 1), (320, 1)),
            (crop(96, 96), (960, 480), (192, 96), (96, 96)),
            (crop(96, 96), (1000, 50), (1000, 50), (96, 50)),
            (crop(96, 96), (20, 20), (20, 20), (20, 20)),
        ] {
            assert_eq!(variant.plan(picture.0, picture.1), Plan { scaled, kept }, "{variant:?} {picture:?}");
        }
    }

    #[test]
    fn names_of_variants_are_different() {
        let words: std::collections::HashSet<_> = VARIANTS.iter().map(|variant| variant.word()).collect();
        assert_eq!(words.len(), VARIANTS.len());
    }

    proptest! {
        #[test]
        fn no_picture_is_made_larger_or_empty(width in 1..70_000_u32, height in 1..70_000_u32) {
            for variant in VARIANTS {
                let Plan { scaled, kept } = variant.plan(width, height);
                prop_assert!(scaled.0 <= width && scaled.1 <= height);
                prop_assert!(kept.0 <= scaled.0.min(variant.width) && kept.1 <= scaled.1.min(variant.height));
                prop_assert!(kept.0 > 0 && kept.1 > 0);
            }
        }
    }
}
