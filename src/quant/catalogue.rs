//! The schemes by name: their options, with defaults, limits and words. Everything that a caller can choose is listed here, so
//! that a control for it can be built, and a wrong choice refused, without knowing the scheme.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::Family;
use crate::error::{Code, Error, Number, Result};

/// A scheme as people see it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Unique name.
    pub id: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// The family it belongs to.
    pub family: &'static str,
    /// Bits of a code; `None` where an option decides. Scales come on top: the true figure is a result's `bits_per_weight`.
    pub bits: Option<u32>,
    /// Weights per block where the scheme fixes it.
    pub block_size: Option<u32>,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Where its definition comes from.
    pub source: Source,
    /// What can be chosen beside what every scheme has; see [`Entry::all_options`].
    pub options: &'static [OptionSpec],
    /// Makes the family's part of the scheme from options that were checked.
    pub(super) build: Build,
}

/// See [`Entry::build`].
pub(super) type Build = fn(&Entry, &Resolved) -> Result<Rc<dyn Family>>;

/// A paper, specification or program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// How it is cited.
    pub title: &'static str,
    /// Where it is found.
    pub url: &'static str,
}

/// One thing to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionSpec {
    /// Its name in an options object.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it changes, in a sentence.
    pub help: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// It matters only when the named option has one of these values.
    pub when: Option<When>,
}

/// A condition: the option of this name has this value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// A flag is on.
    On(&'static str),
    /// A choice has this value.
    Is(&'static str, &'static str),
}

/// What an option takes, and its default.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "limits are inclusive; the names say the rest")]
pub enum Kind {
    /// On or off.
    Flag { default: bool },
    /// One of a few names.
    Choice { default: &'static str, values: &'static [ChoiceValue] },
    /// A whole number.
    Integer { default: f64, min: f64, max: f64, suggestions: &'static [f64] },
    /// A number.
    Number { default: f64, min: f64, max: f64, step: Option<f64>, unit: Option<&'static str> },
}

/// A name that a choice takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChoiceValue {
    /// The name in an options object.
    pub value: &'static str,
    /// Name for people.
    pub title: &'static str,
}

/// A value of an option, as it comes from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// For a flag.
    Flag(bool),
    /// For an integer or a number.
    Number(f64),
    /// For a choice.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Flag(v) => write!(f, "{v}"),
            Value::Number(v) => Number(*v).fmt(f),
            Value::Text(v) => write!(f, "{v:?}"),
        }
    }
}

/// Options by name.
pub type Options = BTreeMap<String, Value>;

impl Kind {
    fn default_value(&self) -> Value {
        match self {
            Kind::Flag { default } => Value::Flag(*default),
            Kind::Choice { default, .. } => Value::Text((*default).to_owned()),
            Kind::Integer { default, .. } | Kind::Number { default, .. } => Value::Number(*default),
        }
    }

    /// The value as it is kept, if the option takes it. A choice whose name is a number may come as one: addresses and command lines do not tell.
    fn take(&self, value: &Value) -> Option<Value> {
        let takes = match (self, value) {
            (Kind::Flag { .. }, Value::Flag(_)) => true,
            (Kind::Choice { values, .. }, Value::Text(text)) => values.iter().any(|v| v.value == text),
            (Kind::Choice { values, .. }, Value::Number(_)) => {
                // Written out rather than read: the first build of the engine has no code that reads floats.
                let name = value.to_string();
                let named = values.iter().find(|v| v.value == name);
                return named.map(|v| Value::Text(v.value.to_owned()));
            }
            (Kind::Integer { min, max, .. }, Value::Number(n)) => n.fract() == 0.0 && (min..=max).contains(&n),
            (Kind::Number { min, max, .. }, Value::Number(n)) => (min..=max).contains(&n),
            _ => false,
        };
        takes.then(|| value.clone())
    }

    fn expectation(&self) -> String {
        match self {
            Kind::Flag { .. } => "true or false".to_owned(),
            Kind::Choice { values, .. } => {
                values.iter().map(|v| format!("{:?}", v.value)).collect::<Vec<_>>().join(", ")
            }
            Kind::Integer { min, max, .. } => format!("a whole number from {} to {}", Number(*min), Number(*max)),
            Kind::Number { min, max, .. } => format!("a number from {} to {}", Number(*min), Number(*max)),
        }
    }
}

impl Entry {
    /// Its own options, then those that every scheme has, unless it has its own of the name.
    pub fn all_options(&self) -> impl Iterator<Item = &'static OptionSpec> + Clone {
        let own = self.options;
        own.iter()
            .chain(super::compact::OPTIONS.iter().filter(|common| own.iter().all(|spec| spec.name != common.name)))
    }

    /// Every option with its value: the given ones checked, the others at their defaults.
    ///
    /// # Errors
    /// `unknown_option` with the list of those known, `invalid_option` with what the option takes.
    pub fn resolve(&self, given: &Options) -> Result<Resolved> {
        if let Some(name) = given.keys().find(|name| self.all_options().all(|spec| spec.name != *name)) {
            let known: Vec<_> = self.all_options().map(|spec| spec.name).collect();
            return Err(Error::new(Code::UnknownOption, format!("scheme {:?} has no option {name:?}", self.id))
                .with_expected(format!("one of {}", known.join(", ")))
                .with_found(name));
        }
        let mut values = Options::new();
        for spec in self.all_options() {
            let value = match given.get(spec.name) {
                None => spec.kind.default_value(),
                Some(value) => spec.kind.take(value).ok_or_else(|| {
                    Error::new(Code::InvalidOption, format!("option {:?} does not take this", spec.name))
                        .with_expected(spec.kind.expectation())
                        .with_found(value.to_string())
                })?,
            };
            values.insert(spec.name.to_owned(), value);
        }
        Ok(Resolved { values })
    }
}

/// Options that [`Entry::resolve`] has checked and completed.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    values: Options,
}

impl Resolved {
    /// The value of an option, if the scheme has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// A flag; `false` for a name that the scheme does not have.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    /// An integer or number, if the scheme has one of this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.values.get(name) {
            Some(Value::Number(n)) => Some(*n),
            _ => None,
        }
    }

    /// A choice; empty for a name that the scheme does not have.
    #[must_use]
    pub fn choice(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The same with another value for an option that the scheme has.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: Value) -> Resolved {
        let mut changed = self.clone();
        if let Some(old) = changed.values.get_mut(name) {
            *old = value;
        }
        changed
    }

    /// All of them.
    #[must_use]
    pub fn values(&self) -> &Options {
        &self.values
    }
}

/// All schemes, in the order in which they are best shown.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> + Clone {
    super::FAMILIES.iter().copied().flatten()
}

/// The scheme of a name.
///
/// # Errors
/// `unknown_scheme` with the list of those known.
pub fn entry(id: &str) -> Result<&'static Entry> {
    catalogue().find(|entry| entry.id == id).ok_or_else(|| {
        let known: Vec<_> = catalogue().map(|entry| entry.id).collect();
        Error::new(Code::UnknownScheme, format!("there is no scheme {id:?}"))
            .with_expected(format!("one of {}", known.join(", ")))
            .with_found(format!("{id:?}"))
    })
}
