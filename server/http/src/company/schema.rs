//! JSON schemas of the types that requests are read into, found by reading them: a reader that knows
//! nothing hands every type what it asks for, and writes down what that was.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde_json::{Map, Value, json};
use std::cell::RefCell;

type Refused = de::value::Error;

/// The schema of a type.
pub fn of<T: DeserializeOwned>() -> Value {
    let found = RefCell::new(json!({}));
    let outermost = Reader { found: &found, left_out: None, depth: 0 };
    if T::deserialize(outermost).is_err() {
        return json!({});
    }
    let mut schema = found.into_inner();
    // A field is needed if the type cannot be read without it.
    let properties = schema.get("properties").and_then(Value::as_object);
    let fields: Vec<String> = properties.map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    let needed = |field: &&String| {
        let ignored = RefCell::new(json!({}));
        T::deserialize(Reader { found: &ignored, left_out: Some(field), depth: 0 }).is_err()
    };
    let required: Vec<&String> = fields.iter().filter(needed).collect();
    if let Some(schema) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// Hands out what it is asked for.
struct Reader<'a> {
    found: &'a RefCell<Value>,
    /// A field of the outermost type that it does not hand out.
    left_out: Option<&'a str>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn note(&self, schema: Value) {
        *self.found.borrow_mut() = schema;
    }

    fn inner<'b>(&'b self, found: &'b RefCell<Value>) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { found, left_out: self.left_out, depth: self.depth + 1 }
    }
}

macro_rules! whole_numbers {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.note(json!({ "type": "integer" }));
            visitor.visit_u8(0)
        })+
    };
}

macro_rules! texts {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.note(json!({ "type": "string" }));
            visitor.visit_str("")
        })+
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Refused;

    whole_numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
    deserialize_u32 deserialize_u64 }
    texts! { deserialize_str deserialize_string deserialize_char deserialize_identifier deserialize_bytes
    deserialize_byte_buf }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note(json!({ "type": "boolean" }));
        visitor.visit_bool(false)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note(json!({ "type": "number" }));
        visitor.visit_f64(0.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let found = self.found;
        let value = visitor.visit_some(self)?;
        if let Some(kind) = found.borrow_mut().get_mut("type").filter(|kind| kind.is_string()) {
            *kind = json!([kind, "null"]);
        }
        Ok(value)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let item = RefCell::new(json!({}));
        let value = visitor.visit_seq(One { reader: Some(self.inner(&item)) })?;
        self.note(json!({ "type": "array", "items": item.into_inner() }));
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let item = RefCell::new(json!({}));
        let fields = Fields { reader: &self, names: &["name"], next: 0, value: &item, found: None };
        let value = visitor.visit_map(fields)?;
        self.note(json!({ "type": "object", "additionalProperties": item.into_inner() }));
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let properties = RefCell::new(Map::new());
        let item = RefCell::new(json!({}));
        let fields = Fields { reader: &self, names, next: 0, value: &item, found: Some(&properties) };
        let value = visitor.visit_map(fields)?;
        self.note(json!({ "type": "object", "properties": properties.into_inner() }));
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(json!({ "type": "string", "enum": variants }));
        visitor.visit_enum(Variant(variants.first().copied().unwrap_or_default()))
    }
}

struct One<'a> {
    reader: Option<Reader<'a>>,
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        self.reader.take().map(|reader| seed.deserialize(reader)).transpose()
    }
}

struct Fields<'a, 'b> {
    reader: &'b Reader<'a>,
    names: &'static [&'static str],
    next: usize,
    value: &'b RefCell<Value>,
    /// Where the schemas of the fields go.
    found: Option<&'b RefCell<Map<String, Value>>>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        loop {
            let Some(name) = self.names.get(self.next) else { return Ok(None) };
            self.next += 1;
            if self.reader.depth > 0 || self.reader.left_out != Some(*name) {
                return seed.deserialize(StrDeserializer::<Refused>::new(name)).map(Some);
            }
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        *self.value.borrow_mut() = json!({});
        let value = seed.deserialize(self.reader.inner(self.value))?;
        if let (Some(into), Some(name)) = (self.found, self.names.get(self.next.saturating_sub(1))) {
            into.borrow_mut().insert((*name).to_owned(), self.value.borrow().clone());
        }
        Ok(value)
    }
}

struct Variant(&'static str);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        Ok((seed.deserialize(StrDeserializer::<Refused>::new(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Refused> {
        Err(de::Error::custom("only plain words are described"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        Err(de::Error::custom("only plain words are described"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Refused> {
        Err(de::Error::custom("only plain words are described"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        One,
        Two,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Thing {
        name: String,
        #[serde(default)]
        count: i64,
        word: Option<Word>,
        parts: Vec<Part>,
        more: BTreeMap<String, bool>,
        anything: Value,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Part {
        size: u32,
    }

    #[test]
    fn a_type_tells_what_it_is() {
        let expected = json!({
            "type": "object",
            "required": ["more", "name", "parts"],
            "properties": {
                "name": { "type": "string" },
                "count": { "type": "integer" },
                "word": { "type": ["string", "null"], "enum": ["one", "two"] },
                "parts": { "type": "array", "items": { "type": "object", "properties": { "size": { "type": "integer" } } } },
                "more": { "type": "object", "additionalProperties": { "type": "boolean" } },
                "anything": {},
            },
        });
        let found = of::<Thing>();
        // Whether a field of any kind is needed depends on how the type reads its absence.
        let mut found_required = found["required"].as_array().cloned().unwrap();
        found_required.retain(|name| name != "anything");
        found_required.sort_by_key(ToString::to_string);
        assert_eq!(json!(found_required), expected["required"]);
        assert_eq!(found["properties"], expected["properties"]);
        let _ = (Word::One, Word::Two);
    }
}
