//! How an input says what is to be done with it.

/// Pieces of a body that is cut at random places, at most.
const PIECES_MAX: usize = 64;
/// A body up to this is also cut at every byte.
const SINGLE_BYTES_MAX: usize = 2 << 10;

/// An input: two bytes that say how, and what.
#[derive(Debug, Clone, Copy)]
pub struct Input<'i> {
    /// Which format, bound or policy: by its remainder.
    pub mode: usize,
    cuts: u8,
    pub payload: &'i [u8],
}

impl<'i> Input<'i> {
    /// `None` where there is nothing behind the two.
    pub fn read(data: &'i [u8]) -> Option<Self> {
        let [mode, cuts, payload @ ..] = data else { return None };
        Some(Self { mode: usize::from(*mode), cuts: *cuts, payload })
    }

    /// One of a list, by what is left of the mode; the next call gives one independent of it.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let picked = of[self.mode % of.len()];
        self.mode /= of.len();
        picked
    }

    /// The payload in pieces.
    pub fn pieces(&self) -> Vec<&'i [u8]> {
        self.cut(self.payload)
    }

    /// Bytes in pieces: each alone, two, or many of random lengths, some of them empty.
    pub fn cut<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        match self.cuts {
            0 | b'0' if bytes.len() <= SINGLE_BYTES_MAX => bytes.chunks(1).collect(),
            cuts @ 0..0x80 => {
                let (head, tail) = bytes.split_at(bytes.len() * usize::from(cuts) / 0x80);
                vec![head, tail]
            }
            cuts => {
                let (mut state, mut rest, mut pieces) = (u32::from(cuts), bytes, Vec::new());
                while pieces.len() < PIECES_MAX && !rest.is_empty() {
                    // Numerical Recipes' generator: what matters is only that it is the same each time.
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let most = 2 + bytes.len() / 8;
                    let (piece, behind) = rest.split_at((state >> 8) as usize % most % (rest.len() + 1));
                    pieces.push(piece);
                    rest = behind;
                }
                pieces.push(rest);
                pieces
            }
        }
    }
}

/// Bytes as a panic may show them: a part, escaped.
pub fn shown(bytes: &[u8]) -> String {
    let dots = if bytes.len() > 2_000 { "…" } else { "" };
    format!("\"{}\"{dots}", bytes[..bytes.len().min(2_000)].escape_ascii())
}
