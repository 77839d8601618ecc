//! Ranges of IP addresses, and whether an address lies in one that nobody may be sent to.

use serde::de::{self, Deserialize, Deserializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of IP addresses in CIDR notation, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    /// The first address.
    pub address: IpAddr,
    /// How many leading bits are fixed.
    pub prefix: u8,
}

impl IpRange {
    /// Whether the address lies in the range. An IPv4 address lies in IPv4 ranges only.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        let free = width - u32::from(self.prefix).min(width);
        // Shifting everything out is not defined for the widest range.
        (ours ^ theirs).checked_shr(free).unwrap_or_default() == 0
    }
}

impl FromStr for IpRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a range of addresses; write for example \"10.0.0.0/8\"");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > longest { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<'de> Deserialize<'de> for IpRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The ranges to which nothing that somebody else named may connect.
#[derive(Debug, Clone, Default)]
pub struct Denied(Vec<IpRange>);

impl Denied {
    /// From a list of ranges; an empty one allows everything.
    pub fn new(ranges: Vec<IpRange>) -> Self {
        Self(ranges)
    }

    /// Loopback, private, link-local, shared, documentation and multicast ranges of both families.
    pub fn usual() -> Vec<IpRange> {
        USUAL.iter().filter_map(|range| range.parse().ok()).collect()
    }

    /// Whether a connection to the address is refused. An IPv6 address that carries an IPv4 address
    /// is refused if either of them is: what it is translated to on the way counts.
    pub fn refuses(&self, address: IpAddr) -> bool {
        let refused = |address: IpAddr| self.0.iter().any(|range| range.contains(address));
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => carried(address),
        };
        refused(address) || carried.is_some_and(|carried| refused(IpAddr::V4(carried)))
    }
}

const USUAL: [&str; 20] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// The IPv4 address inside an IPv6 one: mapped and compatible addresses (RFC 4291), NAT64 (RFC
/// 6052), 6to4 (RFC 3056).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            Some(join(g, h))
        }
        [0x2002, ..] => Some(join(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn denied(ranges: &[&str]) -> Denied {
        Denied::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    #[test]
    fn ranges_have_an_address_and_a_fitting_prefix() {
        for text in ["10.0.0.0/8", "::1/128", "0.0.0.0/0"] {
            assert_eq!(text.parse::<IpRange>().map(|range| range.to_string()), Ok(text.to_owned()));
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "ten/8", "10.0.0.0/-1"] {
            assert!(text.parse::<IpRange>().is_err(), "{text}");
        }
        assert_eq!(Denied::usual().len(), USUAL.len());
    }

    #[test]
    fn the_usual_ranges_hold_everything_inside_and_nothing_outside() {
        let usual = Denied::new(Denied::usual());
        for inside in [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "10.9.8.7",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            // Carriers of IPv4 addresses.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "::ffff:0:192.168.0.1",
        ] {
            assert!(usual.refuses(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "172.32.0.1",
            "126.255.255.255",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(!usual.refuses(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn the_widest_ranges_hold_everything_of_their_family() {
        assert!(denied(&["0.0.0.0/0"]).refuses("8.8.8.8".parse().unwrap()));
        assert!(!denied(&["0.0.0.0/0"]).refuses("2606::1".parse().unwrap()));
        assert!(denied(&["::/0"]).refuses("2606::1".parse().unwrap()));
        assert!(!denied(&[]).refuses("127.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn a_range_holds_what_shares_its_leading_bits(address: u32, other: u32, prefix in 0_u8..=32) {
            let range = IpRange { address: IpAddr::V4(address.into()), prefix };
            let same = (0..u32::from(prefix)).all(|bit| (address ^ other) >> (31 - bit) & 1 == 0);
            prop_assert_eq!(range.contains(IpAddr::V4(other.into())), same);
        }
    }
}
