//! How a configuration key is declared once and known everywhere: the `section!` macro turns a
//! documented struct into the struct itself, its defaults, and a description from which the
//! loader, the example file and the documentation page work. No key is named in this file.

use kontor_model::Secret;
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::Value;

/// One key of the configuration, as the documentation and the loader see it.
#[derive(Debug, Clone)]
pub struct Key {
    /// Name inside its section.
    pub name: &'static str,
    /// Lines of its documentation.
    pub docs: &'static [&'static str],
    /// How a value is written.
    pub kind: Kind,
    /// The value that holds when the key is absent; none when absence itself has a meaning.
    pub default: Option<Value>,
    /// A value to show where there is no default, written as TOML.
    pub example: Option<&'static str>,
    /// Whether the value must not be shown, and can be read from a file named by `<name>_file`.
    pub secret: bool,
}

impl Key {
    /// A key as the `section!` macro declares it.
    pub fn new(
        name: &'static str,
        docs: &'static [&'static str],
        kind: Kind,
        default: Option<Value>,
    ) -> Self {
        Self { name, docs, kind, default, example: None, secret: false }
    }

    /// Gives the value that the example file shows when there is no default.
    pub fn example(mut self, toml: &'static str) -> Self {
        self.example = Some(toml);
        self
    }

    /// Marks the key as a secret.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The value as the example file shows it.
    pub fn shown(&self) -> String {
        match (&self.default, self.example) {
            (Some(value), _) => value.to_string(),
            (None, Some(example)) => example.to_owned(),
            (None, None) => String::from("\"\""),
        }
    }
}

/// A group of keys: a `[name]` table, or a repeatable `[[name]]` one.
#[derive(Debug, Clone)]
pub struct Section {
    /// Name; empty for the keys at the top of the file.
    pub name: &'static str,
    /// Lines of its documentation.
    pub docs: &'static [&'static str],
    /// Whether it can stand in the file more than once.
    pub repeatable: bool,
    /// Its keys, in the order of the example file.
    pub keys: Vec<Key>,
}

impl Section {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A number of bytes, or a text such as `"50 MiB"`.
    Size,
    /// A table, or a list of tables, as the example shows it.
    Table,
}

impl Kind {
    /// What a person has to write.
    pub fn words(self) -> &'static str {
        match self {
            Self::Switch => "true or false",
            Self::Number => "number",
            Self::Text => "text",
            Self::Texts => "list of texts",
            Self::Table => "table or list of tables, as in the example",
            Self::Size => "size, such as \"50 MiB\", or a number of bytes",
        }
    }
}

/// A Rust type that a key can have.
pub trait Setting {
    /// How its values are written.
    const KIND: Kind;

    /// The value as TOML, for showing defaults; none for "not set".
    fn to_toml(&self) -> Option<Value>;
}

impl Setting for bool {
    const KIND: Kind = Kind::Switch;
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Boolean(*self))
    }
}

impl Setting for u32 {
    const KIND: Kind = Kind::Number;
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Integer(i64::from(*self)))
    }
}

impl Setting for String {
    const KIND: Kind = Kind::Text;
    fn to_toml(&self) -> Option<Value> {
        // No key means anything by an empty text: there it stands for "not set".
        Some(Value::String(self.clone())).filter(|_| !self.is_empty())
    }
}

impl Setting for PathBuf {
    const KIND: Kind = Kind::Text;
    fn to_toml(&self) -> Option<Value> {
        Some(Value::String(self.display().to_string()))
    }
}

impl Setting for SocketAddr {
    const KIND: Kind = Kind::Text;
    fn to_toml(&self) -> Option<Value> {
        Some(Value::String(self.to_string()))
    }
}

impl Setting for Secret<String> {
    const KIND: Kind = Kind::Text;
    fn to_toml(&self) -> Option<Value> {
        None
    }
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;
    fn to_toml(&self) -> Option<Value> {
        self.as_ref().and_then(Setting::to_toml)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind::Texts;
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(Setting::to_toml).collect()))
    }
}

/// Declares a section: a documented struct whose fields have defaults.
///
/// After a default may stand `, example "TOML"` and `, secret`.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        pub struct $section:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident : $kind:ty = $default:expr $(, $flag:ident $($argument:literal)?)* ;
            )*
        }
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(default)]
        pub struct $section {
            $( $(#[doc = $doc])+ pub $name: $kind, )*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $( $name: $default, )* }
            }
        }

        impl $section {
            /// Describes the section for the loader and the documentation.
            pub fn describe(name: &'static str, repeatable: bool) -> $crate::config::schema::Section {
                let defaults = Self::default();
                $crate::config::schema::Section {
                    name,
                    docs: &[$($section_doc),+],
                    repeatable,
                    keys: vec![ $(
                        $crate::config::schema::Key::new(
                            stringify!($name),
                            &[$($doc),+],
                            <$kind as $crate::config::schema::Setting>::KIND,
                            $crate::config::schema::Setting::to_toml(&defaults.$name),
                        )$(.$flag($($argument)?))*,
                    )* ],
                }
            }
        }
    };
}

/// Declares a closed list of words that a key can have.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident {
            $( $(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $variant_doc])+ #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            /// The word in the configuration.
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl $crate::config::schema::Setting for $name {
            const KIND: $crate::config::schema::Kind = $crate::config::schema::Kind::Text;
            fn to_toml(&self) -> Option<toml::Value> {
                Some(toml::Value::String(self.word().to_owned()))
            }
        }
    };
}

pub(crate) use {choice, section};
