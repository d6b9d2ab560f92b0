//! What can happen to a hit, and the policy that decides it per data class.
//!
//! A [`Policy`] is resolved: every class has an action, every rule a parsed path. It is built from a
//! preset and what the configuration changes in it, and never looks at bytes.

use super::binary::BinaryKind;
use crate::pattern::Class;
use std::fmt;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// What happens to a hit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// Every action there is, in documentation order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in configuration and metric labels.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Finds an action by its name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($label => Some(Self::$name),)* _ => None }
            }
        }
    };
}

actions! {
    /// Left as it is, and still counted.
    Keep = "keep",
    /// Emptied: `""`, `0`, `[]`, `{}`; nothing at all inside a longer text.
    Remove = "remove",
    /// Replaced by the constant of its class, `[email]`. An address field becomes null.
    Token = "token",
    /// All but the last four characters become `*`.
    Mask = "mask",
    /// An address is cut to its /24 or /48; other classes fall back to `token`.
    Truncate = "truncate",
    /// Replaced by a keyed, stable stand-in. Needs a key.
    Pseudonym = "pseudonym",
    /// Replaced by the token with counts: `[prompt chars=212 words=37]`.
    Stats = "stats",
    /// The text stays; what the patterns find in it is redacted.
    Scan = "scan",
    /// The whole item is left out.
    DropItem = "drop_item",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The three starting points for a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Nothing that could name or quote a person leaves.
    #[default]
    Strict,
    /// Identifiers go, content stays and is scanned.
    PiiOnly,
    /// Only numbers and structure are wanted.
    MetricsOnly,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::Strict, Self::PiiOnly, Self::MetricsOnly];

    /// The name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::PiiOnly => "pii-only",
            Self::MetricsOnly => "metrics-only",
        }
    }

    /// Finds a preset by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// What this preset does with a class, given whether a pseudonym key is configured.
    #[must_use]
    pub fn action(self, class: Class, keyed: bool) -> Action {
        use Class as C;
        match (self, class) {
            (Self::PiiOnly, C::IpAddress) => Action::Token, // `truncate` in address fields, see `address_field`
            (_, C::IpAddress | C::Payment | C::NationalId | C::Credential) => Action::Token,
            (_, C::Email | C::Phone | C::Person | C::PostalAddress) => Action::Token,
            (Self::Strict, C::PromptText | C::CompletionText | C::ToolIo | C::Project) => Action::Stats,
            (Self::PiiOnly, C::PromptText | C::CompletionText | C::ToolIo | C::Project) => Action::Scan,
            (Self::MetricsOnly, C::PromptText | C::CompletionText | C::ToolIo | C::Project) => Action::Token,
            (Self::PiiOnly, C::MediaLink) => Action::Scan,
            (_, C::Media | C::MediaLink | C::Vector) => Action::Token,
            (Self::Strict | Self::MetricsOnly, C::UserId) if keyed => Action::Pseudonym,
            (Self::MetricsOnly, C::UserId) => Action::Token,
            (Self::Strict | Self::PiiOnly, C::UserId) => Action::Keep,
        }
    }

    /// What this preset does with a field that holds an address and nothing else.
    #[must_use]
    pub fn address_field(self) -> Action {
        match self {
            Self::PiiOnly => Action::Truncate,
            Self::Strict | Self::MetricsOnly => Action::Token,
        }
    }
}

/// What a route does with an item that cannot be understood. Never "let it pass" without consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The item is left out, the rest of the request goes on.
    #[default]
    DropItem,
    /// The item's content is replaced by a constant of the same type.
    Replace,
    /// The whole request is refused.
    Reject,
    /// The item goes on unscanned. Only with `unscanned_pass_consent`; shows in a gauge.
    Pass,
}

/// Whether hits are redacted or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Scan and redact.
    #[default]
    Enforce,
    /// Scan and count, forward unchanged. Only with `unscanned_pass_consent`.
    Shadow,
}

/// The decision about one field, written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// Field path from the root of the item, as in packs: `extra.order_note`, `**.secret`.
    pub path: String,
    /// What to do with every value there.
    pub action: Action,
}

/// A key for pseudonyms. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey(pub Vec<u8>);

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({} bytes)", self.0.len())
    }
}

/// A route's rules, resolved: a preset and what differs from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The starting point.
    pub preset: Preset,
    /// Redact, or only count.
    pub mode: Mode,
    /// Conduct when an item is not understood.
    pub on_error: OnError,
    /// Actions that differ from the preset, one per class at most.
    pub actions: Vec<(Class, Action)>,
    /// Field rules of the operator; these win over the packs' own.
    pub rules: Vec<PolicyRule>,
    /// Key for `pseudonym`, one per policy.
    pub key: Option<PseudonymKey>,
    /// Binary content that goes on unread. Only with `unscanned_pass_consent`; shows in a gauge.
    pub attachments: Vec<BinaryKind>,
}

impl Policy {
    /// The action for hits of `class` inside text.
    #[must_use]
    pub fn action(&self, class: Class) -> Action {
        self.overridden(class).unwrap_or_else(|| self.preset.action(class, self.key.is_some()))
    }

    /// The action for a field that holds an address and nothing else.
    #[must_use]
    pub fn address_field(&self) -> Action {
        self.overridden(Class::IpAddress).unwrap_or_else(|| self.preset.address_field())
    }

    /// The same for what a service keeps for its users and gives back to them, prompts and data sets: what `strict` takes away
    /// whole and `pii-only` scans is scanned, for who stored it runs on what comes back.
    ///
    /// An action that the policy names itself holds here too, and so does all of `metrics-only`, whose point is that no text
    /// leaves. `None` if nothing differs.
    pub(crate) fn for_stored(&self) -> Option<Self> {
        if self.preset != Preset::Strict {
            return None;
        }
        let is_content = |class: &Class| Preset::PiiOnly.action(*class, false) == Action::Scan;
        let eased =
            Class::ALL.iter().copied().filter(is_content).filter(|class| self.overridden(*class).is_none());
        let mut actions: Vec<_> = eased.map(|class| (class, Action::Scan)).collect();
        if actions.is_empty() {
            return None;
        }
        actions.extend_from_slice(&self.actions);
        Some(Self { actions, ..self.clone() })
    }

    fn overridden(&self, class: Class) -> Option<Action> {
        self.actions.iter().rev().find(|(named, _)| *named == class).map(|(_, action)| *action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_content_is_scanned_unless_the_policy_says_what_to_do() {
        let named = |preset, actions| Policy { preset, actions, ..Policy::default() };
        let strict =
            named(Preset::Strict, vec![(Class::ToolIo, Action::Remove), (Class::Email, Action::Mask)]);
        let stored = strict.for_stored().expect("strict takes content away");
        for class in Class::ALL {
            let want = match class {
                Class::PromptText | Class::CompletionText | Class::Project | Class::MediaLink => Action::Scan,
                other => strict.action(*other),
            };
            assert_eq!(stored.action(*class), want, "{class:?}");
        }
        assert_eq!(stored.for_stored(), None);
        for preset in [Preset::PiiOnly, Preset::MetricsOnly] {
            assert_eq!(named(preset, Vec::new()).for_stored(), None, "{preset:?}");
        }
    }
}
