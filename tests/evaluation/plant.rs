//! A value that must go, with what this test knows about it: its kind, the words that belong before it, what
//! may go with it, and what must be gone.

use super::random::Random;
use super::{address, contact, identity, payment, secret};

/// What a value is. The name is a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Email,
    Ip,
    Card,
    Iban,
    Secret,
    Phone,
    NationalId,
    Mac,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Email,
        Self::Ip,
        Self::Card,
        Self::Iban,
        Self::Secret,
        Self::Phone,
        Self::NationalId,
        Self::Mac,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Ip => "IP address",
            Self::Card => "card",
            Self::Iban => "IBAN",
            Self::Secret => "secret",
            Self::Phone => "telephone",
            Self::NationalId => "identity number",
            Self::Mac => "hardware address",
        }
    }

    /// The words inside stand-ins that speak of this kind.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Email => &["email"],
            Self::Ip | Self::Mac => &["ip"],
            Self::Card | Self::Iban => &["payment"],
            Self::Secret => &["credential"],
            Self::Phone => &["phone"],
            Self::NationalId => &["national_id"],
        }
    }

    pub(crate) fn plant(self, random: &mut Random) -> Plant {
        let mut plant = match self {
            Self::Email => contact::email(random),
            Self::Ip => address::ip(random),
            Self::Card => payment::card(random),
            Self::Iban => payment::iban(random),
            Self::Secret => secret::secret(random),
            Self::Phone => contact::phone(random),
            Self::NationalId => identity::number(random),
            Self::Mac => address::mac(random),
        };
        plant.kind = self;
        plant
    }
}

/// One value to be hidden in a carrier.
#[derive(Debug, Clone)]
pub(crate) struct Plant {
    pub(crate) kind: Kind,
    /// How it is written, for reports.
    pub(crate) form: &'static str,
    /// Words that belong before it and must stay.
    pub(crate) lead: String,
    /// What may be replaced.
    pub(crate) text: String,
    /// Parts of `text` that must be gone.
    pub(crate) cores: Vec<String>,
    /// Whether a piece of eight bytes of a core tells too much. Addresses of one network share theirs.
    pub(crate) in_pieces: bool,
}

impl Plant {
    /// A value that is all core.
    pub(crate) fn whole(form: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind: Kind::Email,
            form,
            lead: String::new(),
            cores: vec![text.clone()],
            text,
            in_pieces: false,
        }
    }

    /// A value of which only a part must be gone.
    pub(crate) fn part(form: &'static str, text: impl Into<String>, core: impl Into<String>) -> Self {
        Self { cores: vec![core.into()], in_pieces: true, ..Self::whole(form, text) }
    }

    pub(crate) fn led_by(self, lead: impl Into<String>) -> Self {
        Self { lead: lead.into(), ..self }
    }

    /// What stands in the carrier.
    pub(crate) fn full(&self) -> String {
        format!("{}{}", self.lead, self.text)
    }

    /// Texts none of which may be found in any reading of the output.
    pub(crate) fn needles(&self) -> impl Iterator<Item = &[u8]> {
        self.cores.iter().flat_map(|core| {
            let piece = if self.in_pieces && core.len() > 8 { 8 } else { core.len() };
            core.as_bytes().chunks_exact(piece)
        })
    }
}
