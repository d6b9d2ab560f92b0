//! Data classes: the kinds of personal data, which a policy decides about.

use std::fmt;

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $token:literal;)*) => {
        /// A kind of personal data. A policy maps each to an action.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $name,)* }

        impl Class {
            /// Every class there is, in documentation order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in packs, configuration and metric labels.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The constant stand-in of this class.
            #[must_use]
            pub fn token(self) -> &'static str {
                match self { $(Self::$name => concat!("[", $token, "]"),)* }
            }

            /// The bare word inside the token, which `stats` puts its counts behind.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $token,)* }
            }

            /// Finds a class by its name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($label => Some(Self::$name),)* _ => None }
            }
        }
    };
}

classes! {
    /// Network addresses of people's devices.
    IpAddress = "ip_address", "ip";
    /// E-mail addresses.
    Email = "email", "email";
    /// Telephone numbers.
    Phone = "phone", "phone";
    /// Names of people, user names.
    Person = "person", "person";
    /// Postal addresses.
    PostalAddress = "postal_address", "address";
    /// Cards and accounts.
    Payment = "payment", "payment";
    /// Identifiers given by a state.
    NationalId = "national_id", "national_id";
    /// Passwords, tokens, keys, cookies.
    Credential = "credential", "credential";
    /// What a person asked a model for.
    PromptText = "prompt_text", "prompt";
    /// What a model answered.
    CompletionText = "completion_text", "completion";
    /// Arguments and results of tools that a model called.
    ToolIo = "tool_io", "tool";
    /// Documents that a person works on: graphs, templates, titles.
    Project = "project", "project";
    /// Inline pictures, sound, video.
    Media = "media", "media";
    /// Links to generated or uploaded media.
    MediaLink = "media_link", "media_link";
    /// Embeddings and token ids, which can be turned back into text.
    Vector = "vector", "vector";
    /// Ids that must stay joinable across events.
    UserId = "user_id", "user";
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
