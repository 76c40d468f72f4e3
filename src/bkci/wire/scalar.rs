//! Single values, however BK-CI writes them: reading one never fails.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::Timestamp;
use crate::model::status::BuildStatus;

/// A list that may be `null`.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(wire: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(wire)?.unwrap_or_default())
}

/// A part that nothing decisive rests on: of another shape than expected, it is as good as absent.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(wire: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(wire)?).unwrap_or_default())
}

/// Whether there is an object with something in it.
pub(super) fn filled<'de, D: Deserializer<'de>>(wire: D) -> Result<bool, D::Error> {
    Ok(Value::deserialize(wire)?.as_object().is_some_and(|map| !map.is_empty()))
}

/// A single value, however it is written. An object or a list in its place is as good as nothing.
#[derive(Default)]
pub(super) enum Scalar {
    #[default]
    Absent,
    Truth(bool),
    Number(i64),
    Text(String),
}

impl Scalar {
    /// A text with something in it; a number as text, since ids are sometimes written as numbers.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.trim().is_empty()),
            Self::Number(number) => Some(number.to_string()),
            Self::Absent | Self::Truth(_) => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Absent | Self::Truth(_) => None,
        }
    }

    /// Build numbers and executions count from 1.
    pub(super) fn count(&self) -> Option<u32> {
        self.int().and_then(|number| u32::try_from(number).ok()).filter(|count| *count > 0)
    }

    /// 0 stands for "not yet" (bkci-api 7.1).
    pub(super) fn moment(&self) -> Option<Timestamp> {
        self.int().filter(|ms| *ms > 0).map(Timestamp)
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Text(text) => text == "true",
            Self::Absent | Self::Number(_) => false,
        }
    }

    /// What may be left open.
    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Absent | Self::Number(_) => None,
        }
    }

    /// What is switched on unless it says otherwise.
    pub(super) fn truth_unless_false(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Text(text) => text != "false",
            Self::Absent | Self::Number(_) => true,
        }
    }

    /// In milliseconds; 0 and less is as good as unknown.
    pub(super) fn duration(&self) -> Option<Duration> {
        self.int().and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0).map(Duration::from_millis)
    }

    pub(super) fn status(self) -> Option<BuildStatus> {
        self.text().map(|text| BuildStatus::from_wire(&text))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(wire: D) -> Result<Self, D::Error> {
        wire.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Absent, Scalar::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
}
