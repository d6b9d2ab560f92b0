//! IP and hardware addresses, from ranges that belong to nobody: for documentation, benchmarks, private networks, carriers, and never given
//! out. First numbers lie on either side of a hundred, since small ones are those of versions too.

use super::plant::Plant;
use super::random::{HEX, Random, UPPER_HEX};
use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) fn v4(random: &mut Random) -> Ipv4Addr {
    let mut low = || random.next().to_le_bytes()[0];
    let (a, b, c) = (low(), low(), low().clamp(1, 254));
    match a % 16 {
        0 => Ipv4Addr::new(192, 0, 2, c),
        1 => Ipv4Addr::new(198, 51, 100, c),
        2 => Ipv4Addr::new(203, 0, 113, c),
        3 | 4 => Ipv4Addr::new(198, 18 + b % 2, b, c),
        5 | 6 => Ipv4Addr::new(172, 16 + b % 16, b, c),
        7 => Ipv4Addr::new(192, 168, b, c),
        8 => Ipv4Addr::new(100, 64 + b % 64, b, c),
        9 => Ipv4Addr::new(169, 254, b, c),
        10 => Ipv4Addr::new(240 + b % 15, a, b, c),
        _ => ten(random),
    }
}

/// An address of the private network whose first number is as small as that of a version; of half of them all are.
pub(crate) fn ten(random: &mut Random) -> Ipv4Addr {
    let mut low = || random.next().to_le_bytes()[0];
    let (a, b, c) = (low(), low(), low().clamp(1, 254));
    if a.is_multiple_of(2) {
        Ipv4Addr::new(10, b % 20, a % 40, 1 + c % 30)
    } else {
        Ipv4Addr::new(10, a, b, c)
    }
}

/// An address behind a word that announces versions as well: nobody can tell `release 10.4.2.7` of a lease from that of a program.
pub(crate) fn behind_version_word(random: &mut Random) -> Plant {
    let lead = *random.pick(&["release ", "build ", "version ", "driver ", "rev ", "v=", "section "]);
    let address = if random.one_in(2) { v4(random) } else { ten(random) };
    Plant::whole("v4 behind a word for versions", address.to_string()).led_by(lead)
}

pub(crate) fn v6(random: &mut Random) -> Ipv6Addr {
    let mut group = || u16::from_le_bytes([random.next().to_le_bytes()[1], random.next().to_le_bytes()[2]]);
    let (a, b, c, d, e, f) = (group(), group(), group(), group(), group(), group());
    match a % 6 {
        0 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, f),
        1 => Ipv6Addr::new(0x2001, 0xdb8, b, c, d, e, f, a),
        2 => Ipv6Addr::new(0x2001, 0xdb8, b, 0, 0, 0, e, f),
        3 => Ipv6Addr::new(0x3fff, b & 0xfff, c, d, 0, 0, 0, f),
        4 => Ipv6Addr::new(0xfd00 | b & 0xff, c, d, 0, e, f, a, b),
        _ => Ipv6Addr::new(0x2001, 0xdb8, 0, b, 0, 0x8a2e, 0x370, f),
    }
}

/// All eight groups, none shortened.
fn spelled(ip: Ipv6Addr) -> String {
    ip.segments().map(|group| format!("{group:04x}")).join(":")
}

pub(crate) fn ip(random: &mut Random) -> Plant {
    let four = v4(random);
    let six = v6(random);
    let port = random.between(1024, 65_000);
    let [a, b, c, d] = four.octets();
    let group = |hi: u8, lo: u8| format!("{:x}", u16::from_be_bytes([hi, lo]));
    match random.below(24) {
        0..=4 => Plant::whole("v4", four.to_string()),
        5 => inside("v4 with port", format!("{four}:{port}"), four),
        6 => inside("v4 with prefix", format!("{four}/{}", random.between(8, 32)), four),
        7 => Plant::whole("v4 in a URL", four.to_string()).led_by("http://"),
        8 => {
            let next = Ipv4Addr::new(a, b, c, d ^ 1);
            let text = format!("{four}, {next}");
            Plant { cores: vec![four.to_string(), next.to_string()], ..Plant::whole("v4 list", text) }
        }
        9 => {
            let text = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
            inside("v4 reversed", text, format!("{d}.{c}.{b}.{a}"))
        }
        10 => inside("v4 in brackets", format!("[{four}]"), four),
        11 => {
            let text = format!("::ffff:{four}");
            inside("v4 mapped", text, four)
        }
        12 => inside("v4 mapped, port", format!("[::ffff:{four}]:{port}"), four),
        13 => {
            let text = format!("::ffff:{}:{}", group(a, b), group(c, d));
            Plant::whole("v4 mapped, hex", text)
        }
        14 => inside("v4 behind NAT64", format!("64:ff9b::{four}"), four),
        15 | 16 => Plant::whole("v6", six.to_string()),
        17 => Plant::whole("v6 upper case", six.to_string().to_uppercase()),
        18 => Plant::whole("v6 spelled out", spelled(six)),
        19 => inside("v6 with port", format!("[{six}]:{port}"), six),
        20 => inside("v6 with prefix", format!("{six}/{}", random.between(16, 128)), six),
        21 => {
            let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0211, 0x22ff, 0xfe33, six.segments()[7] | 0x1000);
            let zone = random.pick(&["eth0", "en0", "wlan0", "3", "br-lan"]);
            inside("v6 with zone", format!("{local}%{zone}"), local)
        }
        22 => inside("v6 in a URL", format!("[{six}]"), six).led_by("https://"),
        _ => {
            let nibbles: Vec<String> =
                spelled(six).replace(':', "").chars().rev().map(String::from).collect();
            let nibbles = nibbles.join(".");
            inside("v6 reversed", format!("{nibbles}.ip6.arpa"), nibbles)
        }
    }
}

fn inside(form: &'static str, text: String, core: impl ToString) -> Plant {
    Plant { in_pieces: false, ..Plant::part(form, text, core.to_string()) }
}

pub(crate) fn mac(random: &mut Random) -> Plant {
    let lead = *random.pick(&["MAC address ", "mac=", "bssid: ", "HWaddr ", "mac addr "]);
    // Locally administered, so nobody's card.
    let pairs = |random: &mut Random, alphabet: &str| {
        let mut pairs: Vec<String> = (0..6).map(|_| random.text(alphabet, 2)).collect();
        pairs[0] = "02".to_owned();
        pairs
    };
    let plant = match random.below(4) {
        0 => Plant::whole("MAC with colons", pairs(random, HEX).join(":")),
        1 => Plant::whole("MAC upper case", pairs(random, UPPER_HEX).join(":")),
        2 => Plant::whole("MAC with dashes", pairs(random, UPPER_HEX).join("-")),
        _ => {
            let hex = pairs(random, HEX).concat();
            Plant::whole("MAC in fours", format!("{}.{}.{}", &hex[..4], &hex[4..8], &hex[8..]))
        }
    };
    plant.led_by(lead)
}
